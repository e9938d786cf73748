/** Tables, for the second reader: written from lib/tree/FORMAT.md section 2 alone. */
import { crc32 } from 'node:zlib'
import { checksum, must, u64, Varints } from './second-reader-parts.ts'

interface TableEntry {
  readonly key: Buffer
  readonly sequence: number
  /** Of kind 1. */
  readonly value: Buffer | undefined
  /** Of kind 2. */
  readonly pointer: Record<'segment' | 'offset' | 'length', number> | undefined
}

/** All entries of a table, in order. @throws Error for anything that the format does not allow */
export function* tableEntries(
  bytes: Buffer,
  seed: number,
  name: string,
  entryCount: number,
): Generator<TableEntry> {
  const footer = bytes.subarray(-72)
  must(footer.toString('latin1', 64) === 'wisctab1', `${name}: footer magic`)
  must(footer.readUInt32LE(60) === crc32(footer.subarray(0, 60), seed), `${name}: footer checksum`)
  must(u64(footer, 48) === bytes.length && footer.readUInt16LE(58) === 0, `${name}: footer`)
  const part = (at: number): Varints =>
    new Varints(block(bytes, seed, u64(footer, at), footer.readUInt32LE(at + 8), name))
  const [bounds, references, properties] = [part(12), part(24), part(36)]
  const segments: number[] = []
  for (let count = references.next(); count > 0; count--) {
    segments.push(references.next())
    references.next()
    references.next()
  }
  must(properties.next() === entryCount, `${name}: entries`)
  for (let i = 0; i < 5; i++) properties.next()
  const baseSequence = properties.next()
  let offset = 64
  for (let count = bounds.next(); count > 0; count--) {
    bounds.next()
    bounds.take(bounds.next())
    const length = bounds.next()
    yield* blockEntries(block(bytes, seed, offset, length, name), baseSequence, segments)
    offset += length + 5
  }
}

/** Section 2.3. */
function* blockEntries(
  content: Buffer,
  baseSequence: number,
  segments: readonly number[],
): Generator<TableEntry> {
  const restarts = content.readUInt32LE(content.length - 4)
  const fields = new Varints(content.subarray(0, content.length - 4 * (restarts + 1)))
  let key = Buffer.alloc(0)
  while (!fields.done) {
    const [shared, unshared] = [fields.next(), fields.next()]
    const kind = fields.take(1)[0]!
    must(kind <= 2, `entry of kind ${kind}`)
    const sequence = baseSequence + fields.next()
    key = Buffer.concat([key.subarray(0, shared), fields.take(unshared)])
    const value = kind === 1 ? fields.take(fields.next()) : undefined
    let pointer: TableEntry['pointer']
    if (kind === 2) {
      const segment = segments[fields.next()]!
      pointer = { segment, offset: fields.next(), length: fields.next() }
    }
    yield { key, sequence, value, pointer }
  }
}

/** F-T4. */
function block(bytes: Buffer, seed: number, offset: number, length: number, name: string): Buffer {
  must(offset + length + 5 <= bytes.length, `${name}: a block passes the end`)
  if (length === 0) return Buffer.alloc(0)
  let mark = (seed ^ (offset % 2 ** 32) ^ Math.imul(Math.floor(offset / 2 ** 32), 0x9e3779b1)) >>> 0
  mark = Math.imul(mark ^ (mark >>> 16), 0x85ebca6b)
  mark = Math.imul(mark ^ (mark >>> 13), 0xc2b2ae35)
  mark ^= mark >>> 16
  const expected = (checksum(bytes.subarray(offset, offset + length + 1)) ^ mark) >>> 0
  must(bytes.readUInt32LE(offset + length + 1) === expected, `${name}: block checksum at ${offset}`)
  must(bytes[offset + length] === 0, `${name}: codec at ${offset}`)
  return bytes.subarray(offset, offset + length)
}
