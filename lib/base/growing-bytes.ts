/**
 * Bytes that grow at their end: where blocks are built. The memory stays when they are emptied, for
 * the next block.
 */
import { VARINT_BYTES_MAX, writeVarint } from './varint.ts'

/** Below this a loop copies faster than a view and a call. */
const LOOP_COPY_BYTES = 32

export class GrowingBytes {
  /** The memory; replaced when it grows. */
  bytes: Uint8Array
  /** Bytes in use. */
  length = 0

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity)
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count
    if (needed <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2))
    copyBytes(this.bytes, 0, this.length, grown, 0)
    this.bytes = grown
  }

  appendVarint(value: number): void {
    this.reserve(VARINT_BYTES_MAX)
    this.length = writeVarint(this.bytes, this.length, value)
  }

  append(source: Uint8Array, start: number, end: number): void {
    this.reserve(end - start)
    copyBytes(source, start, end, this.bytes, this.length)
    this.length += end - start
  }
}

/** Copies source[start .. end) to `target` from `at` on. */
export function copyBytes(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): void {
  if (end - start > LOOP_COPY_BYTES) {
    target.set(source.subarray(start, end), at)
    return
  }
  let to = at
  for (let from = start; from < end; from++) target[to++] = source[from]!
}
