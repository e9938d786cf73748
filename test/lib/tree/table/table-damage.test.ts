/**
 * Damaged and hostile tables: an error with its place, or correct data, never anything else, and no
 * hang.
 *
 * Hostile means that the checksums are right: whoever made the bytes knew the format.
 */

import { describe, expect, test } from 'vitest'
import { hashRange, readU32, writeU32 } from '#dist/lib/base/bytes.js'
import { crc32From } from '#dist/lib/base/checksum.js'
import { CorruptionError, WiscError } from '#dist/lib/base/errors.js'
import { BlockCache } from '#dist/lib/base/files/block-cache.js'
import { frameSeed } from '#dist/lib/base/files/frame.js'
import { SEQUENCE_MAX } from '#dist/lib/base/ids.js'
import { varintLength } from '#dist/lib/base/varint.js'
import { KIND } from '#dist/lib/tree/entry.js'
import { FOOTER_BYTES, PART, sealBlock, TRAILER_BYTES } from '#dist/lib/tree/table/table-format.js'
import { encodeProperties } from '#dist/lib/tree/table/table-properties.js'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'
import { emptyFound, type ModelEntry, tombstone } from '../memtable/memtable-model.ts'
import {
  buildTable,
  firstBlockLength,
  identityOf,
  layoutOf,
  type ModelTable,
  NAME,
  openTable,
  PATH,
  putTogether,
  randomEntries,
  readEverything,
  TABLE_NUMBER,
  type TablePieces,
  tableOptions,
  takeApart,
  verifyError,
} from './table-model.ts'

const seed = testSeed()
const hint = replayHint(seed)
const FILE_SEED = frameSeed(identityOf(TABLE_NUMBER))

function pointerTo({ key, sequence }: ModelEntry, segment: number): ModelEntry {
  const record = { segment, offset: sequence, length: 1000 }
  return { key, sequence, kind: KIND.pointer, value: undefined, ...record }
}

describe('damage', () => {
  test('each byte of a small table, changed in three ways: reading and verify find it', () => {
    const prng = new Prng(seed)
    const model = randomEntries(prng, 70)
    const table = buildTable(model, tableOptions(500))
    const good = table.fileSystem.contents(PATH)
    for (let at = 0; at < good.length; at++) {
      for (const value of [good[at]! ^ 1, good[at]! ^ 0xff, 0]) {
        if (value === good[at]) continue
        const bad = good.slice()
        bad[at] = value
        table.fileSystem.replace(PATH, bad)
        const error = readEverything(table, model, hint)
        // Bytes 12 and 13 are flags to be ignored, but the header's checksum covers them, too.
        expect(error, `${hint} offset=${at}`).toBeInstanceOf(CorruptionError)
        expect((error as CorruptionError).file).toBe(NAME)
        expect(verifyError(table), `${hint} offset=${at}`).toBeInstanceOf(CorruptionError)
      }
    }
  })

  test('a table that is cut off at any length, or goes on behind its end, is refused', () => {
    const model = randomEntries(new Prng(seed), 40)
    const table = buildTable(model, tableOptions(300))
    const good = table.fileSystem.contents(PATH)
    for (let length = 0; length < good.length; length++) {
      table.fileSystem.replace(PATH, good.slice(0, length))
      expect(readEverything(table, model, hint), `length=${length}`).toBeInstanceOf(CorruptionError)
      // The same for a manifest that believes in that length.
      const meta = { ...table.built.meta, bytes: length }
      const believed = { ...table, built: { ...table.built, meta } }
      expect(readEverything(believed, model, hint), `length=${length}`).toBeInstanceOf(
        CorruptionError,
      )
    }
    const longer = new Uint8Array(good.length + 1)
    longer.set(good)
    table.fileSystem.replace(PATH, longer)
    expect(readEverything(table, model, hint)).toBeInstanceOf(CorruptionError)
  })

  test('a block in the place of another of the same length is found', () => {
    const model = randomEntries(new Prng(seed), 1).flatMap((entry) =>
      [0, 1, 2, 3].map((i) => ({ ...entry, key: Uint8Array.of(i), sequence: 1 + i })),
    )
    const table = buildTable(model, tableOptions(1))
    const bytes = table.fileSystem.contents(PATH)
    const blockBytes = (layoutOf(bytes).dataEnd - 64) / 4
    bytes.copyWithin(64, 64 + blockBytes, 64 + 2 * blockBytes)
    table.fileSystem.replace(PATH, bytes)
    expect(readEverything(table, model, hint)).toMatchObject({ offset: 64 })
  })

  test('a table of another salt is not mixed up: its blocks do not pass', () => {
    const model = randomEntries(new Prng(seed), 60)
    const one = buildTable(model, tableOptions(300))
    const two = buildTable(model, tableOptions(300), { ...identityOf(TABLE_NUMBER), salt: 99 })
    const mixed = one.fileSystem.contents(PATH)
    mixed.set(two.fileSystem.contents(PATH).subarray(64, 2000), 64)
    one.fileSystem.replace(PATH, mixed)
    expect(readEverything(one, model, hint)).toBeInstanceOf(CorruptionError)
  })
})

describe('hostile tables', () => {
  test('random bytes under right checksums: a typed error or some result, and an end', () => {
    const prng = new Prng(seed)
    let opened = 0
    for (let round = 0; round < 3000; round++) {
      const model = randomEntries(prng, 1 + prng.below(60))
      const table = buildTable(model, tableOptions(prng.pick([64, 300, 4096])))
      const bytes = table.fileSystem.contents(PATH)
      damageAndSeal(bytes, prng)
      table.fileSystem.replace(PATH, bytes)
      if (survives(table, model)) opened++
    }
    expect(opened).toBeGreaterThan(0)
  })

  test('F-T6: a part that is named twice, or missing', () => {
    const model = randomEntries(new Prng(seed), 20)
    const table = buildTable(model, tableOptions(4096))
    const good = table.fileSystem.contents(PATH)
    const changes: ((pieces: TablePieces) => void)[] = [
      ({ parts }) => parts.push({ tag: 1, content: new Uint8Array(9), codec: 0 }),
      ({ parts }) => parts.splice(1, 1),
      ({ parts }) => parts.splice(2, 1),
      ({ parts }) => parts.pop(),
    ]
    for (const [i, change] of changes.entries()) {
      const pieces = takeApart(good)
      change(pieces)
      const bytes = putTogether(pieces)
      table.fileSystem.replace(PATH, bytes)
      const built = { ...table.built, meta: { ...table.built.meta, bytes: bytes.length } }
      const error = readEverything({ ...table, built }, model, hint)
      expect(error, `change=${i} ${hint}`).toBeInstanceOf(CorruptionError)
    }
  })

  test('verify finds what checksums cannot: wrong sums, a key that the filter lacks', () => {
    const prng = new Prng(seed)
    const model = randomEntries(prng, 200).map((entry, i) => pointerTo(entry, i % 20))
    const table = buildTable(model, tableOptions(256))
    const good = table.fileSystem.contents(PATH)
    const { filter, references } = layoutOf(good)
    const [first] = openTable(table).references
    const changes: [RegExp, { offset: number; length: number }, number][] = [
      [/filter lacks a key/, filter!, 0],
      // Records of the first reference, behind their count and the number of its segment.
      [/add up to the references/, references, 1 + varintLength(first!.segment)],
      // The last fingerprint.
      [/add up to the references/, references, references.length - 1],
    ]
    for (const [reason, handle, at] of changes) {
      const bytes = good.slice()
      if (reason.source.startsWith('filter'))
        bytes.fill(0, handle.offset + 1, handle.offset + handle.length)
      else {
        bytes[handle.offset + at]! ^= 1
      }
      sealBlock(bytes, handle.offset, handle.offset + handle.length, FILE_SEED, handle.offset)
      table.fileSystem.replace(PATH, bytes)
      expect(() => openTable(table).verify()).toThrow(reason)
    }
  })

  test('a table whose references lack fingerprints, or some, is refused', () => {
    const model = randomEntries(new Prng(seed), 12).map((entry, i) => pointerTo(entry, i))
    const table = buildTable(model, tableOptions(256))
    const good = table.fileSystem.contents(PATH)
    const fieldBytes = 2 + 4 * openTable(table).references.length
    for (const change of [
      (content: Uint8Array) => content.subarray(0, content.length - fieldBytes),
      (content: Uint8Array) => {
        const shorter = content.slice(0, content.length - 4)
        shorter[content.length - fieldBytes + 1]! -= 4
        return shorter
      },
    ]) {
      const pieces = takeApart(good)
      const references = pieces.parts.find(({ tag }) => tag === PART.references)!
      references.content = change(references.content)
      const bytes = putTogether(pieces)
      table.fileSystem.replace(PATH, bytes)
      const built = { ...table.built, meta: { ...table.built.meta, bytes: bytes.length } }
      expect(() => openTable({ ...table, built })).toThrow(/references lack their fingerprints/)
    }
  })

  test('I9: verify finds a wrong figure of the properties', () => {
    const model = randomEntries(new Prng(seed), 200)
    const table = buildTable(model, tableOptions(256))
    const good = table.fileSystem.contents(PATH)
    const { offset, length } = layoutOf(good).properties
    const { properties } = openTable(table)
    for (const figure of ['distinctKeys', 'valueBytes', 'keyBytes'] as const) {
      // Another figure, of as many bytes.
      const other = [1, -1]
        .map((change) => encodeProperties({ ...properties, [figure]: properties[figure] + change }))
        .find((content) => content.length === length)!
      const bytes = good.slice()
      bytes.set(other.bytes.subarray(0, length), offset)
      sealBlock(bytes, offset, offset + length, FILE_SEED, offset)
      table.fileSystem.replace(PATH, bytes)
      expect(() => openTable(table).verify(), hint).toThrow(`do not add up to ${figure}`)
    }
  })

  test('verify finds a bound that does not lie between its blocks', () => {
    // One entry a block, so the bounds are the empty key, "b", and "b" with the last byte of the
    // third key.
    const keys = [[97], [98, 5], [98, 9]]
    const model = keys.map((key, i) => tombstone(Uint8Array.from(key), i + 1))
    const table = buildTable(model, tableOptions(1))
    const good = table.fileSystem.contents(PATH)
    const { index } = layoutOf(good)
    const boundEnd = index.offset + index.length - 1
    expect([...good.subarray(boundEnd - 2, boundEnd)]).toEqual([98, 9])
    // Behind its own block's first entry; at, and before, the last entry of the block in front.
    for (const byte of [10, 5, 3]) {
      const bytes = good.slice()
      bytes[boundEnd - 1] = byte
      sealBlock(bytes, index.offset, index.offset + index.length, FILE_SEED, index.offset)
      table.fileSystem.replace(PATH, bytes)
      expect(() => openTable(table).verify()).toThrow(/index does not fit/)
    }
  })
})

/** Uses a table in every way. @returns true if nothing was refused */
function survives(table: ModelTable, model: readonly ModelEntry[]): boolean {
  const found = emptyFound()
  let refused = false
  const attempts: ((reader: ReturnType<typeof openTable>) => void)[] = [
    (reader) => {
      const cache = new BlockCache(2 ** 20)
      for (const { key } of model) {
        reader.find(key, hashRange(key, 0, key.length, 0), SEQUENCE_MAX, found, cache)
      }
    },
    (reader) => walkBounded(reader, false),
    (reader) => walkBounded(reader, true),
    (reader) => {
      const cursor = reader.cursor()
      for (const { key, sequence } of model) {
        cursor.seek(key, sequence)
        cursor.seekBefore(key)
      }
    },
    (reader) => reader.verify(),
  ]
  for (const attempt of attempts) {
    try {
      attempt(openTable(table))
    } catch (error) {
      if (!(error instanceof WiscError) || error.code === 'WISC_INTERNAL') throw error
      refused = true
    }
  }
  return !refused
}

function walkBounded(reader: ReturnType<typeof openTable>, reverse: boolean): void {
  const cursor = reader.cursor(new BlockCache(2 ** 20))
  let steps = 0
  if (reverse) cursor.seekToLast()
  else cursor.seekToFirst()
  while (cursor.valid) {
    // The bytes of a cached block are its own: nothing is read beyond them.
    const { kind, valueBytes, valueEnd } = cursor.entry
    if (kind === KIND.inline && valueEnd > valueBytes.length) {
      throw new Error('value passes the end of its block')
    }
    if (reverse) cursor.previous()
    else cursor.next()
    if (++steps > 100_000) throw new Error('cursor does not come to an end')
  }
}

/** Changes a few bytes of one block or of the footer, and makes the checksum right again. */
function damageAndSeal(bytes: Uint8Array, prng: Prng): void {
  const { parts, index } = layoutOf(bytes)
  const first = { offset: 64, length: firstBlockLength(bytes, index.offset) }
  const footer = bytes.length - FOOTER_BYTES
  const metaLength = readU32(bytes, footer + 8)
  const metaIndex = { offset: footer - TRAILER_BYTES - metaLength, length: metaLength }
  const handle = prng.pick([first, first, index, metaIndex, ...parts.values()])
  if (prng.chance(0.1)) {
    bytes[footer + prng.below(16)] = prng.below(256)
    writeU32(bytes, footer + 16, crc32From(FILE_SEED, bytes.subarray(footer, footer + 16)))
    return
  }
  for (let changes = 1 + prng.below(4); changes > 0; changes--) {
    const at = handle.offset + prng.below(handle.length)
    bytes[at] = prng.pick([
      0,
      1,
      0x7f,
      0x80,
      0xff,
      prng.below(256),
      bytes[at]! ^ (1 << prng.below(8)),
    ])
  }
  sealBlock(bytes, handle.offset, handle.offset + handle.length, FILE_SEED, handle.offset)
}
