/**
 * The items of a dump (a header, a frame, a record, an entry ...), each with the fields of the FORMAT pages, under
 * their names and with their places in the file.
 *
 * One description serves both kinds of dump: record by record it shows the values of the fields that mean something,
 * byte by byte all of them.
 */
import { hex32, readU16, readU32, readU64 } from '../../base/bytes.ts'
import { VarintReader } from '../../base/varint.ts'

/** `undefined`: bytes that may be many; whoever wants them reads them at the field's place. */
export type FieldValue = number | string | Uint8Array | readonly number[] | undefined

export interface Field {
  readonly name: string
  /** In the file. */
  readonly offset: number
  readonly length: number
  readonly value: FieldValue
  /** Shown byte by byte only: magic numbers, checksums, reserved bytes. */
  readonly isDetail: boolean
}

export interface Item {
  readonly what: string
  readonly offset: number
  readonly length: number
  readonly fields: readonly Field[]
  /** What is wrong with these bytes; what is missing counts, too. */
  readonly damage?: { readonly code: string; readonly reason: string }
}

export function damageItem(
  offset: number,
  end: number,
  reason: string,
  code = 'WISC_CORRUPTION',
): Item {
  return { what: 'damage', offset, length: end - offset, fields: [], damage: { code, reason } }
}

/** Reads the fields of one item, one behind the other. */
export class FieldReader {
  readonly #bytes: Uint8Array
  readonly #varints: VarintReader
  /** The offset in the file of index 0 of the bytes. */
  readonly #base: number
  readonly #start: number
  readonly fields: Field[] = []

  /** @param offset where bytes[at] lies in the file */
  constructor(bytes: Uint8Array, at: number, offset: number, end: number = bytes.length) {
    this.#bytes = bytes
    this.#varints = new VarintReader(bytes, at, end)
    this.#base = offset - at
    this.#start = at
  }

  /** A varint or a length did not fit: fields from there on mean nothing. */
  get failed(): boolean {
    return this.#varints.failed
  }

  /** Index of the next byte. */
  get at(): number {
    return this.#varints.at
  }

  get left(): number {
    return this.#varints.end - this.#varints.at
  }

  u8(name: string, isDetail = false): number {
    const at = this.#skip(1)
    return this.#add(name, at, 1, this.#bytes[at] ?? 0, isDetail)
  }

  u16(name: string, isDetail = false): number {
    const at = this.#skip(2)
    return this.#add(name, at, 2, readU16(this.#bytes, at), isDetail)
  }

  u24(name: string, isDetail = false): number {
    const at = this.#skip(3)
    const value = readU16(this.#bytes, at) + (this.#bytes[at + 2] ?? 0) * 2 ** 16
    return this.#add(name, at, 3, value, isDetail)
  }

  u32(name: string, isDetail = false): number {
    const at = this.#skip(4)
    return this.#add(name, at, 4, readU32(this.#bytes, at), isDetail)
  }

  u48(name: string): number {
    const at = this.#skip(6)
    const value = readU16(this.#bytes, at + 4) * 2 ** 32 + readU32(this.#bytes, at)
    return this.#add(name, at, 6, value, false)
  }

  u64(name: string, isDetail = false): number {
    const at = this.#skip(8)
    return this.#add(name, at, 8, readU64(this.#bytes, at), isDetail)
  }

  varint(name: string, isDetail = false): number {
    const at = this.#varints.at
    const value = this.#varints.next()
    return this.#add(name, at, this.#varints.at - at, value, isDetail)
  }

  /** A copy of `length` bytes. */
  bytes(name: string, length: number, isDetail = false): Uint8Array {
    const at = this.#skip(length)
    const value = new Uint8Array(this.#bytes.subarray(at, this.#varints.at))
    return this.#add(name, at, value.length, value, isDetail)
  }

  /** A checksum: a number that is shown in hexadecimal. */
  hex32(name: string): void {
    const at = this.#skip(4)
    this.#add(name, at, 4, hex32(readU32(this.#bytes, at)), true)
  }

  /** Bytes in hexadecimal. */
  hex(name: string, length: number, isDetail = true): void {
    const at = this.#skip(length)
    const text = Buffer.from(this.#bytes.subarray(at, this.#varints.at)).toString('hex')
    this.#add(name, at, this.#varints.at - at, text, isDetail)
  }

  /** Bytes of a value: whoever wants them reads them at their place. */
  payload(name: string, length: number): void {
    const at = this.#skip(length)
    this.#add(name, at, this.#varints.at - at, undefined, false)
  }

  /** The same of bytes that are not here. */
  absent(name: string, length: number): void {
    this.#add(name, this.#varints.at, length, undefined, false)
  }

  /** Something that follows from fields and takes no bytes of its own. */
  derived(name: string, value: FieldValue): void {
    this.#add(name, this.#varints.at, 0, value, false)
  }

  /** The same, in front of all fields: what the item is about. */
  lead(name: string, value: FieldValue): void {
    const offset = this.#base + this.#start
    this.fields.unshift({ name, offset, length: 0, value, isDetail: false })
  }

  /** A reader of the bytes behind what this one has read. */
  behind(): FieldReader {
    const at = this.#varints.at
    return new FieldReader(this.#bytes, at, this.#base + at, this.#varints.end)
  }

  /** Goes on where another reader of the same bytes has come to. */
  skipTo(other: FieldReader): void {
    this.#varints.at = other.at
    this.#varints.failed = other.failed
  }

  item(what: string, length: number = this.#varints.at - this.#start): Item {
    return { what, offset: this.#base + this.#start, length, fields: this.fields }
  }

  #skip(length: number): number {
    const at = this.#varints.at
    this.#varints.nextBytes(length)
    return at
  }

  #add<T extends FieldValue>(
    name: string,
    at: number,
    length: number,
    value: T,
    isDetail: boolean,
  ): T {
    this.fields.push({ name, offset: this.#base + at, length, value, isDetail })
    return value
  }
}
