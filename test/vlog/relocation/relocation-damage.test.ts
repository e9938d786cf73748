/** Damaged relocations: an error with its place, or right answers, never anything else. */
import { describe, expect, test } from 'vitest'
import { CorruptionError } from '#dist/lib/base/errors.js'
import { type FileIdentity, writeFileHeader } from '#dist/lib/base/files/file-header.js'
import { segmentName } from '#dist/lib/base/files/file-names.js'
import { frameSeed } from '#dist/lib/base/files/frame.js'
import { pageOffset, RELOCATION_HEADER_BYTES } from '#dist/vlog/relocation/relocation-format.js'
import { RelocationReader } from '#dist/vlog/relocation/relocation-reader.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'
import {
  buildRelocation,
  DATABASE_ID,
  errorOf,
  FILE_SEED,
  IDENTITY,
  layoutOf,
  lookupError,
  NAME,
  NUMBER,
  openRelocation,
  PATH,
  randomRecords,
  replaced,
  verifyError,
} from './relocation-model.ts'

const seed = testSeed()
const hint = replayHint(seed)

test('a record that two pointers name is damage, not a fault of the writer', () => {
  const records = randomRecords(new Prng(seed), 50, 3)
  const error = errorOf(() => buildRelocation([...records, records[20]!]))
  expect(error).toBeInstanceOf(CorruptionError)
  expect(error).toMatchObject({
    file: segmentName(records[20]!.segment),
    offset: records[20]!.offset,
  })
})

describe('damage', () => {
  test('each byte of header, index, fence, parts and footer, changed in three ways, is found', () => {
    const relocation = buildRelocation(randomRecords(new Prng(seed), 400, 4))
    const good = relocation.fileSystem.contents(PATH)
    const { recordsEnd } = layoutOf(good)
    for (let at = 0; at < good.length; at++) {
      if (at === RELOCATION_HEADER_BYTES) at = recordsEnd
      for (const value of [good[at]! ^ 1, good[at]! ^ 0xff, 0]) {
        if (value === good[at]) continue
        const bad = good.slice()
        bad[at] = value
        relocation.fileSystem.replace(PATH, bad)
        const error = lookupError(relocation)
        expect(error, `${hint} offset=${at}`).toBeInstanceOf(CorruptionError)
        expect((error as CorruptionError).file).toBe(NAME)
        const whole = errorOf(() => openRelocation(relocation).addresses())
        expect(whole, `${hint} offset=${at}`).toBeInstanceOf(CorruptionError)
      }
    }
  })

  test('verify finds each changed byte but those of values and their checksums, which records prove', () => {
    const relocation = buildRelocation(randomRecords(new Prng(seed), 60, 3))
    const good = relocation.fileSystem.contents(PATH)
    const harmless = new Set<number>()
    for (const [i, { bytes }] of relocation.records.entries()) {
      const place = relocation.places[i]!
      const valueStart = 40 + new DataView(bytes.buffer).getUint32(12, true)
      for (let at = 4; at < 8; at++) harmless.add(place + at)
      for (let at = valueStart; at < bytes.length; at++) harmless.add(place + at)
    }
    for (let at = 0; at < good.length; at++) {
      const bad = good.slice()
      bad[at]! ^= 0x10
      relocation.fileSystem.replace(PATH, bad)
      const error = verifyError(relocation)
      if (harmless.has(at)) expect(error, `${hint} offset=${at}`).toBeUndefined()
      else expect(error, `${hint} offset=${at}`).toBeInstanceOf(CorruptionError)
    }
  })

  test('a relocation that is cut off at any length, or goes on behind its end, is refused', () => {
    const relocation = buildRelocation(randomRecords(new Prng(seed), 400, 3))
    const good = relocation.fileSystem.contents(PATH)
    for (let length = 0; length < good.length; length++) {
      if (length === RELOCATION_HEADER_BYTES) length = layoutOf(good).recordsEnd - 100
      const believed = replaced(relocation, good.slice(0, length))
      expect(lookupError(relocation), `length=${length}`).toBeInstanceOf(CorruptionError)
      // The same for a manifest that believes in that length.
      expect(lookupError(believed), `length=${length}`).toBeInstanceOf(CorruptionError)
    }
    const longer = new Uint8Array(good.length + 1)
    longer.set(good)
    const believed = replaced(relocation, longer)
    expect(lookupError(relocation)).toBeInstanceOf(CorruptionError)
    expect(lookupError(believed)).toBeInstanceOf(CorruptionError)
  })

  test('a file that belongs elsewhere is refused', () => {
    const { fileSystem, built } = buildRelocation(randomRecords(new Prng(seed), 10, 1))
    const expected = { ...built, databaseId: DATABASE_ID }
    const cases: readonly [Partial<typeof expected>, RegExp][] = [
      [{ databaseId: new Uint8Array(16) }, /another database/],
      [{ number: NUMBER + 1 }, /another number/],
      [{ salt: 1 }, /another salt/],
      [{ length: built.length + 1 }, /another length/],
    ]
    for (const [change, message] of cases) {
      const other = { ...expected, ...change }
      expect(() => RelocationReader.open(fileSystem, PATH, NAME, other)).toThrow(message)
    }
    const bytes = fileSystem.contents(PATH)
    writeFileHeader(bytes, 0, { ...IDENTITY, kind: 'segment' })
    fileSystem.replace(PATH, bytes)
    expect(() => RelocationReader.open(fileSystem, PATH, NAME, expected)).toThrow(/another kind/)
  })

  test('pages of another file with the same layout, or of another place, never pass', () => {
    const records = randomRecords(new Prng(seed), 1100, 2)
    const one = buildRelocation(records)
    const others: readonly FileIdentity[] = [
      { ...IDENTITY, salt: 99 },
      { ...IDENTITY, number: NUMBER + 1 },
      { ...IDENTITY, databaseId: new Uint8Array(16) },
    ]
    const good = one.fileSystem.contents(PATH)
    const layout = layoutOf(good)
    for (const identity of others) {
      expect(frameSeed(identity)).not.toBe(FILE_SEED)
      const two = buildRelocation(records, identity).fileSystem.contents(PATH)
      for (const [from, to] of [
        [pageOffset(layout, 0), pageOffset(layout, 1)],
        [layout.fenceOffset, layout.partsOffset],
        [layout.partsOffset, layout.footerOffset],
        [layout.footerOffset, good.length],
      ] as const) {
        const mixed = good.slice()
        mixed.set(two.subarray(from, to), from)
        one.fileSystem.replace(PATH, mixed)
        expect(lookupError(one)).toBeInstanceOf(CorruptionError)
      }
    }
    const moved = good.slice()
    moved.copyWithin(pageOffset(layout, 0), pageOffset(layout, 1), pageOffset(layout, 2))
    one.fileSystem.replace(PATH, moved)
    expect(lookupError(one)).toMatchObject({ offset: layout.recordsEnd })
  })
})
