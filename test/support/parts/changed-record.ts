/** Records as newer versions may write them, made of those that this one has written. The length stays. */
import { crc32 } from 'node:zlib'
import { checksum } from '#dist/lib/base/checksum.js'

const CHUNK_BYTES = 65536

/** Where the record at bytes[at ..] has its key and its value, and where it ends. */
function placesOf(
  bytes: Buffer,
  at: number,
): { key: number; table: number; value: number; end: number } {
  const key = at + 40 + bytes[at + 15]!
  const table = key + bytes.readUIntLE(at + 12, 3)
  const end = table + bytes.readUIntLE(at + 24, 6)
  return { key, table, value: end - bytes.readUIntLE(at + 32, 6), end }
}

/** The table of a value of at most 511 chunks. */
function tableOf(value: Buffer): Buffer {
  const chunks = Math.ceil(value.length / CHUNK_BYTES)
  if (chunks <= 1) return Buffer.alloc(0)
  const table = Buffer.alloc(8 + 8 * chunks)
  for (let chunk = 0; chunk < chunks; chunk++) {
    const bytes = value.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES)
    table.writeUInt32LE(bytes.length, 8 + 8 * chunk)
    table.writeUInt32LE(checksum(bytes), 12 + 8 * chunk)
  }
  return table
}

/** Gives the record at bytes[at ..] its checksums. */
export function proveAgain(bytes: Buffer, at: number): void {
  const { table, value, end } = placesOf(bytes, at)
  const tableBytes = tableOf(bytes.subarray(value, end))
  if (table + tableBytes.length === value) tableBytes.copy(bytes, table)
  const first = value > table ? bytes.subarray(table, value) : bytes.subarray(value, end)
  const head = crc32(bytes.subarray(at + 8, table))
  bytes.writeUInt32LE(head, at)
  bytes.writeUInt32LE((head ^ checksum(first)) >>> 0, at + 4)
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
  const key = Buffer.from(bytes.subarray(places.key, places.table))
  const value = Buffer.from(bytes.subarray(places.value + 1 + option.length, places.end))
  bytes[at + (half === 'ignore' ? 10 : 11)] = 0x80
  bytes[at + 15] = 1 + option.length
  bytes.writeUIntLE(places.end - places.table - 1 - option.length, at + 24, 6)
  bytes.writeUIntLE(value.length, at + 32, 6)
  bytes[at + 40] = option.length
  option.copy(bytes, at + 41)
  key.copy(bytes, placesOf(bytes, at).key)
  proveAgain(bytes, at)
  return value
}
