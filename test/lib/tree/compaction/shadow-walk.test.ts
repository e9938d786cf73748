/** The shadow walk against the rule in its own words, and against the compaction that exposes what it calls hidden. */
import { expect, test } from 'vitest'
import { compareBytes } from '#dist/lib/base/bytes.js'
import { FileNumbers } from '#dist/lib/base/files/file-numbers.js'
import type { File, FileSystem } from '#dist/lib/base/files/file-system.js'
import { compactionSlices } from '#dist/lib/tree/compaction/compaction.js'
import type { RunResult } from '#dist/lib/tree/compaction/retained-run.js'
import {
  type SegmentShadows,
  type ShadowWalkInput,
  type ShadowWalkResult,
  shadowWalkSlices,
} from '#dist/lib/tree/compaction/shadow-walk.js'
import { KIND, type TableMeta } from '#dist/lib/tree/entry.js'
import { recordBytes } from '#dist/vlog/record.js'
import { tableBytes } from '#dist/vlog/value-chunks.js'
import { memoryDirectory, memoryDisk } from '../../../support/files/memory-directory.ts'
import { ArrayCursor, compareEntries, type TestEntry } from '../../../support/parts/array-cursor.ts'
import { surviving } from '../../../support/parts/job-fixtures.ts'
import { numberAfterRuns, RUN_DATABASE_ID, writeRun } from '../../../support/parts/write-run.ts'
import { Prng, replayHint, seededRandom, testSeed } from '../../../support/random.ts'
import { runSlices } from '../../../support/run-slices.ts'

const seed = testSeed()
const hint = replayHint(seed)

/** Of a table without its entries: header, meta index, properties, footer, the least of index and filter. */
const TABLE_REST_BYTES = 200

/** Pointers remember the length of their values here. */
interface WalkEntry extends TestEntry {
  readonly stored: number
}

function randomEntry(prng: Prng, keys: number, sequence: number): WalkEntry {
  const key = new TextEncoder().encode(`key${prng.below(keys)}`)
  const choice = prng.below(6)
  if (choice === 0) return { key, sequence, kind: KIND.tombstone, stored: 0 }
  const stored = prng.below(prng.pick([1, 100, 100_000]))
  if (choice === 1) {
    const value = prng.bytes(stored % 300)
    return { key, sequence, kind: KIND.inline, value, stored: value.length }
  }
  const place = { segment: 1 + prng.below(100), offset: prng.below(2 ** 40) }
  const length = recordBytes(key.length, stored)
  return { key, sequence, kind: KIND.pointer, ...place, length, stored }
}

interface Tree {
  readonly directory: string
  /** Newest first. */
  readonly runs: readonly (readonly TableMeta[])[]
  /** Of all runs. */
  readonly entries: readonly WalkEntry[]
}

/** Runs of random entries; what each keeps is what readers of its time needed. */
function randomTree(prng: Prng, runCount: number): Tree {
  const directory = memoryDirectory()
  const keys = 1 + prng.below(300)
  const runs: (readonly TableMeta[])[] = []
  const entries: WalkEntry[] = []
  let sequence = 1
  for (let i = 0; i < runCount; i++) {
    const written = Array.from({ length: 1 + prng.below(400) }, () =>
      randomEntry(prng, keys, sequence++),
    )
    const readable = readableOf(prng, sequence - 1)
    const kept = surviving(written, readable, () => true) as WalkEntry[]
    entries.push(...kept)
    const options = { tableBytes: prng.pick([1024, 4096]), blockBytes: 512, filterBitsPerKey: 10 }
    runs.unshift(writeRun(directory, kept, options))
  }
  return { directory, runs, entries }
}

function readableOf(prng: Prng, highest: number): number[] {
  const sequences = new Set(Array.from({ length: prng.below(5) }, () => 1 + prng.below(highest)))
  return [...sequences.add(highest)].sort((left, right) => left - right)
}

function inputOf({ directory, runs }: Tree, readableSequences: readonly number[]): ShadowWalkInput {
  return {
    directory,
    databaseId: RUN_DATABASE_ID,
    runs,
    readableSequences,
    evictedBelow: 0,
    expiredBy: 0,
  }
}

/** What the walk must find: entry by entry, each held against all the others. */
function modelWalk(entries: readonly WalkEntry[], readable: readonly number[]): ShadowWalkResult {
  const sorted = [...entries].sort(compareEntries)
  const isNewest = sorted.map(
    ({ key }, i) => i === 0 || compareBytes(sorted[i - 1]!.key, key) !== 0,
  )
  const kept = new Set(surviving(sorted, readable, () => true))
  const live = sorted.filter(({ kind }, i) => isNewest[i] && kind !== KIND.tombstone)
  const rows = new Map<
    number,
    { -readonly [Name in Exclude<keyof SegmentShadows, 'places'>]: number }
  >()
  sorted.forEach((entry, i) => {
    if (entry.kind !== KIND.pointer) return
    const segment = entry.segment!
    const row = rows.get(segment) ?? {
      segment,
      liveBytes: 0,
      liveRecords: 0,
      hiddenBytes: 0,
      hiddenRecords: 0,
      pinnedBytes: 0,
      pinnedRecords: 0,
    }
    rows.set(segment, row)
    if (isNewest[i]) {
      row.liveBytes += entry.length!
      row.liveRecords++
    } else if (kept.has(entry)) {
      row.pinnedBytes += entry.length!
      row.pinnedRecords++
    } else {
      row.hiddenBytes += entry.length!
      row.hiddenRecords++
    }
  })
  return {
    keys: live.length,
    liveKeyBytes: live.reduce((sum, { key }) => sum + key.length, 0),
    liveValueBytes: live.reduce((sum, { stored, kind }) => {
      // As it is stored: with the table of its chunks.
      return sum + stored + (kind === KIND.pointer ? tableBytes(stored) : 0)
    }, 0),
    tableGarbageBytes: expect.any(Number),
    weight: expect.any(Number),
    garbageWeight: expect.any(Number),
    segments: [...rows.values()].sort((left, right) => left.segment - right.segment),
  }
}

test('I9: the walk finds what the rule says, and each table once', () => {
  const prng = new Prng(seed)
  for (let round = 0; round < 16; round++) {
    const tree = randomTree(prng, prng.below(6))
    const highest = Math.max(1, ...tree.entries.map(({ sequence }) => sequence))
    // Now and then there are entries above all that anybody may read: they are kept, too.
    const readable = readableOf(prng, prng.chance(0.2) ? 1 + prng.below(highest) : highest)
    const yields: number[] = []
    const ports = { fileSystem: memoryDisk }
    const result = runSlices(shadowWalkSlices(inputOf(tree, readable), ports), (bytes) =>
      yields.push(bytes),
    )
    expect(result, `round=${round} ${hint}`).toEqual(modelWalk(tree.entries, readable))
    const bytes = tree.runs.flat().reduce((sum, table) => sum + table.bytes, 0)
    expect(yields.reduce((sum, slice) => sum + slice, 0)).toBe(bytes)
  }
})

test('I9: a compaction of everything exposes exactly what the walk calls hidden', () => {
  const prng = new Prng(seed)
  for (let round = 0; round < 8; round++) {
    const tree = randomTree(prng, 2 + prng.below(4))
    const highest = Math.max(...tree.entries.map(({ sequence }) => sequence))
    const readable = readableOf(prng, highest)
    const input = inputOf(tree, readable)
    const walk = runSlices(shadowWalkSlices(input, { fileSystem: memoryDisk }))
    const hidden = walk.segments.reduce((sum, { hiddenBytes }) => sum + hiddenBytes, 0)
    const numbers = new FileNumbers()
    numbers.skip(numberAfterRuns() - 1)
    const result: RunResult = runSlices(
      compactionSlices(
        {
          directory: tree.directory,
          databaseId: RUN_DATABASE_ID,
          inputs: tree.runs,
          olderRanges: [],
          readableSequences: readable,
          evictedBelow: 0,
          expiredBy: 0,
          fileNumbers: numbers.memory,
          tableOptions: { tableBytes: 4096, blockBytes: 512, filterBitsPerKey: 10 },
        },
        { fileSystem: memoryDisk, random: seededRandom(seed) },
      ),
    )
    const pointed = (metas: readonly TableMeta[]): number =>
      metas.reduce((sum, { pointedBytes }) => sum + pointedBytes, 0)
    const after = pointed(result.tables.map(({ meta }) => meta))
    expect(pointed(tree.runs.flat()) - after, `round=${round} ${hint}`).toBe(hidden)
    // What entries take of their tables is known by their weights; the rest of a table goes with the table.
    const tableBytes = (metas: readonly TableMeta[]): number =>
      metas.reduce((sum, { bytes }) => sum + bytes - TABLE_REST_BYTES, 0)
    const before = tableBytes(tree.runs.flat())
    const freed = before - tableBytes(result.tables.map(({ meta }) => meta))
    const share = walk.garbageWeight / walk.weight
    // The rest is not quite the same for each table: its keys, sequences and counts are more or less long.
    expect(Math.abs(freed - before * share), `round=${round} ${hint}`).toBeLessThan(
      before * 0.1 + tree.runs.flat().length * 16,
    )
    const bytes = tree.runs.flat().reduce((sum, table) => sum + table.bytes, 0)
    expect(walk.tableGarbageBytes).toBe(Math.round(bytes * share))
    // Without older readers nothing shadowed is left, and the figures of the tables are those of the live entries.
    const alone = runSlices(shadowWalkSlices(inputOf(tree, [highest]), { fileSystem: memoryDisk }))
    expect(alone.segments.every(({ pinnedBytes }) => pinnedBytes === 0)).toBe(true)
  }
})

/** A file system that knows what is open and refuses all but reading. */
function readingFileSystem(openFiles: Set<File>): FileSystem {
  return Object.create(memoryDisk, {
    open: {
      value: (path: string, mode: string): File => {
        expect(mode).toBe('read')
        const file = memoryDisk.open(path, 'read')
        openFiles.add(file)
        return Object.create(file, {
          read: { value: file.read.bind(file) },
          stat: { value: file.stat.bind(file) },
          path: { value: file.path },
          close: {
            value: (): void => {
              openFiles.delete(file)
              file.close()
            },
          },
        }) as File
      },
    },
  }) as FileSystem
}

test('slices are bounded; it holds one table of each run, closes them when it ends early, and writes nothing', () => {
  const directory = memoryDirectory()
  const options = { tableBytes: 65536, blockBytes: 4096, filterBitsPerKey: 10 }
  const runs = [1, 0].map((run) =>
    writeRun(
      directory,
      Array.from({ length: 20_000 }, (_, i) => ({
        key: new TextEncoder().encode(`key${i}`),
        sequence: 1 + i + run * 20_000,
        kind: KIND.pointer,
        segment: 1 + run,
        offset: i * 100,
        length: 100,
      })),
      options,
    ),
  )
  const files = memoryDisk.list(directory).sort()
  const openFiles = new Set<File>()
  const fileSystem = readingFileSystem(openFiles)
  const start = (): Generator<number, ShadowWalkResult> =>
    shadowWalkSlices(inputOf({ directory, runs, entries: [] }, [40_000]), { fileSystem })

  const yields: number[] = []
  const result = runSlices(start(), (bytes) => yields.push(bytes))
  expect(result).toMatchObject({ keys: 20_000 })
  expect(result.segments).toMatchObject([
    { segment: 1, liveBytes: 0, hiddenRecords: 20_000, hiddenBytes: 2_000_000, pinnedBytes: 0 },
    { segment: 2, liveBytes: 2_000_000, hiddenRecords: 0 },
  ])
  expect(yields.length).toBeGreaterThanOrEqual(10)
  expect(openFiles.size).toBe(0)

  const ended = start()
  ended.next()
  expect(openFiles.size).toBe(2)
  ended.return(undefined as never)
  expect(openFiles.size).toBe(0)
  expect(memoryDisk.list(directory).sort()).toEqual(files)
})

test('memtables that are given to it count as if they were flushed, and wanted places are those that are kept', () => {
  const prng = new Prng(seed)
  for (let round = 0; round < 4; round++) {
    const tree = randomTree(prng, 3)
    const highest = Math.max(...tree.entries.map(({ sequence }) => sequence))
    const written = Array.from({ length: 200 }, (_, i) => randomEntry(prng, 200, highest + 1 + i))
    const unflushed = [new ArrayCursor(written.sort(compareEntries))]
    const readable = readableOf(prng, highest + 200)
    const ports = { fileSystem: memoryDisk, unflushed, wantsPlaces: (n: number) => n % 2 === 0 }
    const { segments, ...sums } = runSlices(shadowWalkSlices(inputOf(tree, readable), ports))
    const entries = [...tree.entries, ...written]
    const model = modelWalk(entries, readable)
    expect({ ...sums, segments: segments.map(({ places: _, ...row }) => row) }, hint).toEqual(model)
    const kept = surviving([...entries].sort(compareEntries), readable, () => true)
    for (const { segment, places } of segments) {
      const mine = kept.filter((entry) => entry.kind === KIND.pointer && entry.segment === segment)
      const offsets = mine.map(({ offset }) => offset!).sort((left, right) => left - right)
      expect(places, hint).toEqual(segment % 2 === 0 ? offsets : undefined)
    }
  }
})

test('large inline values end a slice', () => {
  const directory = memoryDirectory()
  const value = new Uint8Array(300_000)
  const entries = Array.from({ length: 40 }, (_, i) => ({
    key: Uint8Array.of(i),
    sequence: 1 + i,
    kind: KIND.inline,
    value,
  }))
  const options = { tableBytes: 2 ** 30, blockBytes: 4096, filterBitsPerKey: 10 }
  const runs = [writeRun(directory, entries, options)]
  const yields: number[] = []
  const input = inputOf({ directory, runs, entries: [] }, [40])
  const result = runSlices(shadowWalkSlices(input, { fileSystem: memoryDisk }), (bytes) =>
    yields.push(bytes),
  )
  expect(yields.length).toBe(10)
  expect(result).toEqual({
    keys: 40,
    liveKeyBytes: 40,
    liveValueBytes: 40 * 300_000,
    tableGarbageBytes: 0,
    weight: expect.any(Number),
    garbageWeight: 0,
    segments: [],
  })
})
