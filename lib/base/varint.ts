/**
 * Varints: unsigned integers of 0 to 2^53 - 1 in groups of seven bits, low group first, the high bit of a
 * byte says that another follows. At most eight bytes; the shortest form only (a last byte of 0 is refused).
 *
 * 0 is 00, 127 is 7f, 128 is 80 01, 2^53 - 1 is ff ff ff ff ff ff ff 0f.
 */
import { assert } from './errors.ts'

export const VARINT_BYTES_MAX = 8
const COUNT_MAX = 2 ** 31 - 1

/** Bytes that {@link writeVarint} needs. */
export function varintLength(value: number): number {
  let length = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++
  return length
}

/** @returns the offset behind the varint */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let to = at
  let high = value
  while (high >= 0x10000000) {
    bytes[to++] = (high % 128) | 128
    high = Math.floor(high / 128)
  }
  // A 32-bit integer from here on, and known as one: shifts of what may be a double take twice as long.
  let rest = high | 0
  while (rest >= 128) {
    bytes[to++] = (rest & 127) | 128
    rest >>>= 7
  }
  bytes[to++] = rest
  return to
}

/** The varint at `at`; not checked. {@link skipVarint} says where it ends. */
export function readVarint(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!
  if (first < 128) return first
  // 32-bit integers as long as they do.
  let low = first & 127
  let to = at + 1
  for (let shift = 7; shift < 28; shift += 7) {
    const byte = bytes[to++]!
    low |= (byte & 127) << shift
    if (byte < 128) return low
  }
  let value = low
  let scale = 2 ** 28
  for (let byte = 128; byte >= 128; scale *= 128) {
    byte = bytes[to++]!
    value += (byte & 127) * scale
  }
  return value
}

/** As {@link readVarint}, for what counts bytes or places in memory: a 32-bit integer, the largest for all above. */
export function readCount(bytes: Uint8Array, at: number): number {
  const value = readVarint(bytes, at)
  return value <= COUNT_MAX ? value | 0 : COUNT_MAX
}

/** The offset behind the varint at `at`. It may lie behind the block: the caller checks. */
export function skipVarint(bytes: Uint8Array, at: number): number {
  let to = at
  while (bytes[to]! >= 128) to++
  return to + 1
}

/**
 * Reads varints one behind the other from a range of bytes.
 * A varint that is too long, not in its shortest form, or that passes the end sets `failed` and reads as 0,
 * so that a decoder can test once at its end.
 */
export class VarintReader {
  bytes: Uint8Array
  at: number
  end: number
  failed = false

  constructor(bytes: Uint8Array, at: number = 0, end: number = bytes.length) {
    assert(at <= end && end <= bytes.length, 'varint range inside its bytes')
    this.bytes = bytes
    this.at = at
    this.end = end
  }

  next(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < VARINT_BYTES_MAX && this.at < this.end; i++) {
      const byte = this.bytes[this.at++]!
      value += (byte & 127) * scale
      if (byte < 128) {
        if ((byte === 0 && i > 0) || value > Number.MAX_SAFE_INTEGER) break
        return value
      }
      scale *= 128
    }
    this.failed = true
    return 0
  }

  /** Passes over `length` bytes, or sets `failed`. */
  skip(length: number): void {
    if (length > this.end - this.at) this.failed = true
    else this.at += length
  }

  /** A view of the next `length` bytes, or an empty one and `failed`. */
  nextBytes(length: number): Uint8Array {
    if (length > this.end - this.at) {
      this.failed = true
      return this.bytes.subarray(this.at, this.at)
    }
    const from = this.at
    this.at += length
    return this.bytes.subarray(from, this.at)
  }
}
