/**
 * The small parts of the second reader: integers, checksums, frame headers, blocks of tables, records.
 * Written from vlog/FORMAT.md and lib/tree/FORMAT.md alone, like second-reader.ts.
 */
import { createRequire } from 'node:module'
import zlib, { crc32 } from 'node:zlib'
import xxhash from 'xxhash-addon'

/** One zstd frame, by the package or the platform. */
function decompress(frame: Buffer): Buffer {
  const { zstdDecompressSync } = zlib as unknown as Decompressor
  if (zstdDecompressSync) return zstdDecompressSync(frame)
  return (createRequire(import.meta.url)('zstd-napi') as Zstd).decompress(frame)
}

interface Decompressor {
  readonly zstdDecompressSync?: (frame: Buffer) => Buffer
}

interface Zstd {
  decompress(frame: Buffer): Buffer
}

export interface Position {
  readonly ordinal: number
  readonly offset: number
}

export interface Frame {
  readonly offset: number
  readonly length: number
  readonly firstSequence: number
  readonly recordCount: number
  readonly durable: Position
  readonly durableEdit: number
}

export interface Entry {
  readonly key: Buffer
  readonly sequence: number
  readonly value: Buffer | undefined
  /** Milliseconds since 1970; 0: it never expires. */
  readonly expiresAt: number
  /** The value says which stream has it. */
  readonly isStream?: true
  /** From the key on all keys below the value are deleted, which has no bytes where all are. */
  readonly isRange?: true
}

export function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what)
}

/** Something that proves itself and is of a newer version: no torn tail. */
export class NewerVersion extends Error {}

export function mustKnow(condition: boolean, what: string): asserts condition {
  if (!condition) throw new NewerVersion(`${what} of another version`)
}

export function u64(bytes: Buffer, at: number): number {
  const value = Number(bytes.readBigUInt64LE(at))
  must(value <= Number.MAX_SAFE_INTEGER, 'integer beyond 2^53 - 1')
  return value
}

/** vlog/FORMAT.md section 1. */
export function checksum(bytes: Buffer): number {
  return bytes.length < 2048 ? crc32(bytes) : xxhash.XXHash3.hash(bytes).readUInt32BE(4)
}

export function isBefore(left: Position, right: Position): boolean {
  return left.ordinal === right.ordinal ? left.offset < right.offset : left.ordinal < right.ordinal
}

/** lib/tree/FORMAT.md section 1. */
export class Varints {
  readonly bytes: Buffer
  at: number

  constructor(bytes: Buffer) {
    this.bytes = bytes
    this.at = 0
  }

  get done(): boolean {
    return this.at >= this.bytes.length
  }

  next(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      must(!this.done && scale < 128 ** 8, 'varint passes its end')
      const byte = this.bytes[this.at++]!
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }

  take(length: number): Buffer {
    must(length <= this.bytes.length - this.at, 'bytes pass their end')
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }
}

/** F-M4: those with which a field of an edit ends, by their tags. */
export function readExtensions(field: Varints, known: readonly number[]): Map<number, Buffer> {
  const extensions = new Map<number, Buffer>()
  for (let before = 0; !field.done; ) {
    const tag = field.next()
    must(tag > before && (tag % 2 === 1 || known.includes(tag)), `extension ${tag}`)
    extensions.set(tag, field.take(field.next()))
    before = tag
  }
  return extensions
}

/** The frame header at an offset, if there is one (section 3 of vlog/FORMAT.md). */
export function frameAt(bytes: Buffer, seed: number, offset: number): Frame | undefined {
  if (offset + 64 > bytes.length || bytes.toString('latin1', offset, offset + 4) !== 'frm1')
    return undefined
  const fields = bytes.subarray(offset, offset + 64)
  if (fields.readUInt32LE(4) !== crc32(fields.subarray(8), seed) || u64(fields, 8) !== offset)
    return undefined
  mustKnow(fields.readUInt16LE(38) === 0, 'frame')
  return {
    offset,
    length: u64(fields, 16),
    firstSequence: u64(fields, 24),
    recordCount: fields.readUInt32LE(32),
    durable: { ordinal: u64(fields, 40), offset: u64(fields, 48) },
    durableEdit: u64(fields, 56),
  }
}

/** Frame headers anywhere from an offset on. */
export function* framesBehind(bytes: Buffer, seed: number, from: number): Generator<Frame> {
  for (
    let at = bytes.indexOf('frm1', from, 'latin1');
    at >= 0;
    at = bytes.indexOf('frm1', at + 1, 'latin1')
  ) {
    const frame = frameAt(bytes, seed, at)
    if (frame) yield frame
  }
}

export function identityBytes(databaseId: Buffer, number: number, salt: number): Buffer {
  const bytes = Buffer.alloc(28)
  databaseId.copy(bytes)
  bytes.writeBigUInt64LE(BigInt(number), 16)
  bytes.writeUInt32LE(salt, 24)
  return bytes
}

interface Head {
  readonly kind: number
  readonly key: Buffer
  readonly sequence: number
  readonly codec: number
  readonly expiresAt: number
  readonly checksum: number
  readonly rawLength: number
  readonly valueAt: number
  /** Of the whole record. */
  readonly length: number
}

/** Section 4 of vlog/FORMAT.md: the head of the record that begins with the first byte. Its value may be a hole. */
export function readHead(bytes: Buffer): Head {
  must(bytes.length >= 40, 'record: cut off')
  const [kind, codec, keyLength] = [bytes[8]!, bytes[9], bytes.readUIntLE(12, 3)]
  const [valueLength, rawLength] = [u64(bytes, 24), u64(bytes, 32)]
  // F-V24: whatever kind, codec and flags are.
  const valueAt = 40 + bytes[15]! + keyLength
  must(keyLength <= 65536 && valueAt + valueLength <= bytes.length, 'record: lengths')
  const checksum = bytes.readUInt32LE(0)
  must(checksum === crc32(bytes.subarray(8, valueAt)), 'record: header checksum')
  mustKnow(kind >= 1 && kind <= 4 && codec! <= 1 && bytes[11]! <= 1, 'record')
  // F-V22
  const expires = bytes[11] === 1
  mustKnow(!expires || (bytes[15]! >= 9 && bytes[40] === 8), 'record: expiry')
  const expiresAt = expires ? u64(bytes, 41) : 0
  const most = tableLength(rawLength) + rawLength
  must(codec === 0 ? valueLength === most : valueLength <= most, 'record: length')
  // F-V10
  const lengths = [undefined, 0, 20][kind - 1]
  must(lengths === undefined || lengths === valueLength, 'record: length for its kind')
  must(kind !== 4 || rawLength <= 65536, 'record: end of a range')
  const key = bytes.subarray(valueAt - keyLength, valueAt)
  const length = valueAt + valueLength
  return {
    kind,
    codec: codec!,
    key,
    sequence: u64(bytes, 16),
    expiresAt,
    checksum,
    rawLength,
    valueAt,
    length,
  }
}

function chunksOf(rawLength: number): number {
  return Math.max(1, Math.ceil(rawLength / 65536))
}

/** Section 5. */
function tableLength(rawLength: number): number {
  const chunks = chunksOf(rawLength)
  const blocks = Math.ceil(chunks / 511)
  return chunks === 1 ? 0 : (blocks > 1 ? 4 * blocks : 0) + 8 * blocks + 8 * chunks
}

/** Section 5: the value that is stored in these bytes, whose first piece has this checksum. */
function readValue(stored: Buffer, codec: number, rawLength: number, firstSum: number): Buffer {
  const chunks = chunksOf(rawLength)
  if (chunks === 1) {
    must(firstSum === checksum(stored), 'record: value checksum')
    return readChunk(stored, codec, rawLength)
  }
  const table = stored.subarray(0, tableLength(rawLength))
  const blocks = Math.ceil(chunks / 511)
  const root = table.subarray(0, blocks > 1 ? 4 * blocks : 0)
  must(blocks === 1 || firstSum === checksum(root), 'record: root of the table')
  const given: Buffer[] = []
  let start = 0
  for (let block = 0, at = root.length; block < blocks; block++) {
    const end = Math.min(table.length, at + 4096)
    const sum = blocks === 1 ? firstSum : root.readUInt32LE(4 * block)
    must(sum === checksum(table.subarray(at, end)), `record: block ${block}`)
    must(start === u64(table, at), `record: start of block ${block}`)
    for (at += 8; at < end; at += 8) {
      const length = table.readUInt32LE(at)
      const raw = Math.min(65536, rawLength - 65536 * given.length)
      const chunk = stored.subarray(table.length + start, table.length + start + length)
      must(table.readUInt32LE(at + 4) === checksum(chunk), `record: chunk ${given.length}`)
      given.push(readChunk(chunk, codec, raw))
      start += length
    }
  }
  must(table.length + start === stored.length, 'record: chunks')
  return Buffer.concat(given)
}

/** Section 5: a chunk as it was given. */
function readChunk(stored: Buffer, codec: number, rawLength: number): Buffer {
  must(codec === 0 ? stored.length === rawLength : stored.length <= rawLength, 'record: chunk')
  if (stored.length === rawLength) return stored
  const given = decompress(stored)
  must(given.length === rawLength, 'record: decompressed chunk')
  return given
}

/** The record that begins with the first byte. */
export function readRecord(bytes: Buffer, sequence: number): { entry: Entry; length: number } {
  const { kind, key, checksum: headerChecksum, valueAt, length, ...head } = readHead(bytes)
  must(head.sequence === sequence, 'record: sequence or length')
  const firstSum = (bytes.readUInt32LE(4) ^ headerChecksum) >>> 0
  const value = readValue(bytes.subarray(valueAt, length), head.codec, head.rawLength, firstSum)
  const { expiresAt } = head
  const entry = { key, sequence, value: kind === 2 ? undefined : value, expiresAt }
  if (kind === 4) return { entry: { ...entry, isRange: true }, length }
  return { entry: kind === 3 ? { ...entry, isStream: true } : entry, length }
}
