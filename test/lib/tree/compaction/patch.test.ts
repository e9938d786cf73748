/** Patches of tables (lib/tree/compaction/patch.ts) against the rule in its own words, and against merges. */
import { expect, test } from 'vitest'
import { joinPath, tableName } from '#dist/lib/base/files/file-names.js'
import { systemRandom } from '#dist/lib/base/random.js'
import { compactionSlices } from '#dist/lib/tree/compaction/compaction.js'
import { flushSlices } from '#dist/lib/tree/compaction/flush.js'
import type { RecordPlaces } from '#dist/lib/tree/compaction/fold.js'
import { InputRun } from '#dist/lib/tree/compaction/input-run.js'
import { MergeCursor } from '#dist/lib/tree/compaction/merge-cursor.js'
import { canPatch } from '#dist/lib/tree/compaction/patch.js'
import type { RunResult } from '#dist/lib/tree/compaction/retained-run.js'
import { KIND, type TableMeta, type TableOptions } from '#dist/lib/tree/entry.js'
import { TableReader } from '#dist/lib/tree/table/table-reader.js'
import { memoryDirectory, memoryDisk } from '../../../support/files/memory-directory.ts'
import { compareEntries, type TestEntry } from '../../../support/parts/array-cursor.ts'
import {
  compactionJob,
  flushJob,
  freeze,
  readTables,
  TABLE_OPTIONS,
} from '../../../support/parts/job-fixtures.ts'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'
import { runSlices } from '../../../support/run-slices.ts'

type Run = readonly TableMeta[]

const PORTS = { fileSystem: memoryDisk, random: systemRandom }
/** Folds nothing, but has pointers looked at: what is merged and not patched. */
const MERGES: RecordPlaces = { segment: 0, offset: 0, find: () => false }

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** A store in its words: the newest put of each key, and the next sequence. */
class Model {
  readonly directory: string = memoryDirectory()
  readonly newest: Map<string, TestEntry> = new Map()
  readonly prng: Prng
  sequence = 0

  constructor(prng: Prng) {
    this.prng = prng
  }

  put(name: string): TestEntry {
    const { prng } = this
    const key = text(name)
    const sequence = ++this.sequence
    const entry: TestEntry = prng.chance(0.2)
      ? {
          key,
          sequence,
          kind: KIND.inline,
          value: prng.bytes(prng.below(prng.chance(0.1) ? 400 : 60)),
        }
      : {
          key,
          sequence,
          kind: KIND.pointer,
          segment: 1 + prng.below(3) + Math.floor(sequence / 500),
          offset: prng.below(2 ** 40),
          length: 80 + prng.below(9000),
        }
    this.newest.set(name, entry)
    return entry
  }

  entries(): TestEntry[] {
    return [...this.newest.values()].sort(compareEntries)
  }

  flush(entries: readonly TestEntry[]): Run {
    const { arena, frozen } = freeze(1, entries)
    const ports = {
      ...PORTS,
      arenaBuffer: () => arena.buffer,
      readDeferred: () => new Uint8Array(0),
    }
    // A reader at each sequence: nothing is left out.
    const readable = entries.map(({ sequence }) => sequence)
    const job = flushJob(this.directory, frozen, readable)
    return metas(runSlices(flushSlices(job, ports)))
  }

  /** @param runs newest first */
  compact(runs: readonly Run[], places?: RecordPlaces, readable = [this.sequence]): RunResult {
    return runSlices(compactionSlices(compactionJob(this.directory, runs, readable), PORTS, places))
  }

  mayPatch(
    runs: readonly Run[],
    readable: readonly number[] = [this.sequence],
    tableOptions: TableOptions = TABLE_OPTIONS,
  ): boolean {
    const job = { ...compactionJob(this.directory, runs, readable), tableOptions }
    const inputs = runs.slice(0, -1).map((tables) => new InputRun(tables, job, memoryDisk))
    try {
      return canPatch(job, new MergeCursor(inputs.map(({ cursor }) => cursor)), PORTS)
    } finally {
      for (const input of inputs) input.close()
    }
  }

  open(meta: TableMeta): TableReader {
    const name = tableName(meta.number)
    const { databaseId } = compactionJob(this.directory, [], [1])
    return TableReader.open(memoryDisk, joinPath(this.directory, name), name, meta, databaseId)
  }

  /** What tables say of themselves, sums over all of them. */
  figures(tables: Run): object {
    const sums = { entries: 0, keys: 0, keyBytes: 0, valueBytes: 0, pointedBytes: 0 }
    const references = new Map<number, { records: number; bytes: number; fingerprint: number }>()
    for (const meta of tables) {
      const reader = this.open(meta)
      const { distinctKeys, keyBytes, valueBytes, entries, pointedBytes } = reader.properties
      sums.entries += entries
      sums.keys += distinctKeys
      sums.keyBytes += keyBytes
      sums.valueBytes += valueBytes
      sums.pointedBytes += pointedBytes
      for (const { segment, records, bytes, fingerprint } of reader.references) {
        const sum = references.get(segment) ?? { records: 0, bytes: 0, fingerprint: 0 }
        sum.records += records
        sum.bytes += bytes
        sum.fingerprint = (sum.fingerprint + fingerprint) | 0
        references.set(segment, sum)
      }
      reader.close()
    }
    return { ...sums, references: [...references].sort(([left], [right]) => left - right) }
  }
}

const metas = ({ tables }: RunResult): Run => tables.map(({ meta }) => meta)
const nameOf = (i: number): string => `key${String(i).padStart(6, '0')}`

/** Strings are compared in no time. */
function shown(entries: readonly TestEntry[]): string[] {
  return entries.map(({ key, sequence, kind, value, segment, offset, length }) => {
    const place = kind === KIND.pointer ? `${segment} ${offset} ${length}` : ''
    return `${Buffer.from(key)} ${sequence} ${kind} ${value && Buffer.from(value).toString('hex')} ${place}`
  })
}

function deadPlaces({ dead }: RunResult): string[] {
  const segments = [...dead.segments].flatMap((segment, i) =>
    Array.from({ length: dead.counts[i]! }, () => segment),
  )
  return segments.map((segment, i) => `${segment} ${dead.offsets[i]} ${dead.lengths[i]}`).sort()
}

/** A run of these many keys, merged. */
function loaded(model: Model, keys: number): Run {
  const entries = Array.from({ length: keys }, (_, i) => model.put(nameOf(10 * i)))
  return metas(model.compact([model.flush(entries)]))
}

/** Newer puts of keys that are there, and now and then of others, before, between and behind them. */
function overwrite(model: Model, keys: number, count: number, othersShare: number): Run {
  const { prng } = model
  const entries = Array.from({ length: count }, () => {
    const isOther = prng.chance(othersShare)
    const place = 10 * prng.below(keys)
    if (!isOther) return model.put(nameOf(place))
    return model.put(
      prng.pick([nameOf(place + 1 + prng.below(9)), 'a', `z${prng.below(9)}`, 'key']),
    )
  })
  return model.flush(entries)
}

test('what is patched is what would be merged, for ever', () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  for (let round = 0; round < 4; round++) {
    const model = new Model(prng.fork())
    const keys = 200 + prng.below(1500)
    const othersShare = prng.pick([0, 0, 0.01, 0.2])
    let oldest = loaded(model, keys)
    let patched = 0
    try {
      for (let i = 0; i < 12; i++) {
        const counts = Array.from({ length: 1 + prng.below(3) }, () => 1 + prng.below(keys / 25))
        const newer = counts.map((count) => overwrite(model, keys, count, othersShare)).reverse()
        const runs = [...newer, oldest]
        const isPatch = model.mayPatch(runs)
        if (isPatch) patched++
        const merged = model.compact(runs, MERGES)
        const result = model.compact(runs)
        const { entriesIn, entriesOut } = merged
        expect(result).toMatchObject({ entriesIn, entriesOut, foldedPointers: 0 })
        expect(deadPlaces(result)).toEqual(deadPlaces(merged))
        // Each table has been verified by that, its filter and its references, too.
        expect(shown(readTables(model.directory, metas(result)))).toEqual(shown(model.entries()))
        expect(model.figures(metas(result))).toEqual(model.figures(metas(merged)))
        if (isPatch) expect(result.tables.length).toBe(oldest.length)
        oldest = metas(result)
        checkTables(model, oldest)
      }
      expect(patched).toBeGreaterThan(othersShare > 0.1 ? 0 : 6)
    } catch (error) {
      throw new Error(`round=${round} keys=${keys} ${replayHint(seed)}`, { cause: error })
    }
  }
})

/** Manifest and tables say the same of each other: `open` holds them against each other. */
function checkTables(model: Model, tables: Run): void {
  const largest = model.entries().reduce((most, { sequence }) => Math.max(most, sequence), 0)
  expect(Math.max(...tables.map(({ largestSequence }) => largestSequence))).toBe(largest)
  for (const table of tables) {
    const reader = model.open(table)
    const { offsets } = reader.contents().blocks.index
    // No block grows with the entries that are spliced in.
    for (let i = 1; i < offsets.length; i++) {
      expect(offsets[i]! - offsets[i - 1]!).toBeLessThan(1.6 * TABLE_OPTIONS.blockBytes)
    }
    reader.close()
  }
}

test('only the plain case is patched', () => {
  const model = new Model(new Prng(7))
  const oldest = loaded(model, 800)
  const newer = overwrite(model, 800, 40, 0)
  expect(model.mayPatch([newer, oldest])).toBe(true)
  expect(model.mayPatch([oldest])).toBe(false)
  // Somebody else reads, or not everything is to be seen yet.
  expect(model.mayPatch([newer, oldest], [3, model.sequence])).toBe(false)
  expect(model.mayPatch([newer, oldest], [model.sequence - 1])).toBe(false)
  // Another filter, larger tables, none.
  expect(
    model.mayPatch([newer, oldest], undefined, { ...TABLE_OPTIONS, filterBitsPerKey: 20 }),
  ).toBe(false)
  expect(
    model.mayPatch([newer, oldest], undefined, { ...TABLE_OPTIONS, filterBitsPerKey: 0 }),
  ).toBe(false)
  expect(
    model.mayPatch([newer, oldest], undefined, { ...TABLE_OPTIONS, tableBytes: 2 ** 20 }),
  ).toBe(false)
  expect(model.mayPatch([newer, oldest], undefined, { ...TABLE_OPTIONS, tableBytes: 1024 })).toBe(
    false,
  )
  // Too much of one table is newer.
  const dense = model.flush(Array.from({ length: 60 }, (_, i) => model.put(nameOf(10 * i))))
  expect(model.mayPatch([dense, oldest])).toBe(false)
  // Few newer entries, but long.
  const value = new Uint8Array(4096)
  const long = { key: text(nameOf(0)), sequence: ++model.sequence, kind: KIND.inline, value }
  expect(model.mayPatch([model.flush([long]), oldest])).toBe(false)
  // A tombstone, wherever it is.
  const tombstone = { key: text(nameOf(10)), sequence: ++model.sequence, kind: KIND.tombstone }
  expect(model.mayPatch([model.flush([tombstone]), oldest])).toBe(false)
  expect(model.mayPatch([newer, oldest, model.flush([tombstone])])).toBe(false)
  // An old table that has kept older entries for somebody.
  const kept = metas(model.compact([newer, oldest], undefined, [800, model.sequence]))
  expect(model.mayPatch([overwrite(model, 800, 9, 0), kept])).toBe(false)
})

test('references of which nothing is left are counted, and make a merge in the end', () => {
  const model = new Model(new Prng(8))
  let oldest = loaded(model, 60)
  let spent = 0
  let merged = 0
  for (let i = 0; i < 90; i++) {
    const entries = Array.from({ length: 5 }, (_, n): TestEntry => {
      const name = nameOf(10 * ((i * 5 + n) % 60))
      const sequence = ++model.sequence
      const place = { segment: 100 + i, offset: 8 * n, length: 90 }
      const entry = { key: text(name), sequence, kind: KIND.pointer, ...place }
      model.newest.set(name, entry)
      return entry
    })
    const runs = [model.flush(entries), oldest]
    if (!model.mayPatch(runs)) merged++
    oldest = metas(model.compact(runs))
    expect(shown(readTables(model.directory, oldest))).toEqual(shown(model.entries()))
    for (const table of oldest) {
      const reader = model.open(table)
      const all = reader.contents().references.length
      spent = Math.max(spent, all - reader.references.length)
      // Nobody is told of a segment that the table does not point to.
      for (const { records } of reader.references) expect(records).toBeGreaterThan(0)
      reader.close()
    }
  }
  expect(spent).toBeGreaterThan(8)
  expect(spent).toBeLessThanOrEqual(48)
  expect(merged).toBeGreaterThan(0)
})

test('damage of an old table ends a patch, and leaves no file', () => {
  const model = new Model(new Prng(9))
  const oldest = loaded(model, 800)
  const runs = [overwrite(model, 800, 40, 0), oldest]
  expect(model.mayPatch(runs)).toBe(true)
  const name = tableName(oldest[1]!.number)
  const file = joinPath(model.directory, name)
  const bytes = memoryDisk.contents(file)
  bytes[700]! ^= 1
  memoryDisk.replace(file, bytes)
  const before = memoryDisk.list(model.directory).sort()
  expect(() => model.compact(runs)).toThrow(`block checksum mismatch file=${name}`)
  expect(memoryDisk.list(model.directory).sort()).toEqual(before)
})

test('a patch that is ended early leaves no file', () => {
  const model = new Model(new Prng(10))
  const runs = [overwrite(model, 800, 40, 0.01), loaded(model, 800)]
  const before = memoryDisk.list(model.directory).sort()
  const steps = compactionSlices(compactionJob(model.directory, runs, [model.sequence]), PORTS)
  steps.next()
  expect(memoryDisk.list(model.directory).length).toBeGreaterThan(before.length)
  steps.return(undefined as never)
  expect(memoryDisk.list(model.directory).sort()).toEqual(before)
})
