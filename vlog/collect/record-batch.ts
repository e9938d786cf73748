/**
 * Live records of victims in memory, a batch at a time: gathered in key order, read in that of places.
 *
 *   order of keys    b1 b2 b3 b4 | next batch ...
 *   order of places  b3 b1 . b4 b2                    small gaps are read along
 *
 * Data plane: nothing is allocated for a record.
 */
import { giveBuffer, takeBuffer } from '../../lib/base/buffer-pool.ts'
import type { VictimFiles } from './victim-files.ts'
import { emptyVictimRecord, type VictimRecord } from './victim-page.ts'
import type { VictimRecords } from './victim-records.ts'

/** The most records of a batch, and their bytes. */
const BATCH_RECORDS = 4096
const BATCH_BYTES = 4 * 1024 * 1024
/** Room for gaps that are read along. */
const GAPS_BYTES = 1024 * 1024
/** Records that lie this close are read in one go. */
const GAP_BYTES_MAX = 8192
/** What a slice reads, and in how many reads: about a millisecond. */
const SLICE_BYTES = 1024 * 1024
const SLICE_READS = 512
/** Longer records come in no batch. */
export const BATCHED_RECORD_BYTES_MAX: number = 1024 * 1024

export class RecordBatch {
  /** Records in the batch; what follows is of each one, in key order. */
  count = 0
  readonly positions: Uint32Array = new Uint32Array(BATCH_RECORDS)
  readonly lengths: Float64Array = new Float64Array(BATCH_RECORDS)
  /** Where it lies in the buffer, once it is read. */
  readonly slots: Uint32Array = new Uint32Array(BATCH_RECORDS)
  readonly buffer: Uint8Array = takeBuffer(BATCH_BYTES + GAPS_BYTES)

  readonly #records: VictimRecords
  readonly #files: VictimFiles
  /** Where each file begins when all lie in one line, and where each record does. */
  readonly #starts: Float64Array
  readonly #places: Float64Array = new Float64Array(BATCH_RECORDS)
  readonly #fileIndexes: Uint32Array = new Uint32Array(BATCH_RECORDS)
  /** Indexes in the batch, in the order of places. */
  readonly #order: Uint32Array = new Uint32Array(BATCH_RECORDS)
  readonly #record: VictimRecord = emptyVictimRecord()
  #bytes = 0

  constructor(records: VictimRecords, files: VictimFiles) {
    this.#records = records
    this.#files = files
    this.#starts = new Float64Array(records.files.length + 1)
    for (const [i, { length }] of records.files.entries()) {
      this.#starts[i + 1] = this.#starts[i]! + length
    }
  }

  /** Gives up the buffer; nothing may be called any more. */
  close(): void {
    giveBuffer(this.buffer)
  }

  /**
   * Makes a batch of what lives from a position on.
   * @returns the position behind it: the end, or that of a record for another batch or for none
   */
  gather(from: number): number {
    const records = this.#records
    const record = this.#record
    this.count = 0
    this.#bytes = 0
    for (let position = from; position < records.count; position++) {
      if (!records.isLiveAt(position)) continue
      records.loadAt(position, record)
      const { length, file, place } = record
      const isFull = this.count === BATCH_RECORDS || this.#bytes + length > BATCH_BYTES
      if (isFull || length > BATCHED_RECORD_BYTES_MAX) return position
      const i = this.count++
      this.positions[i] = position
      this.lengths[i] = length
      this.#places[i] = this.#starts[file]! + place
      this.#fileIndexes[i] = file
      this.#order[i] = i
      this.#bytes += length
    }
    return records.count
  }

  /** Reads the batch into the buffer. Yields the bytes of each slice. */
  *readSlices(): Generator<number, void> {
    const files = this.#files
    const places = this.#places
    this.#order.subarray(0, this.count).sort((left, right) => places[left]! - places[right]!)
    let spare = GAPS_BYTES
    let filled = 0
    let before = files.bytesRead
    let reads = 0
    for (let from = 0; from < this.count; ) {
      const to = this.#runEnd(from, spare)
      const bytes = this.#readRun(from, to, filled)
      filled += bytes
      spare -= bytes
      for (; from < to; from++) spare += this.lengths[this.#order[from]!]!
      if (files.bytesRead - before < SLICE_BYTES && ++reads < SLICE_READS) continue
      yield files.bytesRead - before
      before = files.bytesRead
      reads = 0
    }
    yield files.bytesRead - before
  }

  /** The end, in the order of places, of what is read together with the record at `from`. */
  #runEnd(from: number, spare: number): number {
    const order = this.#order
    const first = order[from]!
    const file = this.#fileIndexes[first]!
    const start = this.#places[first]!
    let end = start + this.lengths[first]!
    let gaps = 0
    let to = from + 1
    for (; to < this.count && end - start < SLICE_BYTES; to++) {
      const next = order[to]!
      const gap = this.#places[next]! - end
      gaps += gap
      if (this.#fileIndexes[next] !== file || gap > GAP_BYTES_MAX || gaps > spare) break
      end = this.#places[next]! + this.lengths[next]!
    }
    return to
  }

  /** Reads records from .. to, in the order of places, to buffer[at ..]. @returns the bytes, gaps included */
  #readRun(from: number, to: number, at: number): number {
    const order = this.#order
    const first = order[from]!
    const last = order[to - 1]!
    const start = this.#places[first]!
    const length = this.#places[last]! + this.lengths[last]! - start
    for (let i = from; i < to; i++) this.slots[order[i]!] = at + (this.#places[order[i]!]! - start)
    const file = this.#fileIndexes[first]!
    this.#files.read(file, this.buffer, at, length, start - this.#starts[file]!)
    return length
  }
}
