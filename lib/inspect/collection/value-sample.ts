/**
 * Samples of values: how they are stored, and what compression would save.
 *
 * Looked at are some entries behind the first key of some tables, all over the tree. Only separated values count.
 */
import { WiscError } from '../../base/errors.ts'
import { frameBytesMax, ZSTD_LEVELS, type Zstd, zstd } from '../../base/zstd.ts'
import type { ValueStat } from '../../contract/types.ts'
import { tablesOf } from '../../state/tables.ts'
import { engineOf } from '../../store/engine-of.ts'
import type { Store } from '../../store/store.ts'

const VALUES = 256
const TABLES = 64
/** What is compressed by itself: the first of these decides for a value. */
const CHUNK_BYTES = 65536
/** A value is compressed if its first chunk comes to at most this share. */
const WORTH_SHARE = 7 / 8

/** Of the values that were looked at. */
export interface CodecSample {
  readonly values: number
  readonly compressed: number
  /** Bytes as they were given, and as they are stored. */
  readonly rawBytes: number
  readonly storedBytes: number
}

export interface CompressionSample extends CodecSample {
  /** As they would be stored, all compressed. */
  readonly compressedBytes: number
}

/** How values are stored. No value is read. */
export async function sampleCodecs(store: Store): Promise<CodecSample> {
  const sample = { values: 0, compressed: 0, rawBytes: 0, storedBytes: 0 }
  for await (const [, stat] of separatedValues(store)) add(sample, stat)
  return sample
}

/** The same, and what they would come to. Reads their first chunks. @returns undefined if nothing here can compress */
export async function sampleCompression(store: Store): Promise<CompressionSample | undefined> {
  const library = libraryOrNone()
  if (!library) return undefined
  const sample = { values: 0, compressed: 0, rawBytes: 0, storedBytes: 0, compressedBytes: 0 }
  for await (const [key, stat] of separatedValues(store)) {
    add(sample, stat)
    sample.compressedBytes += await compressedBytes(store, library, key, stat)
  }
  return sample
}

/**
 * What samples of sizes are as they were given. Reads the heads of their records.
 * @param keys with the size that was taken for each; one that is gone or inline by now is left out
 */
export async function sampleSizes(
  store: Store,
  keys: readonly { readonly key: Uint8Array; readonly taken: number }[],
): Promise<{ readonly taken: number; readonly given: number }[]> {
  const samples: { taken: number; given: number }[] = []
  for (const { key, taken } of keys) {
    const stat = await store.stat(key)
    if (stat && !stat.inline) samples.push({ taken, given: stat.size })
  }
  return samples
}

function libraryOrNone(): Zstd | undefined {
  try {
    return zstd()
  } catch (error) {
    if (error instanceof WiscError && error.code === 'WISC_CODEC_UNAVAILABLE') return undefined
    throw error
  }
}

async function* separatedValues(store: Store): AsyncGenerator<[Buffer, ValueStat], void> {
  const all = tablesOf(engineOf(store).version)
  const step = Math.max(1, Math.floor(all.length / TABLES))
  const tables = all.filter((_, i) => i % step === 0)
  const limit = Math.ceil(VALUES / Math.max(1, tables.length))
  for (const { smallestKey } of tables) {
    for await (const [key, stat] of store.entries({ gte: smallestKey, limit, values: 'stat' })) {
      if (!stat.inline && stat.size > 0) yield [key, stat]
    }
  }
}

function add(
  sample: { -readonly [Name in keyof CodecSample]: CodecSample[Name] },
  { codec, size, storedSize }: ValueStat,
): void {
  sample.values++
  if (codec !== 'none') sample.compressed++
  sample.rawBytes += size
  sample.storedBytes += storedSize
}

async function compressedBytes(
  store: Store,
  library: Zstd,
  key: Buffer,
  { codec, size, storedSize }: ValueStat,
): Promise<number> {
  if (codec !== 'none') return storedSize
  const chunk = await store.get(key, { length: CHUNK_BYTES })
  // Somebody has deleted it since.
  if (!chunk || chunk.length === 0) return storedSize
  const frame = new Uint8Array(frameBytesMax(chunk.length))
  const share = library.compress(frame, chunk, ZSTD_LEVELS.standard) / chunk.length
  return share <= WORTH_SHARE ? size * share : storedSize
}
