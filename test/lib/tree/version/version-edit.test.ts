/** Version edits: bytes there and back, and damaged in every way. */
import { expect, test } from 'vitest'
import { WiscError } from '#dist/lib/base/errors.js'
import {
  decodeVersionEdit,
  encodeVersionEdit,
  type VersionEdit,
} from '#dist/lib/tree/version/version-edit.js'
import { meta } from '../../../support/parts/table-metas.ts'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'

const FULL: VersionEdit = {
  nextFileNumber: 300,
  lastSequence: 2 ** 53 - 1,
  checkpoint: { segment: 7, offset: 123456789012 },
  durable: { segment: 8, offset: 64 },
  cleanEnd: { segment: 8, offset: 4096 },
  removedTables: [5, 2],
  addedTables: [
    { level: 0, runId: 9, meta: meta(9, '', 'zebra', { tombstones: 10, pointedBytes: 2 ** 40 }) },
    {
      level: 31,
      runId: 4,
      meta: meta(11, 'a', 'a', { smallestSequence: 2 ** 40, largestSequence: 2 ** 41 }),
    },
  ],
  addedSegments: [
    { number: 12, salt: 0xffffffff },
    { number: 13, salt: 0 },
  ],
  sealedSegments: [{ number: 7, length: 2 ** 47, lastSequence: 99 }],
  removedSegments: [6],
  addedRelocations: [
    {
      number: 40,
      salt: 0xfffffffe,
      length: 2 ** 47,
      parts: [
        { segment: 1, records: 1, bytes: 41 },
        { segment: 2, records: 2 ** 40, bytes: 2 ** 46 },
      ],
    },
    { number: 41, salt: 0, length: 512, parts: [{ segment: 300, records: 3, bytes: 200 }] },
  ],
  removedRelocations: [30, 31],
}

const PART = { segment: 5, records: 1, bytes: 50 }
const RELOCATION = { number: 9, salt: 1, length: 500, parts: [PART] }

function decode(bytes: Uint8Array): VersionEdit {
  return decodeVersionEdit(bytes, 'MANIFEST-000001', 100)
}

function damageOf(bytes: Uint8Array): string | undefined {
  try {
    decode(bytes)
    return undefined
  } catch (error) {
    expect(error).toBeInstanceOf(WiscError)
    return (error as WiscError).code
  }
}

test('an edit is the same after encoding and decoding', () => {
  expect(decode(encodeVersionEdit(FULL))).toEqual(FULL)
  expect(decode(encodeVersionEdit({}))).toEqual({})
  const long = 'k'.repeat(65536)
  const large: VersionEdit = {
    addedTables: [{ level: 1, runId: 1, meta: meta(1, long, `${long.slice(1)}l`) }],
  }
  expect(decode(encodeVersionEdit(large))).toEqual(large)
})

test('decoded keys are copies of exactly their own size', () => {
  const bytes = Buffer.from(encodeVersionEdit(FULL))
  const { smallestKey, largestKey } = decode(bytes).addedTables![0]!.meta
  bytes.fill(0)
  expect(Buffer.from(largestKey).toString()).toBe('zebra')
  expect(largestKey.buffer.byteLength).toBe(5)
  expect(smallestKey.length).toBe(0)
})

test('every flipped byte and truncation is refused, or is another well-formed edit', () => {
  const bytes = encodeVersionEdit(FULL)
  for (let at = 0; at < bytes.length; at++) {
    for (const mask of [0x01, 0x80, 0xff]) {
      const flipped = bytes.slice()
      flipped[at]! ^= mask
      const code = damageOf(flipped)
      if (code === undefined) expect(encodeVersionEdit(decode(flipped)).length).toBeGreaterThan(0)
      else expect(['WISC_CORRUPTION', 'WISC_FORMAT_VERSION']).toContain(code)
    }
    const cut = bytes.subarray(0, at)
    if (damageOf(cut) === undefined) expect(encodeVersionEdit(decode(cut))).toEqual(cut)
  }
})

test('random bytes never do anything but decode or be refused', () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  for (let i = 0; i < 20_000; i++) {
    const bytes = prng.bytes(prng.below(40))
    if (bytes.length > 0) bytes[0] = 2 + 2 * prng.below(12)
    const code = damageOf(bytes)
    expect([undefined, 'WISC_CORRUPTION', 'WISC_FORMAT_VERSION'], replayHint(seed)).toContain(code)
  }
})

test('unknown odd tags are skipped, unknown even ones refused', () => {
  const known = encodeVersionEdit({ nextFileNumber: 5 })
  const odd = Uint8Array.from([...known, 21, 3, 1, 2, 3])
  expect(decode(odd)).toEqual({ nextFileNumber: 5 })
  expect(damageOf(Uint8Array.from([...known, 26, 1, 1]))).toBe('WISC_FORMAT_VERSION')
})

test('order, repetition, leftover bytes and limits are checked', () => {
  expect(damageOf(Uint8Array.of(4, 1, 1, 2, 1, 1))).toBe('WISC_CORRUPTION')
  expect(damageOf(Uint8Array.of(2, 1, 1, 2, 1, 1))).toBe('WISC_CORRUPTION')
  expect(damageOf(Uint8Array.of(2, 2, 1, 1))).toBe('WISC_CORRUPTION')
  expect(damageOf(Uint8Array.of(12, 1, 0))).toBe('WISC_CORRUPTION')
  const bad: VersionEdit[] = [
    { addedTables: [{ level: 32, runId: 1, meta: meta(1, 'a', 'b') }] },
    { addedTables: [{ level: 1, runId: 1, meta: meta(1, 'b', 'a') }] },
    { addedTables: [{ level: 1, runId: 1, meta: meta(1, 'a', 'b', { entries: 0 }) }] },
    { addedTables: [{ level: 1, runId: 1, meta: meta(1, 'a', 'b', { tombstones: 11 }) }] },
    { addedTables: [{ level: 1, runId: 1, meta: meta(1, 'a', 'b', { smallestSequence: 11 }) }] },
    { addedTables: [{ level: 1, runId: 0, meta: meta(1, 'a', 'b') }] },
    { addedSegments: [{ number: 2 ** 32, salt: 0 }] },
    { addedRelocations: [{ ...RELOCATION, number: 0 }] },
    { addedRelocations: [{ ...RELOCATION, number: 2 ** 32 }] },
    { addedRelocations: [{ ...RELOCATION, salt: 2 ** 32 }] },
    { addedRelocations: [{ ...RELOCATION, length: 2 ** 48 }] },
    { addedRelocations: [{ ...RELOCATION, parts: [PART, PART] }] },
    { addedRelocations: [{ ...RELOCATION, parts: [PART, { ...PART, segment: 4 }] }] },
    { addedRelocations: [{ ...RELOCATION, parts: [{ ...PART, segment: 0 }] }] },
    { addedRelocations: [{ ...RELOCATION, parts: [{ ...PART, segment: 2 ** 32 }] }] },
    { removedRelocations: [0] },
    { removedRelocations: [2 ** 32] },
  ]
  for (const edit of bad) expect(damageOf(encodeVersionEdit(edit))).toBe('WISC_CORRUPTION')
})

test('a relocation with more or fewer parts than it counts, or a count beyond reason, is refused at once', () => {
  const field = (...content: readonly number[]): Uint8Array =>
    Uint8Array.of(22, content.length, ...content)
  const parts = [5, 1, 50, 6, 2, 90]
  expect(decode(field(9, 1, 100, 2, ...parts)).addedRelocations).toEqual([
    {
      number: 9,
      salt: 1,
      length: 100,
      parts: [
        { segment: 5, records: 1, bytes: 50 },
        { segment: 6, records: 2, bytes: 90 },
      ],
    },
  ])
  const counts = [[1], [3], [127], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]]
  for (const count of counts) {
    expect(damageOf(field(9, 1, 100, ...count, ...parts))).toBe('WISC_CORRUPTION')
  }
})
