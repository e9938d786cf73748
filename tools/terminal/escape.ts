/**
 * Bytes and texts as something to print: nothing in them can control a terminal, and nothing is lost.
 *
 * Well-formed UTF-8 stays readable. Escaped are the backslash (`\\`), newline, return and tab (`\n` `\r` `\t`), other
 * ASCII controls and bytes that are no UTF-8 (`\xNN`), and what is invisible or changes the direction of a line
 * (`\u{NNNN}`). Spaces at the ends are `\x20`. So the bytes can be told from the text.
 */
import { isUtf8 } from 'node:buffer'

/** Controls (C0, C1), format characters (bidi, zero width), line separators, lone surrogates, odd spaces. */
const UNSAFE = /[\\\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]|(?! )\p{Zs}/gu
/** What JSON would leave as it is of these. */
const UNSAFE_IN_JSON = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu
const NAMED: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
}
const SPACE = 0x20
/** Large values are converted piece by piece; divisible by 3, so that base64 can be put together again. */
const PIECE_BYTES = 48 * 1024
/** Of a key in a sentence. */
const KEY_SHOWN_BYTES = 256

/** A text for one line of a terminal. */
export function escapeText(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0)!
    return NAMED[character] ?? (code < 0x80 ? hexEscape(code) : `\\u{${code.toString(16)}}`)
  })
}

function hexEscape(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`
}

/** A key or a value for one line of a terminal. */
export function escapeBytes(bytes: Uint8Array): string {
  return [...escapedPieces(bytes)].join('')
}

/** A key in a sentence, in quotes: of a long one the beginning, and how many bytes it has. */
export function quoteKey(key: Uint8Array): string {
  if (key.length <= KEY_SHOWN_BYTES) return `"${escapeBytes(key)}"`
  const shown = key.subarray(0, characterBoundary(key, KEY_SHOWN_BYTES))
  return `"${escapeBytes(shown)}…" (${key.length} bytes)`
}

/** Of {@link escapeBytes}, piece by piece. */
export function* escapedPieces(bytes: Uint8Array): Generator<string> {
  const start = bytes[0] === SPACE ? 1 : 0
  const end = bytes.length > 1 && bytes.at(-1) === SPACE ? bytes.length - 1 : bytes.length
  if (start > 0) yield hexEscape(SPACE)
  for (let at = start; at < end; ) {
    const next = characterBoundary(bytes, Math.min(end, at + PIECE_BYTES))
    const piece = bytes.subarray(at, next)
    yield isUtf8(piece) ? escapeText(utf8(piece)) : escapeMalformed(piece)
    at = next
  }
  if (end < bytes.length) yield hexEscape(SPACE)
}

/** One well-formed character or one byte after the other. */
function escapeMalformed(bytes: Uint8Array): string {
  const parts: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes, at)
    parts.push(
      length === 0 ? hexEscape(bytes[at]!) : escapeText(utf8(bytes.subarray(at, at + length))),
    )
    at += Math.max(1, length)
  }
  return parts.join('')
}

/** Bytes of the character at `at`; 0 if there is none. */
function characterLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!
  if (lead < 0x80) return 1
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
  return at + length <= bytes.length && isUtf8(bytes.subarray(at, at + length)) ? length : 0
}

/** The nearest place at or before `at` that lies between two characters, if one lies across. */
function characterBoundary(bytes: Uint8Array, at: number): number {
  for (let back = 0; back <= 3 && at < bytes.length; back++) {
    if ((bytes[at - back]! & 0xc0) !== 0x80) return at - back
  }
  return at
}

function utf8(bytes: Uint8Array): string {
  return asBuffer(bytes).toString()
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** JSON of one line that cannot control a terminal either. */
export function toJson(value: unknown): string {
  return escapeJson(JSON.stringify(value))
}

function escapeJson(text: string): string {
  return text.replace(UNSAFE_IN_JSON, (character) =>
    Array.from(
      { length: character.length },
      (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`,
    ).join(''),
  )
}

/**
 * Bytes as a member of a JSON object, piece by piece: `"name":"text"` if they are well-formed UTF-8, else
 * `"nameBase64":"..."`; `"nameHex":"..."` if hexadecimal was asked for.
 */
export function* jsonMember(name: string, bytes: Uint8Array, hex: boolean): Generator<string> {
  const isText = !hex && isUtf8(bytes)
  yield `"${name}${hex ? 'Hex' : isText ? '' : 'Base64'}":"`
  if (isText) {
    for (let at = 0; at < bytes.length; ) {
      const next = characterBoundary(bytes, Math.min(bytes.length, at + PIECE_BYTES))
      yield toJson(utf8(bytes.subarray(at, next))).slice(1, -1)
      at = next
    }
  } else yield* encodedPieces(bytes, hex ? 'hex' : 'base64')
  yield '"'
}

/** Bytes in hexadecimal or base64, piece by piece. */
export function* encodedPieces(bytes: Uint8Array, encoding: 'hex' | 'base64'): Generator<string> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    yield asBuffer(bytes.subarray(at, at + PIECE_BYTES)).toString(encoding)
  }
}
