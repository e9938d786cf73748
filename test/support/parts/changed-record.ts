/** Records as newer versions may write them, made of those that this one has written. The length stays. */
import { crc32 } from 'node:zlib'
import { checksum } from '#dist/lib/base/checksum.js'

const CHUNK_BYTES = 65536

/** Where the record at bytes[at ..] has its key and its value, and where it ends. */
function placesOf(bytes: Buffer, at: number): { key: number; value: number; end: number } {
  const length = bytes.readUIntLE(at + 24, 6)
  const sums = 4 * Math.max(0, Math.ceil(length / CHUNK_BYTES) - 1)
  const key = at + 40 + bytes[at + 15]! + sums
  const value = key + bytes.readUIntLE(at + 12, 3)
  return { key, value, end: value + length }
}

/** Gives the record at bytes[at ..] its checksums. */
export function proveAgain(bytes: Buffer, at: number): void {
  const { key, value, end } = placesOf(bytes, at)
  const sums: number[] = []
  for (let from = value; from < end || sums.length === 0; from += CHUNK_BYTES) {
    sums.push(checksum(bytes.subarray(from, Math.min(end, from + CHUNK_BYTES))))
  }
  sums.slice(1).forEach((sum, i) => {
    bytes.writeUInt32LE(sum, key - 4 * (sums.length - 1 - i))
  })
  const head = crc32(bytes.subarray(at + 8, value))
  bytes.writeUInt32LE(head, at)
  bytes.writeUInt32LE((head ^ sums[0]!) >>> 0, at + 4)
}

/**
 * Gives the record at bytes[at ..] an optional field, which takes its bytes from the front of the value.
 * @returns the value that is left
 */
export function addOption(
  bytes: Buffer,
  at: number,
  half: 'ignore' | 'refuse',
  option: Buffer,
): Buffer {
  const places = placesOf(bytes, at)
  const key = Buffer.from(bytes.subarray(places.key, places.value))
  const value = Buffer.from(bytes.subarray(places.value + 1 + option.length, places.end))
  bytes[at + (half === 'ignore' ? 10 : 11)] = 0x80
  bytes[at + 15] = 1 + option.length
  bytes.writeUIntLE(value.length, at + 24, 6)
  bytes.writeUIntLE(value.length, at + 32, 6)
  bytes[at + 40] = option.length
  option.copy(bytes, at + 41)
  key.copy(bytes, placesOf(bytes, at).key)
  proveAgain(bytes, at)
  return value
}
