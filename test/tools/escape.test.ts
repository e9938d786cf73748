/** Escaping: nothing that is printed can control a terminal, and the bytes can be told from it. */
import { expect, test } from 'vitest'
import { escapeBytes, escapeText, jsonMember, toJson } from '#dist/tools/terminal/escape.js'
import { Prng } from '../support/random.ts'

/** What a terminal or a reader's eye obeys: controls, bidi and other format characters, line separators. */
const OBEYED = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u

/** Reads an escaped text back. */
function readBack(text: string): Buffer {
  const parts = [...text.matchAll(/\\x([0-9a-f]{2})|\\u\{([0-9a-f]+)\}|\\(.)|([^\\]+)/gu)]
  const named: Record<string, string> = { n: '\n', r: '\r', t: '\t', '\\': '\\' }
  return Buffer.concat(
    parts.map(([, byte, point, name, plain]) => {
      if (byte !== undefined) return Buffer.from(byte, 'hex')
      if (point !== undefined) return Buffer.from(String.fromCodePoint(Number.parseInt(point, 16)))
      return Buffer.from(name === undefined ? plain! : named[name]!)
    }),
  )
}

test.each([
  ['plain/äöü 漢字 🐈', 'plain/äöü 漢字 🐈'],
  ['a\\b', 'a\\\\b'],
  ['\u001b[31mred\u0007\0', '\\x1b[31mred\\x07\\x00'],
  ['line\nbreak\r\ttab', 'line\\nbreak\\r\\ttab'],
  ['\u009b31m \u0085', '\\u{9b}31m \\u{85}'],
  ['a\u202eb\u2066c\u200fd', 'a\\u{202e}b\\u{2066}c\\u{200f}d'],
  ['zero\u200bwidth\ufeff\u00ad', 'zero\\u{200b}width\\u{feff}\\u{ad}'],
  ['\u2028\u2029\u00a0\u{e0041}', '\\u{2028}\\u{2029}\\u{a0}\\u{e0041}'],
  [' ends ', '\\x20ends\\x20'],
  [' ', '\\x20'],
  ['  ', '\\x20\\x20'],
  ['', ''],
  ['\ufffd', '\ufffd'],
])('%j', (text, escaped) => {
  expect(escapeBytes(Buffer.from(text))).toBe(escaped)
})

test.each([
  ['ff', '\\xff'],
  ['41c3', 'A\\xc3'],
  ['c3a4c3', 'ä\\xc3'],
  // Overlong, a surrogate, beyond the last code point, a continuation alone.
  ['c0af', '\\xc0\\xaf'],
  ['eda080', '\\xed\\xa0\\x80'],
  ['f4908080', '\\xf4\\x90\\x80\\x80'],
  ['8041', '\\x80A'],
  ['efbfbdff', '\ufffd\\xff'],
  // C1 controls as single bytes and as characters.
  ['9bc29bff', '\\x9b\\u{9b}\\xff'],
])('bytes %s that are no UTF-8', (hex, escaped) => {
  expect(escapeBytes(Buffer.from(hex, 'hex'))).toBe(escaped)
})

test('whatever the bytes are, nothing obeyed is printed, and nothing is lost', () => {
  const prng = new Prng(Number(process.env['WISC_TEST_SEED'] ?? 7))
  const pieces = ['a', ' ', '\\', '\n', 'ä', '漢', '🐈', '\u202e', '\u009b'].map((c) =>
    Buffer.from(c),
  )
  for (let i = 0; i < 2000; i++) {
    const parts = Array.from({ length: prng.below(12) }, () =>
      prng.chance(0.4) ? Buffer.from(prng.bytes(1 + prng.below(4))) : prng.pick(pieces),
    )
    const bytes = Buffer.concat(parts)
    const escaped = escapeBytes(bytes)
    expect(escaped).not.toMatch(OBEYED)
    expect(readBack(escaped)).toEqual(bytes)
  }
})

test('large values go piece by piece, and characters stay whole', () => {
  for (const shift of [0, 1, 2, 3]) {
    const bytes = Buffer.from('x'.repeat(shift) + '🐈'.repeat(40_000))
    expect(escapeBytes(bytes)).toBe(bytes.toString())
    const member = [...jsonMember('value', bytes, false)]
    expect(member.length).toBeGreaterThan(4)
    expect(JSON.parse(`{${member.join('')}}`)).toEqual({ value: bytes.toString() })
    const odd = Buffer.concat([bytes, Buffer.of(0xff)])
    const parsed: unknown = JSON.parse(`{${[...jsonMember('value', odd, false)].join('')}}`)
    expect(parsed).toEqual({ valueBase64: odd.toString('base64') })
  }
})

test('JSON cannot control a terminal either', () => {
  const text = '\u009b31m\u202e\u2028\u007f\u{e0041}"\\ä'
  expect(toJson({ text })).toBe('{"text":"\\u009b31m\\u202e\\u2028\\u007f\\udb40\\udc41\\"\\\\ä"}')
  expect(JSON.parse(toJson({ text }))).toEqual({ text })
})

test('a text of ours is escaped the same way', () => {
  expect(escapeText('path=/tmp/\u001b]0;title\u0007')).toBe('path=/tmp/\\x1b]0;title\\x07')
  expect(escapeText('\ud800')).toBe('\\u{d800}')
})
