/**
 * Tagged fields: how a format says more than its first readers know.
 *
 *   field := tag: varint, length: varint, content: u8[length]
 *
 * Tags ascend, none appears twice, and each content is used up exactly. DO NOT CHANGE: odd tags are for what a reader
 * may leave out if it does not know it, even ones for what it must refuse (WISC_FORMAT_VERSION).
 */
import { CorruptionError, newerVersion } from './errors.ts'
import type { GrowingBytes } from './growing-bytes.ts'
import { VarintReader, varintLength } from './varint.ts'

export function appendNumberField(target: GrowingBytes, tag: number, value: number): void {
  target.appendVarint(tag)
  target.appendVarint(varintLength(value))
  target.appendVarint(value)
}

export function appendBytesField(target: GrowingBytes, tag: number, content: Uint8Array): void {
  target.appendVarint(tag)
  target.appendVarint(content.length)
  target.append(content, 0, content.length)
}

/**
 * Refuses what a reader does not know and must not leave out: an even tag.
 * @param what it is a field of, for the message @param offset where it lies in the file
 * @throws WISC_FORMAT_VERSION
 */
export function refuseUnknownTag(tag: number, what: string, name: string, offset: number): void {
  if (tag % 2 === 1) return
  throw newerVersion(name, offset, `unknown ${what}, tag=${tag}`)
}

/** Where the content of a field lies. */
interface FieldPlace {
  readonly tag: number
  readonly start: number
  readonly end: number
}

/** Passes over the next field. The reader, which ends where the last one does, fails if this one is malformed. */
export function nextField(reader: VarintReader, previousTag: number): FieldPlace {
  const tag = reader.next()
  const length = reader.next()
  const start = reader.at
  if (tag <= previousTag || length > reader.end - start) reader.failed = true
  if (!reader.failed) reader.at += length
  return { tag, start, end: reader.at }
}

/** The fields of a content that a reader knows, until it has taken what it wants. */
export class Fields {
  /** True once a field that must be there is not, or does not hold what it should. */
  failed = false
  readonly #reader: VarintReader
  /** Tag, start and end of each field. */
  readonly #places: number[] = []

  private constructor(reader: VarintReader) {
    this.#reader = reader
  }

  /**
   * Reads fields up to the end of `content`, which lies at `offset` of file `name`.
   * @param at where in the content they begin @param known tags that the caller takes
   * @throws CorruptionError, WISC_FORMAT_VERSION for an unknown even tag
   */
  static read(
    content: Uint8Array,
    at: number,
    known: ReadonlySet<number>,
    what: string,
    name: string,
    offset: number,
  ): Fields {
    const reader = new VarintReader(content, at)
    const fields = new Fields(reader)
    for (let previous = -1; reader.at < reader.end; ) {
      const from = offset + reader.at
      const { tag, start, end } = nextField(reader, previous)
      if (reader.failed) {
        throw new CorruptionError(name, from, `field of ${what} is malformed, tag=${tag}`)
      }
      if (known.has(tag)) fields.#places.push(tag, start, end)
      else refuseUnknownTag(tag, `field of ${what}`, name, from)
      previous = tag
    }
    return fields
  }

  has(tag: number): boolean {
    return this.#places.some((place, i) => i % 3 === 0 && place === tag)
  }

  /** The number of a field that must be there; 0, and `failed`, if it is not. */
  number(tag: number): number {
    const reader = this.#find(tag)
    const value = reader.next()
    if (reader.failed || reader.at < reader.end) this.failed = true
    return value
  }

  /** A copy of the bytes of a field that must be there; empty, and `failed`, if it is not or has more than `max`. */
  bytes(tag: number, max: number): Uint8Array {
    const reader = this.#find(tag)
    if (reader.end - reader.at > max) this.failed = true
    return new Uint8Array(reader.nextBytes(this.failed ? 0 : reader.end - reader.at))
  }

  /** The same of a field that may be missing. */
  bytesOr(tag: number, missing: Uint8Array, max: number): Uint8Array {
    return this.has(tag) ? this.bytes(tag, max) : missing
  }

  /** The reader at a field, which may be missing: then it is empty. */
  #find(tag: number): VarintReader {
    const places = this.#places
    let i = 0
    while (i < places.length && places[i] !== tag) i += 3
    if (i === places.length) this.failed = true
    this.#reader.at = places[i + 1] ?? 0
    this.#reader.end = places[i + 2] ?? 0
    return this.#reader
  }
}
