/**
 * Values that are stored compressed: chunk by chunk, where that saves an eighth of the first chunk.
 *
 *   a value of one chunk, of the first in a turn   compressed by the call that passes it
 *   anything more                                  in later turns of the event loop, two milliseconds in each: the
 *                                                  batch is `ready` then, and those behind it wait
 *
 * What does not compress is only sampled while it comes in a run: after each value in vain twice as many pass untried.
 * What the tree keeps is never compressed here. Callers' memory (borrowed) is held against its table as it is read.
 */
import { ChangedValueError } from '../../vlog/log/piece-writer.ts'
import { ChunkTableBuilder, chunkSum, VALUE_CHUNK_BYTES } from '../../vlog/value-chunks.ts'
import { CODEC_ZSTD, compressChunk } from '../../vlog/value-codec.ts'
import { copyBytes, lengthOf } from '../base/bytes.ts'
import { checksum } from '../base/checksum.ts'
import { toWiscError } from '../base/errors.ts'
import { zstd } from '../base/zstd.ts'
import { entryKind } from '../state/memtables.ts'
import { KIND } from '../tree/entry.ts'
import { type Batch, resized, seal, type Write, writesOf } from './batch.ts'
import type { BatchQueue } from './batch-queue.ts'

/** What calls compress by themselves in a turn of the event loop, at the levels up to 3: two milliseconds or less. */
const NOW_BYTES_MAX: number = 8 * VALUE_CHUNK_BYTES
/** What is done in a later turn ends when it has taken so long; a chunk takes up to 1 ms at level 9, 15 at level 19. */
const SLICE_MS = 2
/** Of a run of values that do not compress one in so many is tried at least. */
const PASSED_MAX = 64
/** Kept is what has at most this share of its bytes. */
const WORTH_SHARE = 7 / 8

/** Yields after each chunk. */
type Steps = Generator<void, void>

export class Compression {
  readonly #level: number
  readonly #valueThreshold: number
  readonly #nowBytesMax: number
  /** Of these, in this turn. */
  #nowBytes = 0
  #nowArmed = false
  /** Values that pass untried, and how many will after the next one in vain. */
  #passing = 0
  #passNext = 1
  /** What is done in later turns, the first one first. */
  readonly #works: Steps[] = []

  constructor(level: number, valueThreshold: number) {
    this.#level = level
    this.#valueThreshold = valueThreshold
    // Two levels more take about twice as long.
    this.#nowBytesMax = NOW_BYTES_MAX >> Math.max(0, (level - 2) >> 1)
  }

  /**
   * Compresses what is worth it, now or until the batch is ready. In the call that passes it.
   * @param queue where it waits until it is ready
   * @throws WISC_CODEC_UNAVAILABLE
   */
  begin(batch: Batch, queue: BatchQueue): void {
    const writes = writesOf(batch)
    let bytes = 0
    let isLarge = false
    for (const write of writes) {
      if (!this.#isFor(write)) continue
      bytes += write.rawBytes
      isLarge ||= write.rawBytes > VALUE_CHUNK_BYTES
    }
    if (bytes === 0 || (writes.length === 1 && this.#passes())) return
    zstd()
    if (!isLarge && this.#takesNow(bytes)) {
      const made = writes.map((write) => this.#compressedNow(write))
      resized(batch, Array.isArray(batch.writes) ? made : made[0]!)
      return
    }
    // What has to wait may change until it is read.
    seal(batch)
    batch.ready = new Promise((resolve) => {
      this.#works.push(this.#work(batch, queue, resolve))
      if (this.#works.length === 1) setImmediate(() => this.#slice())
    })
  }

  #isFor({ kind, rawBytes }: Write): boolean {
    return rawBytes > 0 && entryKind(kind, rawBytes, this.#valueThreshold) === KIND.pointer
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

  /** True if the next value is not tried: others before it were tried in vain. */
  #passes(): boolean {
    if (this.#passing === 0) return false
    this.#passing--
    return true
  }

  #slice(): void {
    const end = performance.now() + SLICE_MS
    while (this.#works.length > 0) {
      if (this.#works[0]!.next().done) this.#works.shift()
      if (performance.now() >= end) break
    }
    if (this.#works.length > 0) setImmediate(() => this.#slice())
  }

  *#work(batch: Batch, queue: BatchQueue, resolve: () => void): Steps {
    const { bytes } = batch
    try {
      const writes: Write[] = []
      // A list of its own: `writesOf` is for one use.
      for (const write of Array.from(writesOf(batch))) {
        if (write.rawBytes > VALUE_CHUNK_BYTES) writes.push(yield* this.#compressed(write))
        else writes.push(this.#compressedNow(write))
        yield
      }
      resized(batch, Array.isArray(batch.writes) ? writes : writes[0]!)
    } catch (error) {
      batch.failure = toWiscError(error)
    }
    batch.ready = undefined
    queue.resized(bytes, batch.bytes)
    resolve()
  }

  /** A write of at most one chunk as it is stored: compressed, or as it is. */
  #compressedNow(write: Write): Write {
    if (!this.#isFor(write) || this.#passes()) return write
    const frame = this.#firstFrame(write)
    if (frame === undefined) return write
    const { kind, key, rawBytes } = write
    const value = copyBytes(frame)
    const valueBytes = value.length
    const codec = CODEC_ZSTD
    const unset = { borrowed: false, stream: undefined, table: undefined }
    return { kind, key, value, valueBytes, rawBytes, codec, ...unset }
  }

  /** The same of a write of more. */
  *#compressed(write: Write): Generator<void, Write> {
    if (!this.#isFor(write) || this.#passes() || !this.#firstFrame(write)) return write
    const { rawBytes } = write
    // Pages that are not written take no memory.
    const stored = new Uint8Array(rawBytes)
    const builder = new ChunkTableBuilder(rawBytes)
    let end = 0
    for (let from = 0; from < rawBytes; from += VALUE_CHUNK_BYTES) {
      const frame = this.#frameOf(write, from)
      const chunk = write.value.subarray(from, from + VALUE_CHUNK_BYTES)
      const start = end
      end += Math.min(frame.length, chunk.length)
      stored.set(frame.length < chunk.length ? frame : chunk, start)
      builder.add(stored.subarray(start, end))
      yield
    }
    const value = stored.subarray(0, end)
    const table = builder.finish()
    return { ...write, value, valueBytes: end, codec: CODEC_ZSTD, borrowed: false, table }
  }

  /** The frame of the first chunk, if it is worth it. */
  #firstFrame(write: Write): Uint8Array | undefined {
    const frame = this.#frameOf(write, 0)
    if (frame.length <= Math.min(write.rawBytes, VALUE_CHUNK_BYTES) * WORTH_SHARE) {
      this.#passNext = 1
      return frame
    }
    this.#passing = this.#passNext
    this.#passNext = Math.min(2 * this.#passNext, PASSED_MAX)
    return undefined
  }

  /** The frame of a chunk, which must still be what was passed; valid until the next call. */
  #frameOf({ value, rawBytes, borrowed, table }: Write, from: number): Uint8Array {
    if (borrowed && lengthOf(value) !== rawBytes) throw new ChangedValueError()
    const chunk = value.subarray(from, from + VALUE_CHUNK_BYTES)
    const isSame =
      table === undefined || checksum(chunk) === chunkSum(table, rawBytes, from / VALUE_CHUNK_BYTES)
    if (!isSame) throw new ChangedValueError()
    return compressChunk(chunk, this.#level)
  }
}
