/**
 * Tagged fields: how a format says more than its first readers know.
 *
 *   field := tag: varint, length: varint, content: u8[length]
 *
 * Tags ascend, none appears twice, and each content is used up exactly. DO NOT CHANGE: odd tags are for what a reader
 * may leave out if it does not know it, even ones for what it must refuse (WISC_FORMAT_VERSION).
 */
import { CorruptionError, WiscError } from './errors.ts'
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
  throw new WiscError(
    'WISC_FORMAT_VERSION',
    `${what} is from another version of wisc file=${name} offset=${offset} tag=${tag}`,
  )
}

/** The fields that a reader has found, and which of them it has taken. */
export class Fields {
  /** True once a field that must be there is not, or does not hold what it should. */
  failed = false
  readonly #contents: ReadonlyMap<number, Uint8Array>

  private constructor(contents: ReadonlyMap<number, Uint8Array>) {
    this.#contents = contents
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
    const contents = new Map<number, Uint8Array>()
    for (let previous = -1; reader.at < reader.end; ) {
      const start = offset + reader.at
      const tag = reader.next()
      const bytes = reader.nextBytes(reader.next())
      if (reader.failed || tag <= previous) {
        throw new CorruptionError(name, start, `field of ${what} is malformed, tag=${tag}`)
      }
      if (known.has(tag)) contents.set(tag, bytes)
      else refuseUnknownTag(tag, `field of ${what}`, name, start)
      previous = tag
    }
    return new Fields(contents)
  }

  /** The number of a field that must be there; 0, and `failed`, if it is not. */
  number(tag: number): number {
    const content = this.#contents.get(tag)
    if (content === undefined) return this.#fail()
    const reader = new VarintReader(content)
    const value = reader.next()
    return reader.failed || reader.at < reader.end ? this.#fail() : value
  }

  /** A copy of the bytes of a field that must be there; empty, and `failed`, if it is not or has more than `max`. */
  bytes(tag: number, max: number): Uint8Array {
    const content = this.#contents.get(tag)
    if (content !== undefined && content.length <= max) return new Uint8Array(content)
    this.#fail()
    return new Uint8Array(0)
  }

  #fail(): number {
    this.failed = true
    return 0
  }
}
