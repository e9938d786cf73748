/** Tagged fields: what they hold comes back; the unknown is left out or refused, what is malformed is corruption. */
import { expect, test } from 'vitest'
import type { WiscError } from '#dist/lib/base/errors.js'
import { appendBytesField, appendNumberField, Fields } from '#dist/lib/base/fields.js'
import { GrowingBytes } from '#dist/lib/base/growing-bytes.js'

const KNOWN: ReadonlySet<number> = new Set([2, 3, 4])

function read(...bytes: number[]): Fields {
  return Fields.read(Uint8Array.from(bytes), 0, KNOWN, 'the test', 'file', 1000)
}

function errorOf(...bytes: number[]): Partial<WiscError> | undefined {
  try {
    read(...bytes)
    return undefined
  } catch (error) {
    return error as WiscError
  }
}

test('numbers and bytes come back, from where the fields begin', () => {
  const content = new GrowingBytes(1)
  content.append(Uint8Array.of(9, 9), 0, 2)
  appendNumberField(content, 2, 0)
  appendNumberField(content, 3, Number.MAX_SAFE_INTEGER)
  appendBytesField(content, 4, Uint8Array.of(1, 2, 3))
  const bytes = content.bytes.subarray(0, content.length)
  const fields = Fields.read(bytes, 2, KNOWN, 'the test', 'file', 0)
  expect([fields.number(2), fields.number(3)]).toEqual([0, Number.MAX_SAFE_INTEGER])
  expect(fields.bytes(4, 3)).toEqual(Uint8Array.of(1, 2, 3))
  expect(fields.failed).toBe(false)
})

test('unknown odd tags are left out, even ones refused with their place', () => {
  expect(read(1, 1, 7, 2, 1, 5, 7, 0).number(2)).toBe(5)
  const error = errorOf(2, 1, 5, 6, 0)
  expect(error).toMatchObject({ code: 'WISC_FORMAT_VERSION' })
  expect(error!.message).toContain('unknown field of the test, tag=6')
  expect(error!.message).toContain('file=file offset=1003')
})

test('tags out of order, twice, or cut off are corruption, with the place', () => {
  for (const [bytes, offset] of [
    [[3, 0, 2, 0], 1002],
    [[2, 0, 2, 0], 1002],
    [[2], 1000],
    [[2, 1], 1000],
    [[2, 0, 3, 2, 9], 1002],
    [[0x80, 0, 0], 1000],
  ] as const) {
    expect(errorOf(...bytes)).toMatchObject({ code: 'WISC_CORRUPTION', offset })
  }
})

test('a field that is missing, too long or not used up makes the whole fail', () => {
  const asked: ((fields: Fields) => unknown)[] = [
    (fields) => fields.number(4),
    (fields) => fields.bytes(4, 100),
    (fields) => fields.bytes(2, 1),
    (fields) => fields.number(2),
    (fields) => fields.number(3),
  ]
  for (const ask of asked) {
    const fields = read(2, 2, 5, 5, 3, 0)
    ask(fields)
    expect(fields.failed).toBe(true)
  }
})
