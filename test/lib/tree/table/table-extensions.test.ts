/**
 * What later versions may add (lib/tree/FORMAT.md, section 2.9): in each place of a table something is planted that
 * this version does not know, of both halves and under right checksums, and every reader meets it. What may be left
 * out changes no answer, and a compaction does not carry it over (F-T22); what must be refused is refused, with file
 * and offset.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { hashRange } from '#dist/lib/base/bytes.js'
import { WiscError } from '#dist/lib/base/errors.js'
import { BlockCache } from '#dist/lib/base/files/block-cache.js'
import { joinPath, tableName } from '#dist/lib/base/files/file-names.js'
import { FileNumbers } from '#dist/lib/base/files/file-numbers.js'
import { frameSeed } from '#dist/lib/base/files/frame.js'
import { SEQUENCE_MAX } from '#dist/lib/base/ids.js'
import { openDump } from '#dist/lib/inspect/dump/dump.js'
import type { Item } from '#dist/lib/inspect/dump/items.js'
import { readTable } from '#dist/lib/inspect/salvage/salvage-tables.js'
import { compactionSlices } from '#dist/lib/tree/compaction/compaction.js'
import { Entry, type TableMeta } from '#dist/lib/tree/entry.js'
import { TableBuilder } from '#dist/lib/tree/table/table-builder.js'
import { PART } from '#dist/lib/tree/table/table-format.js'
import { TableReader } from '#dist/lib/tree/table/table-reader.js'
import { tableEntries } from '../../../format/second-reader-tables.ts'
import { MemoryFileSystem } from '../../../support/files/memory-file-system.ts'
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
    refused: { 'a part': part(100) },
  },
  references: {
    leftOut: { 'a field': field(PART.references, 77) },
    refused: { 'a field': field(PART.references, 78) },
  },
  properties: {
    leftOut: { 'a field': field(PART.properties, 77) },
    refused: {
      'a field': field(PART.properties, 78),
      'tags of entries': field(PART.properties, 26, Uint8Array.of(0x14)),
      codecs: field(PART.properties, 28, Uint8Array.of(1)),
    },
  },
  entry: {
    leftOut: { 'ignore bits': entryTag(0xc0) },
    refused: {
      ...Object.fromEntries(
        Array.from({ length: 12 }, (_, i) => [`kind ${3 + i}`, entryKind(3 + i)]),
      ),
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
    olderRanges: [
      {
        smallestKey: new Uint8Array(0),
        largestKey: new Uint8Array(20).fill(255),
        largestExclusive: false,
      },
    ],
    readableSequences: [SEQUENCE_MAX],
    evictedBelow: 0,
    expiredBy: 0,
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
    range: () => undefined,
    lost: () => undefined,
    damage: ({ reason }) => found.damage.push(reason),
  })
  while (!steps.next().done);
  return found
}

/** What the second reader finds: key and sequence of each entry. */
function readAgain({ fileSystem, built }: Pick<ModelTable, 'fileSystem' | 'built'>): string[] {
  const bytes = Buffer.from(fileSystem.contents(PATH))
  const seedOfFile = frameSeed(identityOf(TABLE_NUMBER))
  const entries = tableEntries(bytes, seedOfFile, NAME, built.meta, () => undefined)
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

test('F-T25: a table of range tombstones alone has no block, and no key', () => {
  const fileSystem = new MemoryFileSystem()
  const file = fileSystem.open(PATH, 'create')
  const options = { tableBytes: 4096, blockBytes: 512, filterBitsPerKey: 10 }
  const builder = new TableBuilder(file, identityOf(TABLE_NUMBER), options, 5)
  const [a, c, e] = [Uint8Array.of(97), Uint8Array.of(99), Uint8Array.of(101)]
  builder.addRange({ start: a, end: c, sequences: [9, 7] })
  builder.addRange({ start: e, end: undefined, sequences: [8] })
  const built = builder.finish()
  const span = { smallestKey: a, largestKey: new Uint8Array(0), largestExclusive: true }
  const sequences = { smallestSequence: 7, largestSequence: 9 }
  expect(built.meta).toMatchObject({ entries: 0, fragments: 2, ...span, ...sequences })
  const table = TableReader.open(fileSystem, PATH, NAME, built.meta, DATABASE_ID)
  table.verify()
  expect(table.ranges).toEqual([
    { start: a, end: c, sequences: [9, 7] },
    { start: e, end: undefined, sequences: [8] },
  ])
  const cache = new BlockCache(1000)
  expect(table.find(a, hashRange(a, 0, 1, 0), 100, new Entry(), cache)).toBe(false)
  expect(table.sampleKeys(8, cache)).toEqual([])
  for (const cursor of [table.cursor(cache), table.cursor()]) {
    cursor.seekToFirst()
    expect(cursor.valid).toBe(false)
    cursor.seekToLast()
    expect(cursor.valid).toBe(false)
    cursor.seek(a, 100)
    expect(cursor.valid).toBe(false)
    cursor.seekBefore(e)
    expect(cursor.valid).toBe(false)
  }
  const wrong = { ...built.meta, largestExclusive: false, largestKey: e }
  expect(() => TableReader.open(fileSystem, PATH, NAME, wrong, DATABASE_ID)).toThrow(
    'largestExclusive',
  )
  const found = readAgain({ fileSystem, built })
  expect(found).toEqual([])
})
