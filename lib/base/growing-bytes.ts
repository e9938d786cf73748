/**
 * Bytes that grow at their end: where blocks are built. The memory stays when they are emptied, for
 * the next block.
 */
import { copyRange } from './bytes.ts'
import { VARINT_BYTES_MAX, writeVarint } from './varint.ts'

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
    copyRange(this.bytes, 0, this.length, grown, 0)
    this.bytes = grown
  }

  appendByte(value: number): void {
    this.reserve(1)
    this.bytes[this.length++] = value
  }

  appendVarint(value: number): void {
    this.reserve(VARINT_BYTES_MAX)
    this.length = writeVarint(this.bytes, this.length, value)
  }

  append(source: Uint8Array, start: number, end: number): void {
    this.reserve(end - start)
    copyRange(source, start, end, this.bytes, this.length)
    this.length += end - start
  }
}
