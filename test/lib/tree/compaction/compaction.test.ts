/** Flush and compaction, slice by slice on this thread, against the rule in its own words. */
import { expect, test } from 'vitest'
import { compareBytes } from '#dist/lib/base/bytes.js'
import { systemRandom } from '#dist/lib/base/random.js'
import { compactionSlices } from '#dist/lib/tree/compaction/compaction.js'
import { flushSlices } from '#dist/lib/tree/compaction/flush.js'
import type { RecordPlaces } from '#dist/lib/tree/compaction/fold.js'
import type { RunResult } from '#dist/lib/tree/compaction/retained-run.js'
import { KIND, type TableMeta } from '#dist/lib/tree/entry.js'
import { memoryDirectory, memoryDisk } from '../../../support/files/memory-directory.ts'
import { RecordingFileSystem } from '../../../support/files/recording-file-system.ts'
import { compareEntries, type TestEntry } from '../../../support/parts/array-cursor.ts'
import {
  compactionJob,
  deadPlaces,
  flushJob,
  freeze,
  readTables,
  surviving,
  TABLE_OPTIONS,
} from '../../../support/parts/job-fixtures.ts'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'
import { runSlices } from '../../../support/run-slices.ts'

function randomEntries(
  prng: Prng,
  firstSequence: number,
  count: number,
  keys: number,
): TestEntry[] {
  return Array.from({ length: count }, (_, i) => {
    const key = new TextEncoder().encode(`key${prng.below(keys)}`)
    const sequence = firstSequence + i
    const choice = prng.below(3)
    if (choice === 0) return { key, sequence, kind: KIND.tombstone }
    if (choice === 1) return { key, sequence, kind: KIND.inline, value: prng.bytes(prng.below(60)) }
    const place = {
      segment: 1 + prng.below(5),
      offset: prng.below(2 ** 40),
      length: 40 + prng.below(9000),
    }
    return { key, sequence, kind: KIND.pointer, ...place }
  })
}

function flush(
  directory: string,
  entries: readonly TestEntry[],
  readable: readonly number[],
): RunResult {
  const { arena, frozen } = freeze(1, entries)
  const ports = {
    fileSystem: new RecordingFileSystem(memoryDisk),
    random: systemRandom,
    arenaBuffer: () => arena.buffer,
    readDeferred: () => new Uint8Array(0),
  }
  return runSlices(flushSlices(flushJob(directory, frozen, readable), ports))
}

const metas = (result: RunResult): readonly TableMeta[] => result.tables.map(({ meta }) => meta)

function readableOf(prng: Prng, highest: number): number[] {
  const sequences = new Set(Array.from({ length: prng.below(4) }, () => 1 + prng.below(highest)))
  return [...sequences.add(highest)].sort((left, right) => left - right)
}

test('I7: flushes and compactions keep exactly what the rule says', () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  for (let round = 0; round < 12; round++) {
    const directory = memoryDirectory()
    const keys = 1 + prng.below(300)
    const runs: (readonly TableMeta[])[] = []
    const flushed: TestEntry[] = []
    let sequence = 1
    try {
      for (let i = 0; i < 1 + prng.below(5); i++) {
        const entries = randomEntries(prng, sequence, 1 + prng.below(500), keys)
        sequence += entries.length
        const readable = readableOf(prng, sequence - 1)
        const result = flush(directory, entries, readable)
        const expected = surviving(entries, readable, () => true).sort(compareEntries)
        expect(readTables(directory, metas(result))).toEqual(expected)
        expect(result).toMatchObject({ entriesIn: entries.length, entriesOut: expected.length })
        expect(deadPlaces(result)).toEqual(deadOf(entries, expected))
        runs.unshift(metas(result))
        flushed.push(...expected)
      }
      const readable = readableOf(prng, Math.max(1, sequence - 1 - prng.below(3)))
      const low = new TextEncoder().encode('key1')
      const high = new TextEncoder().encode('key2')
      const span = { smallestKey: low, largestKey: high, largestExclusive: false }
      const olderRanges = prng.chance(0.5) ? [span] : []
      const job = compactionJob(directory, runs, readable, olderRanges)
      const ports = { fileSystem: new RecordingFileSystem(memoryDisk), random: systemRandom }
      const result = runSlices(compactionSlices(job, ports))
      const expected = surviving(
        flushed,
        readable,
        ({ key }) =>
          olderRanges.length > 0 && compareBytes(low, key) <= 0 && compareBytes(key, high) <= 0,
      ).sort(compareEntries)
      expect(readTables(directory, metas(result))).toEqual(expected)
      expect(deadPlaces(result)).toEqual(deadOf(flushed, expected))
      checkRun(metas(result))
      // A record that has another name now lives.
      const folded = runSlices(compactionSlices(job, ports, new FoldsOne()))
      expect(deadPlaces(folded)).toEqual(deadOf(flushed, expected))
    } catch (error) {
      throw new Error(`round=${round} ${replayHint(seed)}`, { cause: error })
    }
  }
})

/** Where records lie that an entry pointed to which was not kept. */
function deadOf(entries: readonly TestEntry[], kept: readonly TestEntry[]): string[] {
  const isKept = new Set(kept)
  return entries
    .filter((entry) => entry.kind === KIND.pointer && !isKept.has(entry))
    .map(({ segment, offset, length }) => `${segment} ${offset} ${length}`)
    .sort()
}

/** Every record of segment 1 lies in another one now. */
class FoldsOne implements RecordPlaces {
  segment = 0
  offset = 0

  find(segment: number, offset: number): boolean {
    this.segment = 77
    this.offset = offset
    return segment === 1
  }
}

function checkRun(tables: readonly TableMeta[]): void {
  tables.forEach((table, i) => {
    const next = tables[i + 1]
    if (!next) return
    expect(compareBytes(table.largestKey, next.smallestKey)).toBeLessThan(0)
    expect(table.bytes).toBeGreaterThan(TABLE_OPTIONS.tableBytes / 2)
  })
}

test('all entries of a key lie in one table, however many', () => {
  const directory = memoryDirectory()
  const entries = Array.from({ length: 900 }, (_, i): TestEntry => {
    const key = new TextEncoder().encode(i < 400 ? 'a' : i < 800 ? 'b' : `c${i}`)
    return { key, sequence: i + 1, kind: KIND.inline, value: new Uint8Array(20) }
  })
  const readable = entries.map(({ sequence }) => sequence)
  const result = flush(directory, entries, readable)
  expect(result.tables.length).toBeGreaterThan(2)
  expect(result.entriesOut).toBe(900)
  checkRun(metas(result))
})

test('deferred values are fetched and become inline', () => {
  const directory = memoryDirectory()
  const key = Uint8Array.of(1)
  const place = { segment: 3, offset: 777, length: 70_100 }
  const { arena, frozen } = freeze(1, [{ key, sequence: 5, kind: KIND.deferred, ...place }])
  const value = new Uint8Array(70_000).fill(3)
  const result = runSlices(
    flushSlices(flushJob(directory, frozen, [5]), {
      fileSystem: new RecordingFileSystem(memoryDisk),
      random: systemRandom,
      arenaBuffer: () => arena.buffer,
      readDeferred: ({ segment, offset, length, sequence }) => {
        expect({ segment, offset, length, sequence }).toEqual({ ...place, sequence: 5 })
        return value
      },
    }),
  )
  expect(readTables(directory, metas(result))).toEqual([
    { key, sequence: 5, kind: KIND.inline, value },
  ])
})

/** `every` is 1: merges two runs with the same keys; more: patches the one with a few others. */
test.each([1, 50])('a compaction says how much of its inputs it has passed every=%s', (every) => {
  const directory = memoryDirectory()
  const entries = Array.from({ length: 3000 }, (_, i) => ({
    key: new TextEncoder().encode(`key${String(i).padStart(4, '0')}`),
    sequence: i + 1,
    kind: KIND.pointer,
    segment: 1,
    offset: i * 1000,
    length: 1000,
  }))
  const newer = entries
    .filter((_, i) => i % every === 0)
    .map((entry, i) => ({ ...entry, sequence: 3001 + i, segment: 2 }))
  const last = 3000 + newer.length
  const runs = [newer, entries].map((each) => metas(flush(directory, each, [last])))
  const shares: number[] = []
  const ports = {
    fileSystem: new RecordingFileSystem(memoryDisk),
    random: systemRandom,
    progress: (share: number) => shares.push(share),
  }
  const result = runSlices(compactionSlices(compactionJob(directory, runs, [last]), ports))
  expect(result.entriesOut).toBe(3000)
  expect(shares).toEqual(shares.toSorted((left, right) => left - right))
  expect(shares[0]).toBe(0)
  expect(shares.at(-1)).toBe(1)
  expect(shares.filter((share) => share > 0 && share < 1).length).toBeGreaterThan(2)
})

test('a compaction that keeps nothing writes nothing', () => {
  const directory = memoryDirectory()
  const entries = [1, 2, 3].map((n) => ({
    key: Uint8Array.of(n),
    sequence: n,
    kind: KIND.tombstone,
  }))
  const input = flush(directory, entries, [3])
  const ports = { fileSystem: new RecordingFileSystem(memoryDisk), random: systemRandom }
  const result = runSlices(compactionSlices(compactionJob(directory, [metas(input)], [3]), ports))
  expect(result).toMatchObject({ tables: [], entriesIn: 3, entriesOut: 0, bytesWritten: 0 })
})

test('I4: every table is synced; an early end or an error leaves no file', () => {
  const directory = memoryDirectory()
  const prng = new Prng(1)
  const runs = [0, 1].map((i) =>
    metas(flush(directory, randomEntries(prng, 1 + i * 3000, 3000, 2000), [6000])),
  )
  runs.reverse()
  const before = memoryDisk.list(directory).sort()
  const start = (fileSystem: RecordingFileSystem): Generator<unknown, RunResult> =>
    compactionSlices(compactionJob(directory, runs, [6000]), { fileSystem, random: systemRandom })

  const ended = start(new RecordingFileSystem(memoryDisk))
  ended.next()
  ended.next()
  expect(memoryDisk.list(directory).length).toBeGreaterThan(before.length)
  ended.return(undefined as never)
  expect(memoryDisk.list(directory).sort()).toEqual(before)

  for (const pattern of [/^create/, /^write/, /^open/]) {
    for (const skip of [0, 1]) {
      const fileSystem = new RecordingFileSystem(memoryDisk)
      const slices = start(fileSystem)
      for (let i = 0; i < skip; i++) slices.next()
      fileSystem.failNext(pattern, 'EIO')
      expect(() => runSlices(slices)).toThrow('errno=EIO')
      expect(memoryDisk.list(directory).sort()).toEqual(before)
    }
  }

  const full = new RecordingFileSystem(memoryDisk)
  const result = runSlices(start(full))
  const created = full.log.filter((line) => line.startsWith('create')).map((line) => line.slice(7))
  expect(created).toEqual(
    result.tables.map(({ meta }) => `${String(meta.number).padStart(6, '0')}.sst`),
  )
  for (const name of created) {
    const calls = full.log.filter((line) => line.endsWith(name))
    expect(calls[calls.length - 1]).toBe(`sync ${name}`)
  }

  const poisoned = new RecordingFileSystem(memoryDisk)
  poisoned.failNext(/^sync/, 'ENOSPC')
  expect(() => runSlices(start(poisoned))).toThrow('a sync failed')
  expect(poisoned.log.some((line) => line.startsWith('unlink'))).toBe(false)
})
