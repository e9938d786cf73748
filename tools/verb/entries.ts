/**
 * Entries of a store as lines.
 *
 *   text   KEY<TAB>VALUE, escaped as escape.ts says, or both in hexadecimal; on a terminal two spaces, and both cut
 *          to fit
 *   JSON   {"key":"...","value":"..."}; keyBase64 or valueBase64 in place of what is no UTF-8; with --hex keyHex
 *          and valueHex
 *
 * What stat tells of a value may stand in its place: as text `SIZE bytes`, and when it expires; in JSON its members.
 */
import type { ValueStat } from '../../lib/index.ts'
import { encodedPieces, escapedPieces, jsonMember } from '../terminal/escape.ts'
import type { Output } from '../terminal/output.ts'
import { fitText, textWidth } from '../terminal/text-width.ts'

/** More is gathered to one write. */
const WRITE_CHARACTERS = 64 * 1024
/** Left for a value behind a long key. */
const VALUE_COLUMNS_MIN = 8
/** No character of UTF-8 has more bytes. */
const CHARACTER_BYTES_MAX = 4

export interface EntryFormat {
  readonly json: boolean
  readonly hex: boolean
}

/** Gathers lines and writes them in large pieces. */
export class EntryWriter {
  readonly #output: Output
  readonly #format: EntryFormat
  #text = ''

  constructor(output: Output, format: EntryFormat) {
    this.#output = output
    this.#format = format
  }

  /** Without a value, a line of the key alone. */
  async add(key: Uint8Array, value: Uint8Array | ValueStat | undefined): Promise<void> {
    for (const piece of this.#line(key, value)) {
      this.#text += piece
      if (this.#text.length >= WRITE_CHARACTERS) await this.flush()
    }
    // Whoever looks at it wants to see it now.
    if (this.#output.isTerminal) await this.flush()
  }

  async flush(): Promise<void> {
    const text = this.#text
    this.#text = ''
    await this.#output.write(text)
  }

  #line(key: Uint8Array, value: Uint8Array | ValueStat | undefined): Iterable<string> {
    if (value !== undefined && !(value instanceof Uint8Array)) return this.#statLine(key, value)
    if (this.#format.json) return jsonLine(key, value, this.#format.hex)
    if (this.#output.isTerminal) return [this.#terminalLine(key, value)]
    return this.#textLine(key, value)
  }

  *#statLine(key: Uint8Array, stat: ValueStat): Generator<string> {
    if (this.#format.json) {
      yield '{'
      yield* jsonMember('key', key, this.#format.hex)
      yield `,${JSON.stringify(statFigures(stat)).slice(1)}\n`
      return
    }
    const { isTerminal, columns } = this.#output
    const text = `${stat.size} bytes${stat.expiresAt ? `, expires ${momentText(stat.expiresAt)}` : ''}`
    if (isTerminal) yield `${this.#shownKey(key, columns - text.length - 2)}  ${text}\n`
    else {
      yield* this.#pieces(key)
      yield `\t${text}\n`
    }
  }

  *#textLine(key: Uint8Array, value: Uint8Array | undefined): Generator<string> {
    yield* this.#pieces(key)
    if (value !== undefined) {
      yield '\t'
      yield* this.#pieces(value)
    }
    yield '\n'
  }

  #terminalLine(key: Uint8Array, value: Uint8Array | undefined): string {
    const { columns } = this.#output
    if (value === undefined) return `${this.#shownKey(key, columns)}\n`
    const start = this.#shownKey(key, columns - VALUE_COLUMNS_MIN - 2)
    const left = Math.max(1, columns - textWidth(start) - 2)
    const shown = value.subarray(0, left * CHARACTER_BYTES_MAX)
    const text = [...this.#pieces(shown)].join('')
    return `${start}  ${fitText(shown.length < value.length ? `${text}…` : text, left)}\n`
  }

  /** A key that does not fit ends with its length. */
  #shownKey(key: Uint8Array, columns: number): string {
    const shown = key.subarray(0, columns * CHARACTER_BYTES_MAX)
    const text = [...this.#pieces(shown)].join('')
    if (shown.length === key.length && textWidth(text) <= columns) return text
    const note = ` (${key.length} bytes)`
    return `${fitText(`${text}…`, Math.max(1, columns - note.length))}${note}`
  }

  #pieces(bytes: Uint8Array): Generator<string> {
    return this.#format.hex ? encodedPieces(bytes, 'hex') : escapedPieces(bytes)
  }
}

/** What is known of a value; null for what it does not have. */
export function statFigures(stat: ValueStat): Record<string, string | number | boolean | null> {
  const { size, storedSize, codec, inline, segment, offset, sequence, expiresAt } = stat
  return {
    size,
    storedSize,
    codec,
    inline,
    segment: segment ?? null,
    offset: offset ?? null,
    sequence,
    expiresAt: expiresAt === undefined ? null : momentText(expiresAt),
  }
}

export function momentText(moment: number): string {
  return new Date(moment).toISOString()
}

function* jsonLine(
  key: Uint8Array,
  value: Uint8Array | undefined,
  hex: boolean,
): Generator<string> {
  yield '{'
  yield* jsonMember('key', key, hex)
  if (value !== undefined) {
    yield ','
    yield* jsonMember('value', value, hex)
  }
  yield '}\n'
}

/** Bytes as a member of an object: the short form of what {@link EntryWriter} writes piece by piece. */
export function jsonBytes(name: string, bytes: Uint8Array, hex: boolean): Record<string, string> {
  return JSON.parse(`{${[...jsonMember(name, bytes, hex)].join('')}}`) as Record<string, string>
}
