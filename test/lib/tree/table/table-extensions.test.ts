/**
 * What later versions may add (lib/tree/FORMAT.md, section 2.9): in each place of a table something is planted that
 * this version does not know, of both halves and under right checksums, and every reader meets it. What may be left
 * out changes no answer, and a compaction does not carry it over (F-T22); what must be refused is refused, with file
 * and offset.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { WiscError } from '#dist/lib/base/errors.js'
import { joinPath, tableName } from '#dist/lib/base/files/file-names.js'
import { FileNumbers } from '#dist/lib/base/files/file-numbers.js'
import { frameSeed } from '#dist/lib/base/files/frame.js'
import { SEQUENCE_MAX } from '#dist/lib/base/ids.js'
import { openDump } from '#dist/lib/inspect/dump/dump.js'
import type { Item } from '#dist/lib/inspect/dump/items.js'
import { readTable } from '#dist/lib/inspect/salvage/salvage-tables.js'
import { compactionSlices } from '#dist/lib/tree/compaction/compaction.js'
import type { TableMeta } from '#dist/lib/tree/entry.js'
import { PART } from '#dist/lib/tree/table/table-format.js'
import { encodeProperties } from '#dist/lib/tree/table/table-properties.js'
import { tableEntries } from '../../../format/second-reader-tables.ts'
import { Prng, replayHint, seededRandom, testSeed } from '../../../support/random.ts'
import {
  buildTable,
  DATABASE_ID,
  identityOf,
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
const OPTIONS = tableOptions(300)
/** Bytes that mean nothing. */
const NOISE = Uint8Array.of(3, 255, 0, 7, 9)
/** The tag of the first entry lies behind two varints of one byte, since keys are short. */
const TAG_AT = 2

type Plant = (pieces: TablePieces) => void

interface Place {
  readonly leftOut: Record<string, Plant>
  readonly refused: Record<string, Plant>
  /** Refused when a reader comes to it, not when it opens the table. */
  readonly isMetLate?: true
}

function headerByte(at: number, value: number): Plant {
  return ({ header }) => {
    header[at] = value
  }
}

/** Behind the parts that are there, or in front of them all. */
function part(tag: number, inFront = false, codec = 0): Plant {
  return ({ parts }) => {
    if (inFront) parts.unshift({ tag, content: NOISE, codec })
    else parts.push({ tag, content: NOISE, codec })
  }
}

/** A field behind all others of a part. */
function field(tagOfPart: number, tag: number, content: Uint8Array = NOISE): Plant {
  return ({ parts }) => {
    const target = parts.find((one) => one.tag === tagOfPart)!
    target.content = Buffer.concat([target.content, Uint8Array.of(tag, content.length), content])
  }
}

function entryTag(bits: number): Plant {
  return ({ firstBlock }) => {
    firstBlock!.content[TAG_AT]! |= bits
  }
}

function entryKind(kind: number): Plant {
  return ({ firstBlock }) => {
    firstBlock!.content[TAG_AT] = kind
  }
}

function codecOf(tag: number): Plant {
  return ({ parts }) => {
    parts.find((one) => one.tag === tag)!.codec = 1
  }
}

const PLACES: Readonly<Record<string, Place>> = {
  'file header': {
    leftOut: { 'ignore flags': headerByte(12, 0xff) },
    refused: {
      'a refuse flag': headerByte(14, 1),
      'another version': headerByte(8, 99),
      'a cipher': headerByte(11, 1),
    },
  },
  footer: {
    leftOut: {
      'ignore flags': (pieces) => {
        pieces.ignoreFlags = 0xffff
      },
    },
    refused: {
      'a refuse flag': (pieces) => {
        pieces.refuseFlags = 0x8000
      },
    },
  },
  'meta index': {
    leftOut: { 'a part': part(101), 'a part before all others': part(3, true) },
    refused: { 'a part': part(100), 'range tombstones': part(8) },
  },
  references: {
    leftOut: { 'a field': field(PART.references, 77), expiries: field(PART.references, 3) },
    refused: { 'a field': field(PART.references, 78) },
  },
  properties: {
    leftOut: { 'a field': field(PART.properties, 77) },
    refused: {
      'a field': field(PART.properties, 78),
      'an exclusive bound': field(PART.properties, 24, new Uint8Array(0)),
      'tags of entries': field(PART.properties, 26, Uint8Array.of(0x12)),
      codecs: field(PART.properties, 28, Uint8Array.of(1)),
    },
  },
  entry: {
    leftOut: { 'ignore bits': entryTag(0xc0) },
    refused: {
      ...Object.fromEntries(
        Array.from({ length: 12 }, (_, i) => [`kind ${3 + i}`, entryKind(3 + i)]),
      ),
      expiry: entryTag(0x10),
      'a refuse bit': entryTag(0x20),
      'a refuse bit beside kind 15': entryKind(0x2f),
    },
    isMetLate: true,
  },
  block: {
    leftOut: { 'the codec of a part that is left out': part(101, false, 9) },
    refused: {
      'of the index': codecOf(PART.index),
      'of the filter': codecOf(PART.filter),
      'of a data block': ({ firstBlock }) => {
        firstBlock!.codec = 2
      },
    },
    isMetLate: true,
  },
}

const MODEL = randomEntries(new Prng(seed), 120)
const TABLE = buildTable(MODEL, OPTIONS)

/** The table with something planted, and a manifest that knows its length. */
function planted(plant: Plant): ModelTable {
  const pieces = takeApart(TABLE.fileSystem.contents(PATH))
  plant(pieces)
  const bytes = putTogether(pieces)
  const { fileSystem } = buildTable(MODEL, OPTIONS)
  fileSystem.replace(PATH, bytes)
  const meta = { ...TABLE.built.meta, bytes: bytes.length }
  return { fileSystem, built: { ...TABLE.built, meta } }
}

/** What a compaction makes of a table: its files, byte for byte. */
function compacted({ fileSystem, built }: ModelTable): [TableMeta, Uint8Array][] {
  const numbers = new FileNumbers()
  numbers.skip(100)
  const input = {
    directory: '/db',
    databaseId: DATABASE_ID,
    fileNumbers: numbers.memory,
    tableOptions: OPTIONS,
    inputs: [[built.meta]],
    olderRanges: [{ smallestKey: new Uint8Array(0), largestKey: new Uint8Array(20).fill(255) }],
    readableSequences: [SEQUENCE_MAX],
  }
  const steps = compactionSlices(input, { fileSystem, random: seededRandom(1) })
  for (;;) {
    const step = steps.next()
    if (!step.done) continue
    return step.value.tables.map(({ meta }) => {
      const bytes = fileSystem.contents(joinPath('/db', tableName(meta.number)))
      return [meta, bytes]
    })
  }
}

function dumped({ fileSystem }: ModelTable): Item[] {
  const dump = openDump(PATH, { fileSystem })
  try {
    return [...dump.items]
  } finally {
    dump.close()
  }
}

/** What a salvage makes of a table. */
function salvaged({ fileSystem }: ModelTable): { entries: number; damage: string[] } {
  const found = { entries: 0, damage: [] as string[] }
  const steps = readTable(fileSystem.open(PATH, 'read'), TABLE_NUMBER, DATABASE_ID, undefined, {
    entry: () => found.entries++,
    lost: () => undefined,
    damage: ({ reason }) => found.damage.push(reason),
  })
  while (!steps.next().done);
  return found
}

/** What the second reader finds: key and sequence of each entry. */
function readAgain({ fileSystem, built }: ModelTable): string[] {
  const bytes = Buffer.from(fileSystem.contents(PATH))
  const seedOfFile = frameSeed(identityOf(TABLE_NUMBER))
  const entries = tableEntries(bytes, seedOfFile, NAME, built.meta.entries)
  return [...entries].map(({ key, sequence }) => `${key.toString('hex')}@${sequence}`)
}

function expectRefused(error: unknown): void {
  expect(error, hint).toBeInstanceOf(WiscError)
  expect(error, hint).toMatchObject({ code: 'WISC_FORMAT_VERSION' })
  expect((error as WiscError).message, hint).toMatch(new RegExp(`file=${NAME} offset=\\d+`))
}

function errorOf(run: () => unknown): unknown {
  try {
    run()
    return undefined
  } catch (error) {
    return error
  }
}

test('the list has each place of the page', () => {
  const page = readFileSync(new URL('../../../../lib/tree/FORMAT.md', import.meta.url), 'utf8')
  const section = page.slice(page.indexOf('### 2.9'), page.indexOf('**Reserved**'))
  const places = [...section.matchAll(/^\| ([a-z ]+?) +\|/gm)].map(([, place]) => place)
  expect(places).toEqual(['place', ...Object.keys(PLACES)])
})

test('a table that is taken apart and put together is the same', () => {
  expect(planted(() => undefined).fileSystem.contents(PATH)).toEqual(
    TABLE.fileSystem.contents(PATH),
  )
})

describe.each(Object.entries(PLACES))('%s', (name, { leftOut, refused, isMetLate }) => {
  test.each(Object.entries(leftOut))('leaves out %s', (_what, plant) => {
    const table = planted(plant)
    expect(table.fileSystem.contents(PATH)).not.toEqual(TABLE.fileSystem.contents(PATH))
    expect(readEverything(table, MODEL, hint)).toBe(undefined)
    expect(verifyError(table), hint).toBe(undefined)
    expect(compacted(table), hint).toEqual(compacted(buildTable(MODEL, OPTIONS)))
    expect(salvaged(table), hint).toEqual({ entries: MODEL.length, damage: [] })
    expect(readAgain(table), hint).toEqual(readAgain(TABLE))
    const items = dumped(table)
    expect(items.filter(({ damage }) => damage)).toEqual([])
    expect(items.filter(({ what }) => what === 'entry')).toHaveLength(MODEL.length)
  })

  test.each(Object.entries(refused))('refuses %s', (what, plant) => {
    const table = planted(plant)
    expectRefused(readEverything(table, MODEL, hint))
    expectRefused(verifyError(table))
    expectRefused(errorOf(() => compacted(table)))
    const files = [...table.fileSystem.files.keys()]
    expect(files, hint).toEqual([PATH])
    if (!isMetLate) expectRefused(errorOf(() => openTable(table)))
    const codes = dumped(table).flatMap(({ damage }) => damage?.code ?? [])
    expect(codes, hint).toContain('WISC_FORMAT_VERSION')
    // Those that read all of the entries and ask no filter.
    if (what === 'of the filter') return
    expectRefused(errorOf(() => salvaged(table)))
    // The header of a file is the business of whoever calls it.
    if (name !== 'file header') expect(() => readAgain(table), hint).toThrow()
  })
})

test('verify proves what a reader leaves out, too', () => {
  const table = planted(part(101))
  const bytes = table.fileSystem.contents(PATH)
  bytes[Buffer.from(bytes).indexOf(NOISE)]! ^= 1
  table.fileSystem.replace(PATH, bytes)
  expect(readEverything(table, MODEL, hint)).toBe(undefined)
  expect(verifyError(table)).toMatchObject({ code: 'WISC_CORRUPTION' })
})

test('F-T25: a table of range tombstones alone is refused for them, not for what it lacks', () => {
  const bounds = { smallestKey: Uint8Array.of(97), largestKey: Uint8Array.of(99) }
  const none = { entries: 0, tombstones: 0, distinctKeys: 0, pointedBytes: 0, valueBytes: 0 }
  const { smallestSequence } = TABLE.built.meta
  const table = planted((pieces) => {
    const properties = encodeProperties({
      ...TABLE.built.meta,
      ...none,
      ...bounds,
      keyBytes: 0,
      baseSequence: smallestSequence,
      largestSequence: smallestSequence,
    })
    pieces.firstBlock = undefined
    pieces.otherBlocks = new Uint8Array(0)
    pieces.parts = [
      // From "a" on, below "c", one sequence.
      { tag: 8, content: Uint8Array.of(1, 1, 97, 1, 99, 1, 0), codec: 0 },
      { tag: PART.index, content: Uint8Array.of(0), codec: 0 },
      { tag: PART.references, content: Uint8Array.of(0, 2, 0), codec: 0 },
      {
        tag: PART.properties,
        content: Buffer.concat([
          properties.bytes.subarray(0, properties.length),
          Uint8Array.of(24, 0),
        ]),
        codec: 0,
      },
    ]
  })
  const meta = { ...table.built.meta, ...bounds, ...none, largestSequence: smallestSequence }
  const error = errorOf(() => openTable({ ...table, built: { ...table.built, meta } }))
  expectRefused(error)
  expect((error as WiscError).message).toContain('part of the table')
  expect((error as WiscError).message).toContain('tag=8')
})
