/**
 * Values that are stored compressed: chunk by chunk, where that saves an eighth of the first chunk.
 *
 *   a value of one chunk, of the first in a turn of the event loop   compressed by the call that passes it
 *   more of them in a turn, or what takes long                       as a pack, by a job
 *   a value of several chunks                                        the same, pack by pack
 *
 * A batch for which a job works is `ready` when that has ended, and those behind it wait. A job that fails, because its
 * thread has died or the store closes, leaves values as they are.
 *
 * What does not compress is only sampled while it comes in a run: after each value in vain twice as many pass untried,
 * and the fastest level tells of the next one whether the run goes on, by its first chunk.
 * What the tree keeps is never compressed here. Callers' memory (borrowed) is held against its table as it is copied.
 */
import { ChangedValueError } from '../../vlog/log/piece-writer.ts'
import { ChunkTableBuilder, chunkSum, VALUE_CHUNK_BYTES } from '../../vlog/value-chunks.ts'
import { CODEC_ZSTD, compressChunk, type PackedChunks } from '../../vlog/value-codec.ts'
import { copyBytes, lengthOf } from '../base/bytes.ts'
import { checksum } from '../base/checksum.ts'
import { toWiscError } from '../base/errors.ts'
import { ZSTD_LEVELS, zstd } from '../base/zstd.ts'
import { KIND } from '../tree/entry.ts'
import { type Batch, resized, seal, writesOf } from './batch.ts'
import type { BatchQueue } from './batch-queue.ts'
import type { Write } from './write.ts'

/** Where packs are compressed. */
export interface PackCompressor {
  /** @returns the chunks as they are stored: one that gets no shorter is as it was given */
  compress(chunks: PackedChunks, level: number): Promise<PackedChunks>
}

/** What calls compress by themselves in a turn of the event loop, at the levels up to 3: some two milliseconds. */
const NOW_BYTES_MAX: number = 8 * VALUE_CHUNK_BYTES
/** What one job takes. */
const PACK_BYTES_MAX: number = 16 * VALUE_CHUNK_BYTES
/** Jobs at a time: what they hold is copied. */
const JOBS_MAX = 4
/** Of a run of values that do not compress one in so many is tried at least. */
const PASSED_MAX = 128
/** Kept is what has at most this share of its bytes. */
const WORTH_SHARE = 7 / 8

/** Batches whose values, of one chunk each, go together. */
interface Round {
  readonly batches: Batch[]
  readonly ready: Promise<void>
  bytes: number
}

export class Compression {
  readonly #level: number
  readonly #packs: PackCompressor
  readonly #queue: BatchQueue
  readonly #nowBytesMax: number
  /** Of these, in this turn. */
  #nowBytes = 0
  #nowArmed = false
  /** Values that pass untried, and how many will after the next one in vain: 1 outside of a run. */
  #passing = 0
  #passNext = 1
  #jobs = 0
  /** Packs for which there is no job yet, the first one first. */
  readonly #waiting: (() => void)[] = []
  /** The one that takes more yet. */
  #round: Round | undefined

  /** @param queue where batches wait until they are ready */
  constructor(level: number, packs: PackCompressor, queue: BatchQueue) {
    this.#level = level
    this.#packs = packs
    this.#queue = queue
    // Two levels more take about twice as long.
    this.#nowBytesMax = NOW_BYTES_MAX >> Math.max(0, (level - 2) >> 1)
  }

  /**
   * Compresses what is worth it, now or until the batch is ready. In the call that passes it.
   * @throws WISC_CODEC_UNAVAILABLE
   */
  begin(batch: Batch): void {
    const writes = writesOf(batch)
    if (writes.length === 1 && (!this.#isFor(writes[0]!) || this.#passes(writes[0]!))) return
    let bytes = 0
    let isLarge = false
    for (const write of writes) {
      if (!this.#isFor(write)) continue
      bytes += write.rawLength
      isLarge ||= write.rawLength > VALUE_CHUNK_BYTES
    }
    if (bytes === 0) return
    zstd()
    if (!isLarge && this.#takesNow(bytes)) {
      const made = Array.isArray(batch.writes)
        ? writes.map((write) => this.#compressedNow(write))
        : this.#compressedFirst(writes[0]!)
      if (made !== batch.writes) resized(batch, made)
      return
    }
    // What has to wait may change until it is read.
    seal(batch)
    if (isLarge || bytes > PACK_BYTES_MAX) batch.ready = this.#makeReady([batch])
    else this.#addToRound(batch, bytes)
  }

  #isFor({ entryKind, rawLength, compresses }: Write): boolean {
    return compresses && rawLength > 0 && entryKind === KIND.pointer
  }

  /** True if the calls of this turn have not yet compressed as much as they may. */
  #takesNow(bytes: number): boolean {
    if (this.#nowBytes + bytes > this.#nowBytesMax) return false
    this.#nowBytes += bytes
    if (!this.#nowArmed) {
      this.#nowArmed = true
      setImmediate(() => {
        this.#nowArmed = false
        this.#nowBytes = 0
      })
    }
    return true
  }

  /** True if a value stays as it is: it goes on with a run of others that were tried in vain. */
  #passes({ value, rawLength }: Write): boolean {
    if (this.#passing > 0) {
      this.#passing--
      return true
    }
    // What was transferred since it was passed is found out by who compresses it.
    if (this.#passNext === 1 || lengthOf(value) !== rawLength) return false
    const chunk = value.subarray(0, VALUE_CHUNK_BYTES)
    const frame = compressChunk(chunk, ZSTD_LEVELS.min)
    return !this.#isWorth(frame.length, chunk.length)
  }

  /** A write of at most one chunk as it is stored: compressed, or as it is. */
  #compressedNow(write: Write): Write {
    return !this.#isFor(write) || this.#passes(write) ? write : this.#compressedFirst(write)
  }

  /** The same of one that does not pass. */
  #compressedFirst(write: Write): Write {
    const frame = compressChunk(write.value, this.#level)
    return this.#isWorth(frame.length, write.rawLength) ? stored(write, copyBytes(frame)) : write
  }

  /** Judges a first chunk. */
  #isWorth(storedLength: number, rawLength: number): boolean {
    if (storedLength <= rawLength * WORTH_SHARE) {
      this.#passNext = 1
      return true
    }
    this.#passing = this.#passNext
    this.#passNext = Math.min(2 * this.#passNext, PASSED_MAX)
    return false
  }

  #addToRound(batch: Batch, bytes: number): void {
    if (this.#round && this.#round.bytes + bytes > PACK_BYTES_MAX) this.#round = undefined
    this.#round ??= this.#newRound()
    this.#round.batches.push(batch)
    this.#round.bytes += bytes
    batch.ready = this.#round.ready
  }

  #newRound(): Round {
    const batches: Batch[] = []
    const ready = Promise.resolve().then(() => {
      if (this.#round === round) this.#round = undefined
      return this.#makeReady(batches)
    })
    const round = { batches, ready, bytes: 0 }
    return round
  }

  /** Has batches write what is stored of their values. Never rejects: what cannot be written fails its batch. */
  async #makeReady(batches: readonly Batch[]): Promise<void> {
    const writes = batches.flatMap((batch) => Array.from(writesOf(batch)))
    const made = new Map<Write, Write>()
    let failure: unknown
    try {
      await this.#compressAll(writes, made)
    } catch (error) {
      failure = error
    }
    for (const batch of batches) {
      const before = batch.bytes
      const changed = Array.from(writesOf(batch), (write) => made.get(write) ?? write)
      resized(batch, Array.isArray(batch.writes) ? changed : changed[0]!)
      if (failure) batch.failure = toWiscError(failure)
      batch.ready = undefined
      this.#queue.resized(before, batch.bytes)
    }
  }

  /** @param made gets what is to be written instead. @throws ChangedValueError */
  async #compressAll(writes: readonly Write[], made: Map<Write, Write>): Promise<void> {
    const short: Write[] = []
    let bytes = 0
    for (const write of writes) {
      if (!this.#isFor(write) || this.#passes(write)) continue
      if (write.rawLength > VALUE_CHUNK_BYTES) {
        const large = await this.#compressedLarge(write)
        if (large) made.set(write, large)
        continue
      }
      if (bytes + write.rawLength > PACK_BYTES_MAX) {
        await this.#compressShort(short.splice(0), made)
        bytes = 0
      }
      short.push(write)
      bytes += write.rawLength
    }
    if (short.length > 0) await this.#compressShort(short, made)
  }

  async #compressShort(writes: readonly Write[], made: Map<Write, Write>): Promise<void> {
    const pack = await this.#compress(packOf(writes.map(({ value }) => value)))
    if (!pack) return
    let at = 0
    for (const [i, write] of writes.entries()) {
      const length = pack.lengths[i]!
      if (this.#isWorth(length, write.rawLength)) {
        made.set(write, stored(write, pack.bytes.subarray(at, at + length)))
      }
      at += length
    }
  }

  /** @returns undefined if it stays as it is */
  async #compressedLarge(write: Write): Promise<Write | undefined> {
    const { rawLength } = write
    const builder = new ChunkTableBuilder(rawLength)
    const packs: Uint8Array[] = []
    for (let from = 0; from < rawLength; from += PACK_BYTES_MAX) {
      const pack = await this.#compress(packOf(chunksOf(write, from)))
      if (!pack || (from === 0 && !this.#isWorth(pack.lengths[0]!, VALUE_CHUNK_BYTES))) return
      let at = 0
      for (const length of pack.lengths) {
        builder.add(pack.bytes.subarray(at, at + length))
        at += length
      }
      packs.push(pack.bytes)
    }
    const value = packs.length === 1 ? packs[0]! : Buffer.concat(packs)
    return stored(write, value, builder.finish())
  }

  /** @returns undefined if the job has failed */
  async #compress(pack: PackedChunks): Promise<PackedChunks | undefined> {
    if (this.#jobs < JOBS_MAX) this.#jobs++
    else await new Promise<void>((begin) => this.#waiting.push(begin))
    try {
      return await this.#packs.compress(pack, this.#level)
    } catch {
      // Values as they are lose nothing.
      return undefined
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#jobs--
    }
  }
}

/** The same write, of which the value is stored by a codec. @param table if it has several chunks */
function stored(write: Write, value: Uint8Array, table?: Uint8Array): Write {
  const storedLength = value.length + (table?.length ?? 0)
  return { ...write, value, table, codec: CODEC_ZSTD, storedLength, borrowed: false }
}

function packOf(chunks: readonly Uint8Array[]): PackedChunks {
  const lengths = Uint32Array.from(chunks, ({ length }) => length)
  // Memory of its own: a message copies all that lies beside a view.
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0))
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return { bytes, lengths }
}

/** Copies of the chunks of a pack, which must still be what was passed. @throws ChangedValueError */
function chunksOf({ value, rawLength, borrowed, table }: Write, from: number): Uint8Array[] {
  if (borrowed && lengthOf(value) !== rawLength) throw new ChangedValueError()
  const chunks: Uint8Array[] = []
  const end = Math.min(rawLength, from + PACK_BYTES_MAX)
  for (let at = from; at < end; at += VALUE_CHUNK_BYTES) {
    const chunk = copyBytes(value, at, Math.min(end, at + VALUE_CHUNK_BYTES))
    const index = at / VALUE_CHUNK_BYTES
    if (table !== undefined && checksum(chunk) !== chunkSum(table, rawLength, index)) {
      throw new ChangedValueError()
    }
    chunks.push(chunk)
  }
  return chunks
}
