/** Version edits: bytes there and back, and damaged in every way. */
import { expect, test } from 'vitest'
import { WiscError } from '#dist/lib/base/errors.js'
import {
  decodeVersionEdit,
  encodeVersionEdit,
  type VersionEdit,
} from '#dist/lib/tree/version-edit.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'
import { meta } from '../../support/table-metas.ts'

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
}

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
    if (bytes.length > 0) bytes[0] = 2 + 2 * prng.below(10)
    const code = damageOf(bytes)
    expect([undefined, 'WISC_CORRUPTION', 'WISC_FORMAT_VERSION'], replayHint(seed)).toContain(code)
  }
})

test('unknown odd tags are skipped, unknown even ones refused', () => {
  const known = encodeVersionEdit({ nextFileNumber: 5 })
  const odd = Uint8Array.from([...known, 21, 3, 1, 2, 3])
  expect(decode(odd)).toEqual({ nextFileNumber: 5 })
  expect(damageOf(Uint8Array.from([...known, 22, 1, 1]))).toBe('WISC_FORMAT_VERSION')
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
  ]
  for (const edit of bad) expect(damageOf(encodeVersionEdit(edit))).toBe('WISC_CORRUPTION')
})
