/**
 * Hostile relocations: the checksums are right, for whoever made the bytes knew the format. An error with its place or
 * some place among the records, never anything else, and no hang.
 */
import { describe, expect, test } from 'vitest'
import { readU64, writeU32, writeU64 } from '#dist/lib/base/bytes.js'
import { crc32From } from '#dist/lib/base/checksum.js'
import { CorruptionError } from '#dist/lib/base/errors.js'
import { BlockCache } from '#dist/lib/base/files/block-cache.js'
import { RECORD_KIND } from '#dist/vlog/record.js'
import {
  CHECKSUM_BYTES,
  ENTRY_BYTES,
  encodeRelocationFooter,
  FENCE_ENTRY_BYTES,
  FOOTER_BYTES,
  PART_BYTES,
  pageEntries,
  pageOffset,
  RELOCATION_HEADER_BYTES,
  type RelocationLayout,
  readU48,
  sealRelocationBlock,
  writeU48,
} from '#dist/vlog/relocation/relocation-format.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'
import {
  buildRelocation,
  errorOf,
  FILE_SEED,
  layoutOf,
  lookupError,
  type ModelRelocation,
  openRelocation,
  PATH,
  randomRecords,
  replaced,
  verifyError,
} from './relocation-model.ts'

const seed = testSeed()
const hint = replayHint(seed)

/** Puts a footer behind what is there now. */
function sealFooter(bytes: Uint8Array, layout: RelocationLayout): void {
  bytes.set(encodeRelocationFooter(layout, FILE_SEED), bytes.length - FOOTER_BYTES)
}

function sealPage(bytes: Uint8Array, layout: RelocationLayout, page: number): void {
  const start = pageOffset(layout, page)
  sealRelocationBlock(
    bytes,
    start,
    start + pageEntries(layout, page) * ENTRY_BYTES,
    FILE_SEED,
    start,
  )
}

function sealFence(bytes: Uint8Array, layout: RelocationLayout): void {
  const { fenceOffset, partsOffset } = layout
  sealRelocationBlock(bytes, fenceOffset, partsOffset - CHECKSUM_BYTES, FILE_SEED, fenceOffset)
}

function sealParts(bytes: Uint8Array, layout: RelocationLayout): void {
  const { partsOffset, footerOffset } = layout
  sealRelocationBlock(bytes, partsOffset, footerOffset - CHECKSUM_BYTES, FILE_SEED, partsOffset)
}

describe('hostile relocations', () => {
  const records = randomRecords(new Prng(seed), 1000, 3)
  const relocation = buildRelocation(records)
  const good = relocation.fileSystem.contents(PATH)
  const layout = layoutOf(good)

  function changed(change: (bytes: Uint8Array) => void): ModelRelocation {
    const bytes = good.slice()
    change(bytes)
    return replaced(relocation, bytes)
  }

  test('lengths and counts of the footer that do not fit the file', () => {
    for (const [at, width] of [
      [0, 8],
      [8, 8],
      [16, 8],
      [24, 8],
      [32, 4],
      [40, 8],
    ] as const) {
      for (const value of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 48, 2 ** 53 - 1, 'all bits'] as const) {
        const bad = changed((bytes) => {
          const footer = bytes.subarray(layout.footerOffset)
          if (value === 'all bits') footer.fill(0xff, at, at + width)
          else if (width === 8) writeU64(footer, at, value)
          else writeU32(footer, at, value)
          writeU32(footer, 52, crc32From(FILE_SEED, footer.subarray(0, 52)))
        })
        const error = lookupError(bad)
        expect(error, `at=${at} value=${value}`).toBeInstanceOf(CorruptionError)
        expect(error).toMatchObject({ offset: layout.footerOffset })
      }
    }
  })

  test('flags of the footer: unknown ones to refuse are a newer format, others are ignored', () => {
    const flagged = (at: number): ModelRelocation =>
      changed((bytes) => {
        const footer = bytes.subarray(layout.footerOffset)
        footer[at] = 0x80
        writeU32(footer, 52, crc32From(FILE_SEED, footer.subarray(0, 52)))
      })
    expect(lookupError(flagged(50))).toMatchObject({ code: 'WISC_FORMAT_VERSION' })
    expect(lookupError(flagged(51))).toMatchObject({ code: 'WISC_FORMAT_VERSION' })
    expect(lookupError(flagged(48))).toBeUndefined()
    expect(verifyError(flagged(49))).toBeUndefined()
  })

  test('parts that are out of order, empty, or do not add up', () => {
    const at = layout.partsOffset
    const first = relocation.built.parts[0]!
    const changes: readonly ((bytes: Uint8Array) => void)[] = [
      (bytes) => writeU64(bytes, at, relocation.built.parts[1]!.segment),
      (bytes) => writeU64(bytes, at + 2 * PART_BYTES, 2 ** 32),
      (bytes) => writeU64(bytes, at + 8, 0),
      (bytes) => writeU64(bytes, at + 8, first.records + 1),
      (bytes) => writeU64(bytes, at + 16, first.bytes - 1),
      (bytes) => bytes.fill(0xff, at + 16, at + 24),
    ]
    for (const [i, change] of changes.entries()) {
      const bad = changed((bytes) => {
        change(bytes)
        sealParts(bytes, layout)
      })
      const error = lookupError(bad)
      expect(error, `change ${i}`).toBeInstanceOf(CorruptionError)
      // Opening finds it, before any page is read.
      expect((error as CorruptionError).offset, `change ${i}`).toBeGreaterThanOrEqual(at)
    }
  })

  test('parts that add up, but not with the records: verify finds it', () => {
    const shifted = changed((bytes) => {
      const at = layout.partsOffset
      const [first, second] = relocation.built.parts
      writeU64(bytes, at + 16, first!.bytes + 40)
      writeU64(bytes, at + PART_BYTES + 16, second!.bytes - 40)
      sealParts(bytes, layout)
    })
    expect(verifyError(shifted)?.message).toMatch(/add up to the part/)
  })

  test('a fence that does not fit its pages', () => {
    for (const page of [0, 1, 2]) {
      for (const difference of [-1, 1]) {
        const bad = changed((bytes) => {
          const at = layout.fenceOffset + page * FENCE_ENTRY_BYTES
          writeU48(bytes, at, readU48(bytes, at) + difference)
          sealFence(bytes, layout)
        })
        expect(() => openRelocation(bad).addresses(), `page ${page}`).toThrow(/fence/)
        expect(verifyError(bad), `page ${page}`).toBeInstanceOf(CorruptionError)
      }
    }
  })

  test('entries out of order, twice the same, or outside of the records', () => {
    const page = pageOffset(layout, 1)
    const entry = page + 100 * ENTRY_BYTES
    const before = entry - ENTRY_BYTES
    const changes: readonly ((bytes: Uint8Array) => void)[] = [
      (bytes) => writeU48(bytes, entry, readU48(bytes, before)),
      (bytes) => writeU48(bytes, entry, readU48(bytes, before) - 1),
      (bytes) => writeU48(bytes, entry + 6, RELOCATION_HEADER_BYTES - 1),
      (bytes) => writeU48(bytes, entry + 6, layout.recordsEnd - 39),
      (bytes) => writeU48(bytes, entry + 6, 2 ** 48 - 1),
    ]
    for (const [i, change] of changes.entries()) {
      const bad = changed((bytes) => {
        change(bytes)
        sealPage(bytes, layout, 1)
      })
      expect(lookupError(bad), `change ${i}`).toMatchObject({ offset: entry })
    }
  })

  test('pages of one segment that do not follow each other', () => {
    const whole = buildRelocation(randomRecords(new Prng(seed), 700, 1))
    const bytes = whole.fileSystem.contents(PATH)
    const ends = layoutOf(bytes)
    const second = readU48(bytes, ends.fenceOffset + FENCE_ENTRY_BYTES)
    const lastOfFirst = pageOffset(ends, 1) - CHECKSUM_BYTES - ENTRY_BYTES
    for (const offset of [second, second + 1]) {
      const bad = bytes.slice()
      writeU48(bad, lastOfFirst, offset)
      sealPage(bad, ends, 0)
      expect(lookupError(replaced(whole, bad))).toMatchObject({ offset: ends.recordsEnd })
    }
    // Opening finds a fence that is out of order.
    const bad = bytes.slice()
    writeU48(bad, ends.fenceOffset, second)
    sealFence(bad, ends)
    const opening = errorOf(() => openRelocation(replaced(whole, bad)))
    expect(opening).toMatchObject({ offset: ends.fenceOffset })
  })

  test('places that are not those of the records: verify finds it, addresses what it can', () => {
    const entry = pageOffset(layout, 1) + 100 * ENTRY_BYTES
    const move = (place: (bytes: Uint8Array) => number): ModelRelocation =>
      changed((bytes) => {
        writeU48(bytes, entry + 6, place(bytes))
        sealPage(bytes, layout, 1)
      })
    const twice = move((bytes) => readU48(bytes, entry - 6))
    expect(() => openRelocation(twice).addresses()).toThrow(/two addresses/)
    expect(verifyError(twice)).toBeInstanceOf(CorruptionError)
    const inside = move((bytes) => readU48(bytes, entry + 6) + 1)
    expect(verifyError(inside)).toBeInstanceOf(CorruptionError)
  })

  test('two entries of one segment that lead to the records of each other are left to who reads them', () => {
    // Readers hold key and sequence of a record against their entry.
    const swapped = changed((bytes) => {
      const left = pageOffset(layout, 0) + 6
      const right = left + ENTRY_BYTES
      const place = readU48(bytes, left)
      writeU48(bytes, left, readU48(bytes, right))
      writeU48(bytes, right, place)
      sealPage(bytes, layout, 0)
    })
    expect(verifyError(swapped)).toBeUndefined()
  })

  test('a footer over fewer records leaves records without an address', () => {
    // The last record of the file belongs to nobody: all sums are made to fit but those of the walk.
    const last = relocation.places.length - 1
    const bytes = buildRelocation(records.slice(0, last)).fileSystem.contents(PATH)
    const small = layoutOf(bytes)
    const rest = records[last]!.bytes
    const bad = new Uint8Array(bytes.length + rest.length)
    bad.set(bytes.subarray(0, small.recordsEnd))
    bad.set(rest, small.recordsEnd)
    bad.set(bytes.subarray(small.recordsEnd), small.recordsEnd + rest.length)
    const layoutOfBad: RelocationLayout = {
      ...small,
      recordsEnd: small.recordsEnd + rest.length,
      fenceOffset: small.fenceOffset + rest.length,
      partsOffset: small.partsOffset + rest.length,
      footerOffset: small.footerOffset + rest.length,
      fileBytes: small.fileBytes + rest.length,
    }
    const at = layoutOfBad.partsOffset
    const view = new DataView(bad.buffer)
    view.setBigUint64(at + 16, view.getBigUint64(at + 16, true) + BigInt(rest.length), true)
    for (let page = 0; page < small.pages; page++) sealPage(bad, layoutOfBad, page)
    sealFence(bad, layoutOfBad)
    sealParts(bad, layoutOfBad)
    sealFooter(bad, layoutOfBad)
    const believed = replaced({ ...relocation, records: [], places: [] }, bad)
    expect(lookupError(believed)).toBeUndefined()
    expect(verifyError(believed)?.message).toMatch(/does not fit its records/)
  })

  test('records of a newer version', () => {
    for (const [at, code] of [
      [11, 'WISC_FORMAT_VERSION'],
      [9, 'WISC_CODEC_UNAVAILABLE'],
    ] as const) {
      const bad = changed((bytes) => {
        const place = relocation.places[5]!
        const head = 40 + bytes[place + 12]!
        bytes[place + at] = 2
        writeU32(bytes, place, crc32From(0, bytes.subarray(place + 8, place + head)))
      })
      expect(verifyError(bad)).toMatchObject({ code })
    }
  })

  test('F-V28: a record that no entry can point to', () => {
    const bad = changed((bytes) => {
      // A delete has no value.
      const place = relocation.places.find((at) => readU64(bytes, at + 24) === 0)!
      bytes[place + 8] = RECORD_KIND.delete
      const head = 40 + bytes[place + 12]!
      writeU32(bytes, place, crc32From(0, bytes.subarray(place + 8, place + head)))
    })
    expect(verifyError(bad)?.message).toMatch(/that no entry can point to/)
  })

  test('random bytes under right checksums: a typed error or some result, in bounded time', () => {
    const prng = new Prng(seed)
    let opened = 0
    for (let round = 0; round < 1000; round++) {
      const small = buildRelocation(randomRecords(prng, 1 + prng.below(40), 1 + prng.below(5)))
      const bytes = small.fileSystem.contents(PATH)
      const { recordsEnd, footerOffset } = layoutOf(bytes)
      for (let count = 1 + prng.below(3); count > 0; count--) {
        bytes[recordsEnd + prng.below(bytes.length - recordsEnd)] = prng.below(256)
      }
      const old = layoutOf(small.fileSystem.contents(PATH))
      sealPage(bytes, old, 0)
      sealFence(bytes, old)
      sealParts(bytes, old)
      const footer = bytes.subarray(footerOffset)
      writeU32(footer, 52, crc32From(FILE_SEED, footer.subarray(0, 52)))
      const bad = replaced(small, bytes)
      const error = errorOf(() => {
        const reader = openRelocation(bad)
        opened++
        const cache = new BlockCache(65536)
        for (const { segment, offset } of small.records) {
          const place = reader.locate(segment, offset, cache)
          expect(place === -1 || (place >= 64 && place < recordsEnd), hint).toBe(true)
        }
        reader.addresses()
        reader.verify()
      })
      if (error) expect(['WISC_CORRUPTION', 'WISC_FORMAT_VERSION'], hint).toContain(error.code)
    }
    expect(opened).toBeGreaterThan(50)
  })
})
