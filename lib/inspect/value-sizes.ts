/** The sizes of all values of a store, from its tables alone: no value is read. */

import { basename } from 'node:path'
import { compareRange, NO_BYTES } from '../base/bytes.ts'
import { CorruptionError, type IoError, isMissing, WiscError } from '../base/errors.ts'
import { joinPath, segmentName } from '../base/files/file-names.ts'
import type { FileSystem } from '../base/files/file-system.ts'
import { nodeFileSystem } from '../base/platform/node-file-system.ts'
import { Attempts } from '../reads/read-again.ts'
import { refuseUnfinished } from '../recovery/store-place.ts'
import { InputRun } from '../tree/compaction/input-run.ts'
import { MergeCursor } from '../tree/compaction/merge-cursor.ts'
import { KIND, valueLength } from '../tree/entry.ts'
import type { ReadManifest } from '../tree/version/manifest.ts'
import { logFiles } from '../tree/version/version.ts'
import { VersionSet } from '../tree/version/version-set.ts'
import { SizeHistogram } from './size-histogram.ts'

const ENTRIES_PER_SLICE = 4096

export interface ValueSizes {
  /** Of the newest values; tombstones have none. */
  readonly histogram: SizeHistogram
  /** Of these, kept in the value log alone. */
  readonly separatedKeys: number
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
  const histogram = new SizeHistogram()
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
      histogram.add(keyLength, valueLength(entry, keyLength))
      if (kind === KIND.pointer) separatedKeys++
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
  return { histogram, separatedKeys, entries, unflushedLogBytes }
}
