/** Streams, for the second reader: written from vlog/FORMAT.md section 10 alone. */
import { crc32 } from 'node:zlib'
import { checksum, must, mustKnow, u64 } from './second-reader-parts.ts'

const CHUNK = 65536
const GROUP_CHUNKS = 240

export interface Stream {
  readonly key: Buffer
  readonly value: Buffer
  readonly tableChecksum: number
}

/** All of it, proved. @throws Error for anything that the format does not allow */
export function readStream(bytes: Buffer, seed: number, name: string): Stream {
  const keyLength = bytes.readUInt32LE(64)
  must(keyLength <= 65536 && 64 + 16 + keyLength + 40 < bytes.length, `${name}: key`)
  proved(bytes, 64, 12 + keyLength, seed, name)
  mustKnow(bytes[68] === 0 && bytes.readUInt16LE(74) === 0, `${name}: head`)
  const key = bytes.subarray(76, 76 + keyLength)
  const footer = bytes.subarray(-40)
  must(footer.toString('latin1', 32) === 'wiscstr1', `${name}: footer magic`)
  must(footer.readUInt32LE(28) === crc32(footer.subarray(0, 28), seed), `${name}: footer checksum`)
  mustKnow(footer.readUInt16LE(26) === 0, `${name}: footer`)
  const size = u64(footer, 0)
  const chunks = Math.ceil(size / CHUNK)
  // F-V29
  const groups = Math.ceil(chunks / GROUP_CHUNKS)
  const length = 64 + 16 + keyLength + size + 4 * chunks + 4 * groups + 40
  must(size > 0 && u64(footer, 8) === bytes.length && length === bytes.length, `${name}: lengths`)
  const value: Buffer[] = []
  let table = 0
  let at = 80 + keyLength
  for (let left = size; left > 0; ) {
    const here = Math.min(left, GROUP_CHUNKS * CHUNK)
    const sums = proved(bytes, at + here, 4 * Math.ceil(here / CHUNK), seed, name)
    table = crc32(sums, table)
    for (let i = 0; i * CHUNK < here; i++) {
      const chunk = bytes.subarray(at + i * CHUNK, at + Math.min(here, (i + 1) * CHUNK))
      must(sums.readUInt32LE(4 * i) === checksum(chunk), `${name}: chunk ${i} of a group`)
      value.push(chunk)
    }
    at += here + sums.length + 4
    left -= here
  }
  must(table === footer.readUInt32LE(16), `${name}: table checksum`)
  return { key, value: Buffer.concat(value), tableChecksum: table }
}

function proved(bytes: Buffer, from: number, length: number, seed: number, name: string): Buffer {
  const at = Buffer.alloc(8)
  at.writeBigUInt64LE(BigInt(from))
  const content = bytes.subarray(from, from + length)
  const found = bytes.readUInt32LE(from + length)
  must(found === crc32(content, crc32(at, seed)), `${name}: checksum at ${from}`)
  return content
}
