/** Version edits: bytes there and back, and damaged in every way. */
import { expect, test } from 'vitest'
import { WiscError } from '#dist/lib/base/errors.js'
import type { RelocationFile, VersionEdit } from '#dist/lib/tree/version/version-edit.js'
import { decodeVersionEdit, encodeVersionEdit } from '#dist/lib/tree/version/version-edit-format.js'
import { logFile } from '../../../support/parts/log-files.ts'
import { meta } from '../../../support/parts/table-metas.ts'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'

const FULL: VersionEdit = {
  nextFileNumber: 300,
  lastSequence: 2 ** 53 - 1,
  checkpoint: { ordinal: 7, offset: 123456789012 },
  durable: { ordinal: 8, offset: 64 },
  cleanEnd: { ordinal: 8, offset: 4096 },
  continues: true,
  evictedBelow: 2 ** 40,
  removedTables: [5, 2],
  addedTables: [
    { level: 0, runId: 9, meta: meta(9, '', 'zebra', { tombstones: 10, pointedBytes: 2 ** 40 }) },
    {
      level: 31,
      runId: 4,
      meta: meta(11, 'a', 'a', { smallestSequence: 2 ** 40, largestSequence: 2 ** 41 }),
    },
  ],
  removedSegments: [6, 30, 31],
  addedFiles: [
    logFile(12, 0xffffffff, 2 ** 32 - 1),
    logFile(13, 0, 1),
    {
      role: 'relocation',
      number: 40,
      salt: 0xfffffffe,
      length: 2 ** 47,
      parts: [
        { segment: 1, records: 1, bytes: 41 },
        { segment: 2, records: 2 ** 40, bytes: 2 ** 46 },
      ],
    },
    { role: 'relocation', number: 41, salt: 0, length: 512, parts: [] },
  ],
  sealedFiles: [{ number: 7, length: 2 ** 47, lastSequence: 99 }],
}

const PART = { segment: 5, records: 1, bytes: 50 }
const STREAM = { role: 'stream', number: 9, salt: 7, length: 2 ** 47 } as const
const RELOCATION: RelocationFile = {
  role: 'relocation',
  number: 9,
  salt: 1,
  length: 500,
  parts: [PART],
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
    if (bytes.length > 0) bytes[0] = 2 + 2 * prng.below(13)
    const code = damageOf(bytes)
    expect([undefined, 'WISC_CORRUPTION', 'WISC_FORMAT_VERSION'], replayHint(seed)).toContain(code)
  }
})

test('unknown odd tags are skipped, unknown even ones refused', () => {
  const known = encodeVersionEdit({ nextFileNumber: 5 })
  const odd = Uint8Array.from([...known, 21, 3, 1, 2, 3])
  expect(decode(odd)).toEqual({ nextFileNumber: 5 })
  // One of them is reserved: the time floor.
  for (const tag of [16, 28, 100]) {
    expect(damageOf(Uint8Array.from([...known, tag, 1, 1]))).toBe('WISC_FORMAT_VERSION')
  }
})

test('extensions of an added table and of an added file: odd tags are skipped, even ones refused', () => {
  const edits: VersionEdit[] = [
    { addedTables: [{ level: 1, runId: 1, meta: meta(1, 'a', 'b') }] },
    { addedFiles: [logFile(5)] },
    { addedFiles: [RELOCATION] },
    { addedFiles: [STREAM] },
  ]
  for (const edit of edits) {
    const bytes = encodeVersionEdit(edit)
    const extended = (...extension: readonly number[]): Uint8Array => {
      const longer = Uint8Array.from([...bytes, ...extension])
      longer[1]! += extension.length
      return longer
    }
    expect(decode(extended(1, 0))).toEqual(edit)
    expect(decode(extended(3, 2, 9, 9, 127, 1, 9))).toEqual(edit)
    expect(damageOf(extended(2, 0))).toBe('WISC_FORMAT_VERSION')
    expect(damageOf(extended(1, 1, 9, 4, 1, 9))).toBe('WISC_FORMAT_VERSION')
    for (const bad of [[1], [1, 2, 9], [3, 0, 1, 0], [1, 0, 1, 0], [0, 0]]) {
      expect(damageOf(extended(...bad)), bad.join()).toBe('WISC_CORRUPTION')
    }
  }
})

test('a file with a role that is not known is refused', () => {
  for (const role of [3, 99]) {
    const field = [9, 7, role, 1, 2, 3]
    expect(damageOf(Uint8Array.of(24, field.length, ...field))).toBe('WISC_FORMAT_VERSION')
  }
})

test('order, repetition, leftover bytes and limits are checked', () => {
  expect(damageOf(Uint8Array.of(4, 1, 1, 2, 1, 1))).toBe('WISC_CORRUPTION')
  expect(damageOf(Uint8Array.of(2, 1, 1, 2, 1, 1))).toBe('WISC_CORRUPTION')
  expect(damageOf(Uint8Array.of(2, 2, 1, 1))).toBe('WISC_CORRUPTION')
  expect(damageOf(Uint8Array.of(12, 1, 0))).toBe('WISC_CORRUPTION')
  expect(damageOf(Uint8Array.of(12, 0, 12, 0))).toBe('WISC_CORRUPTION')
  expect(damageOf(Uint8Array.of(18, 1, 0))).toBe('WISC_CORRUPTION')
  const bad: VersionEdit[] = [
    { addedTables: [{ level: 32, runId: 1, meta: meta(1, 'a', 'b') }] },
    { addedTables: [{ level: 1, runId: 1, meta: meta(1, 'b', 'a') }] },
    { addedTables: [{ level: 1, runId: 1, meta: meta(1, 'a', 'b', { entries: 0 }) }] },
    { addedTables: [{ level: 1, runId: 1, meta: meta(1, 'a', 'b', { tombstones: 11 }) }] },
    { addedTables: [{ level: 1, runId: 1, meta: meta(1, 'a', 'b', { smallestSequence: 11 }) }] },
    { addedTables: [{ level: 1, runId: 0, meta: meta(1, 'a', 'b') }] },
    { addedFiles: [logFile(2 ** 32, 0, 1)] },
    { addedFiles: [logFile(1, 0, 0)] },
    { addedFiles: [logFile(1, 0, 2 ** 32)] },
    { addedFiles: [{ ...RELOCATION, number: 0 }] },
    { addedFiles: [{ ...STREAM, number: 0 }] },
    { addedFiles: [{ ...STREAM, length: 2 ** 48 }] },
    { addedFiles: [{ ...RELOCATION, number: 2 ** 32 }] },
    { addedFiles: [{ ...RELOCATION, salt: 2 ** 32 }] },
    { addedFiles: [{ ...RELOCATION, length: 2 ** 48 }] },
    { addedFiles: [{ ...RELOCATION, parts: [PART, PART] }] },
    { addedFiles: [{ ...RELOCATION, parts: [PART, { ...PART, segment: 4 }] }] },
    { addedFiles: [{ ...RELOCATION, parts: [{ ...PART, segment: 0 }] }] },
    { addedFiles: [{ ...RELOCATION, parts: [{ ...PART, segment: 2 ** 32 }] }] },
    { removedSegments: [0] },
    { removedSegments: [2 ** 32] },
  ]
  for (const edit of bad) expect(damageOf(encodeVersionEdit(edit))).toBe('WISC_CORRUPTION')
})

test('a relocation with more or fewer parts than it counts, or a count beyond reason, is refused at once', () => {
  const field = (...content: readonly number[]): Uint8Array =>
    Uint8Array.of(24, content.length, ...content)
  const parts = [5, 1, 50, 6, 2, 90]
  expect(decode(field(9, 1, 1, 100, 2, ...parts)).addedFiles).toEqual([
    {
      role: 'relocation',
      number: 9,
      salt: 1,
      length: 100,
      parts: [
        { segment: 5, records: 1, bytes: 50 },
        { segment: 6, records: 2, bytes: 90 },
      ],
    },
  ])
  // One part less than there is leaves bytes that are no extension.
  const counts = [[1], [3], [127], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]]
  for (const count of counts) {
    expect(damageOf(field(9, 1, 1, 100, ...count, ...parts))).toBe('WISC_CORRUPTION')
  }
})
