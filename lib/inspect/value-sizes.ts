/**
 * The sizes of all values of a store, from its tables alone: no value is read.
 *
 * A table tells how long the record of a separated value is, not whether the value in it is compressed: it is taken to
 * be not, and some keys of each size are named, whose sizes can be asked for (lib/inspect/collection/value-sample.ts).
 */

import { basename } from 'node:path'
import { compareRange, NO_BYTES } from '../base/bytes.ts'
import { CorruptionError, type IoError, isMissing, WiscError } from '../base/errors.ts'
import { joinPath, segmentName } from '../base/files/file-names.ts'
import type { FileSystem } from '../base/files/file-system.ts'
import { nodeFileSystem } from '../base/platform/node-file-system.ts'
import { plainBytes } from '../base/record-size.ts'
import { Attempts } from '../reads/read-again.ts'
import { refuseUnfinished } from '../recovery/store-place.ts'
import { InputRun } from '../tree/compaction/input-run.ts'
import { MergeCursor } from '../tree/compaction/merge-cursor.ts'
import { KIND, valueLength } from '../tree/entry.ts'
import type { ReadManifest } from '../tree/version/manifest-reader.ts'
import { logFiles } from '../tree/version/version.ts'
import { VersionSet } from '../tree/version/version-set.ts'
import { bucketOf, SizeHistogram } from './size-histogram.ts'

const ENTRIES_PER_SLICE = 4096
/** Keys that are named of each bucket, at most, and half of it at least where there are so many. */
const SAMPLES = 128

/** A key whose value is separated, and the size that was taken for it. */
export interface SampledKey {
  readonly key: Uint8Array
  readonly taken: number
}

export interface ValueSizes {
  /** Of the newest values that lie in tables; tombstones have none. */
  readonly inline: SizeHistogram
  /** Of the newest values that lie in the value log alone, as if none of them were compressed. */
  readonly separated: SizeHistogram
  readonly separatedKeys: number
  /** Some of these, all over the store. */
  readonly samples: readonly SampledKey[]
  /** Entries of tables, older ones and tombstones included. */
  readonly entries: number
  /** Log that no table has yet, and that is not counted here. */
  readonly unflushedLogBytes: number
}

/**
 * Goes through all tables, in the order of keys. Yields the entries of each slice. Takes no lock and writes nothing
 * (I11); if a writer removes tables meanwhile, it begins again with those that it has by then.
 * @throws WISC_NO_STORE, CorruptionError, WISC_STALE, IoError
 */
export function* measureValueSizes(
  directory: string,
  fileSystem: FileSystem = nodeFileSystem,
): Generator<number, ValueSizes> {
  const kind = fileSystem.statPath(directory)?.kind
  if (kind !== undefined && kind !== 'directory') {
    throw new WiscError('WISC_NO_STORE', `path is not a directory path=${directory}`)
  }
  refuseUnfinished(fileSystem, directory)
  const attempts = new Attempts()
  for (;;) {
    try {
      const manifest = VersionSet.read(fileSystem, directory)
      if (manifest) return yield* measure(fileSystem, directory, manifest)
    } catch (error) {
      attempts.again(isMissing(error) ? missingTable(error) : error)
      continue
    }
    throw new WiscError('WISC_NO_STORE', `there is no store at this path path=${directory}`)
  }
}

/** There is no table where the manifest has one. */
function missingTable(error: IoError): CorruptionError {
  return new CorruptionError(basename(error.path), 0, 'file is missing', { cause: error })
}

function* measure(
  fileSystem: FileSystem,
  directory: string,
  manifest: ReadManifest,
): Generator<number, ValueSizes> {
  const { version, databaseId } = manifest
  const place = { directory, databaseId }
  const runs = version.levels.flatMap((level) =>
    level.runs.map(({ tables }) => new InputRun(tables, place, fileSystem)),
  )
  const [inline, separated] = [new SizeHistogram(), new SizeHistogram()]
  const samples = new EvenSamples()
  let entries = 0
  let separatedKeys = 0
  try {
    const cursor = new MergeCursor(runs.map((run) => run.cursor))
    let key: Uint8Array = NO_BYTES
    let keyLength = -1
    for (cursor.seekToFirst(); cursor.valid; cursor.next()) {
      if (++entries % ENTRIES_PER_SLICE === 0) yield ENTRIES_PER_SLICE
      const { entry } = cursor
      const { keyBytes, keyStart, keyEnd, kind } = entry
      const isOlder =
        keyLength >= 0 && compareRange(key, 0, keyLength, keyBytes, keyStart, keyEnd) === 0
      if (isOlder) continue
      keyLength = keyEnd - keyStart
      if (key.length < keyLength) key = new Uint8Array(keyLength * 2)
      key.set(keyBytes.subarray(keyStart, keyEnd))
      if (kind === KIND.tombstone || entry.sequence < version.evictedBelow) continue
      const stored = valueLength(entry, keyLength)
      if (kind !== KIND.pointer) {
        inline.add(keyLength, stored)
        continue
      }
      const taken = plainBytes(stored)
      separated.add(keyLength, taken, stored)
      samples.offer(taken, key, keyLength)
      separatedKeys++
    }
  } finally {
    for (const run of runs) run.close()
  }
  let unflushedLogBytes = 0
  const { checkpoint } = version
  for (const { number, ordinal } of logFiles(version, checkpoint.ordinal)) {
    const size = fileSystem.statPath(joinPath(directory, segmentName(number)))?.size ?? 0
    const from = ordinal === checkpoint.ordinal ? checkpoint.offset : 0
    unflushedLogBytes += Math.max(0, size - from)
  }
  return { inline, separated, separatedKeys, samples: samples.all(), entries, unflushedLogBytes }
}

/** Of each bucket every so many-th key; when there are too many every other one goes, and only half as many come. */
class EvenSamples {
  readonly #buckets: Map<number, { seen: number; step: number; keys: SampledKey[] }> = new Map()

  offer(taken: number, key: Uint8Array, keyLength: number): void {
    const at = bucketOf(taken)
    const bucket = this.#buckets.get(at) ?? { seen: 0, step: 1, keys: [] }
    this.#buckets.set(at, bucket)
    if (bucket.seen++ % bucket.step > 0) return
    if (bucket.keys.length === SAMPLES) {
      bucket.keys = bucket.keys.filter((_, i) => i % 2 === 0)
      bucket.step *= 2
    }
    bucket.keys.push({ key: key.slice(0, keyLength), taken })
  }

  all(): SampledKey[] {
    return [...this.#buckets.values()].flatMap(({ keys }) => keys)
  }
}
