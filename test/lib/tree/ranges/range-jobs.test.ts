/** Flushes and compactions of range tombstones, against their own words: what each reader sees stays the same. */
import { expect, test } from 'vitest'
import { compareBytes } from '#dist/lib/base/bytes.js'
import { joinPath, tableName } from '#dist/lib/base/files/file-names.js'
import { systemRandom } from '#dist/lib/base/random.js'
import { compactionSlices } from '#dist/lib/tree/compaction/compaction.js'
import { coveredTables } from '#dist/lib/tree/compaction/covered-tables.js'
import { flushSlices } from '#dist/lib/tree/compaction/flush.js'
import { KIND, type TableMeta } from '#dist/lib/tree/entry.js'
import { endsBefore } from '#dist/lib/tree/key-span.js'
import { CoveredCursor } from '#dist/lib/tree/ranges/covered-cursor.js'
import { type FragmentList, mergeFragments } from '#dist/lib/tree/ranges/range-fragments.js'
import { TableReader } from '#dist/lib/tree/table/table-reader.js'
import { memoryDirectory, memoryDisk } from '../../../support/files/memory-directory.ts'
import { RecordingFileSystem } from '../../../support/files/recording-file-system.ts'
import { ArrayCursor, compareEntries, type TestEntry } from '../../../support/parts/array-cursor.ts'
import {
  compactionJob,
  flushJob,
  freeze,
  readTables,
  type TestRange,
} from '../../../support/parts/job-fixtures.ts'
import { deletedAt, listOf } from '../../../support/parts/range-lists.ts'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'
import { runSlices } from '../../../support/run-slices.ts'

function keyOf(number: number): Uint8Array {
  return new TextEncoder().encode(`key${String(number).padStart(3, '0')}`)
}

function randomWrites(
  prng: Prng,
  first: number,
  count: number,
  keys: number,
): (TestEntry | TestRange)[] {
  return Array.from({ length: count }, (_, i) => {
    const sequence = first + i
    const number = prng.below(keys)
    if (prng.chance(0.08)) {
      const end = prng.chance(0.1) ? undefined : keyOf(number + 1 + prng.below(keys))
      return { start: keyOf(number), end, sequence }
    }
    const key = keyOf(number)
    if (prng.chance(0.2)) return { key, sequence, kind: KIND.tombstone }
    return { key, sequence, kind: KIND.inline, value: prng.bytes(prng.below(80)) }
  })
}

function isRange(write: TestEntry | TestRange): write is TestRange {
  return 'start' in write
}

/** The sequence of what a reader sees of each key, 0 for nothing. */
function seenBy(writes: readonly (TestEntry | TestRange)[], keys: number, at: number): number[] {
  return Array.from({ length: keys }, (_, number) => {
    const key = keyOf(number)
    const newest = writes
      .filter(({ sequence }) => sequence <= at)
      .filter((write) =>
        isRange(write)
          ? compareBytes(write.start, key) <= 0 && (!write.end || compareBytes(key, write.end) < 0)
          : compareBytes(write.key, key) === 0,
      )
      .reduce<TestEntry | TestRange | undefined>(
        (best, write) => (best && best.sequence > write.sequence ? best : write),
        undefined,
      )
    return newest && !isRange(newest) && newest.kind !== KIND.tombstone ? newest.sequence : 0
  })
}

/** The same of entries and fragments. */
function seenIn(
  entries: readonly TestEntry[],
  fragments: FragmentList,
  keys: number,
  at: number,
): number[] {
  const newest = new Map<string, TestEntry>()
  for (const entry of entries) {
    const name = Buffer.from(entry.key).toString('latin1')
    const before = newest.get(name)
    if (entry.sequence <= at && (!before || before.sequence < entry.sequence))
      newest.set(name, entry)
  }
  return Array.from({ length: keys }, (_, number) => {
    const key = keyOf(number)
    const entry = newest.get(Buffer.from(key).toString('latin1'))
    if (entry === undefined || entry.kind === KIND.tombstone) return 0
    return deletedAt(fragments, key, at) > entry.sequence ? 0 : entry.sequence
  })
}

function fragmentsIn(directory: string, tables: readonly TableMeta[]): FragmentList {
  const lists = tables.map((meta) => {
    const name = tableName(meta.number)
    const path = joinPath(directory, name)
    const table = TableReader.open(memoryDisk, path, name, meta, new Uint8Array(16).fill(9))
    table.close()
    return table.ranges
  })
  return mergeFragments(lists)
}

function checkRun(tables: readonly TableMeta[]): void {
  for (const [i, table] of tables.entries()) {
    const next = tables[i + 1]?.smallestKey
    if (next) expect(endsBefore(table, next, 0, next.length)).toBe(true)
  }
}

const metas = ({ tables }: { tables: readonly { meta: TableMeta }[] }): readonly TableMeta[] =>
  tables.map(({ meta }) => meta)

function readableOf(prng: Prng, highest: number): number[] {
  const sequences = new Set(Array.from({ length: prng.below(3) }, () => 1 + prng.below(highest)))
  return [...sequences.add(highest)].sort((left, right) => left - right)
}

test('I7: every reader sees the same behind a flush and a compaction; at the bottom nothing is left in vain', () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  for (let round = 0; round < 40; round++) {
    try {
      const directory = memoryDirectory()
      const keys = 1 + prng.below(200)
      const runs: (readonly TableMeta[])[] = []
      const writes: (TestEntry | TestRange)[] = []
      let readable = [1]
      const count = 1 + prng.below(4)
      const held = new Set<number>()
      for (let run = 0; run < count; run++) {
        const some = randomWrites(prng, writes.length + 1, 1 + prng.below(250), keys)
        writes.push(...some)
        const { arena, frozen } = freeze(1, some)
        // What is in tables already was kept for those who read then.
        if (prng.chance(0.4)) held.add(writes.length - prng.below(some.length))
        readable = [...new Set([...held, writes.length])].sort((left, right) => left - right)
        const ports = {
          fileSystem: new RecordingFileSystem(memoryDisk),
          random: systemRandom,
          arenaBuffer: () => arena.buffer,
          readDeferred: () => new Uint8Array(0),
        }
        const result = runSlices(flushSlices(flushJob(directory, frozen, readable), ports))
        checkRun(metas(result))
        if (metas(result).length > 0) runs.unshift(metas(result))
      }
      const check = (tables: readonly TableMeta[]): void => {
        const entries = readTables(directory, tables)
        const fragments = fragmentsIn(directory, tables)
        for (const at of readable)
          expect(seenIn(entries, fragments, keys, at), `reader ${at}`).toEqual(
            seenBy(writes, keys, at),
          )
      }
      check(runs.flat())
      if (runs.length === 0) continue
      const ports = { fileSystem: new RecordingFileSystem(memoryDisk), random: systemRandom }
      readable = prng.chance(0.5) ? readable : [writes.length]
      // What lies below the output keeps the tombstones over it.
      const span = { smallestKey: keyOf(10), largestKey: keyOf(60), largestExclusive: false }
      const older = prng.chance(0.5) ? [span] : []
      const job = compactionJob(directory, runs, readable, older)
      const output = metas(runSlices(compactionSlices(job, ports)))
      checkRun(output)
      check(output)
      const left = fragmentsIn(directory, output)
      for (const { start, end, sequences } of left) {
        const last = sequences[sequences.length - 1]!
        const overlaps =
          compareBytes(start, span.largestKey) <= 0 &&
          (!end || compareBytes(end, span.smallestKey) > 0)
        if (last <= readable[0]!) expect(older.length > 0 && overlaps).toBe(true)
      }
      if (older.length === 0) continue
      const below = seenBy(writes, keys, readable[0]!)
      const covered = fragmentsIn(directory, runs.flat())
      // A key that a range tombstone hides from older entries is hidden still.
      for (let number = 10; number <= Math.min(60, keys - 1); number++) {
        const key = keyOf(number)
        const before = deletedAt(covered, key, readable[0]!)
        if (below[number] === 0 && before > 0) {
          const behind = deletedAt(left, key, readable[0]!)
          const point = readTables(directory, output).some(
            (entry) => compareBytes(entry.key, key) === 0 && entry.sequence <= readable[0]!,
          )
          expect(behind > 0 || point).toBe(true)
        }
      }
    } catch (error) {
      throw new Error(`round=${round} ${replayHint(seed)}`, { cause: error })
    }
  }
})

test('I7: tables that are covered whole may go: every reader sees the same without them', () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  let dropped = 0
  for (let round = 0; round < 40; round++) {
    try {
      const directory = memoryDirectory()
      const keys = 1 + prng.below(120)
      const runs: (readonly TableMeta[])[] = []
      const writes: (TestEntry | TestRange)[] = []
      for (let run = 0; run < 4; run++) {
        const some = randomWrites(prng, writes.length + 1, 20 + prng.below(150), keys)
        writes.push(...some)
        const { arena, frozen } = freeze(1, some)
        const ports = {
          fileSystem: new RecordingFileSystem(memoryDisk),
          random: systemRandom,
          arenaBuffer: () => arena.buffer,
          readDeferred: () => new Uint8Array(0),
        }
        const everyone = Array.from({ length: writes.length }, (_, i) => i + 1)
        runs.unshift(metas(runSlices(flushSlices(flushJob(directory, frozen, everyone), ports))))
      }
      const readable = readableOf(prng, writes.length)
      const levels = [{ runs: runs.map((tables, i) => ({ id: 10 - i, tables })) }]
      const lists = [listOf(fragmentsIn(directory, runs.flat()))]
      const parts = coveredTables(levels, lists, readable[0]!)
      const gone = new Set(parts.flatMap(({ tables }) => tables))
      dropped += gone.size
      const rest = runs.flat().filter((table) => !gone.has(table))
      const entries = readTables(directory, rest)
      const left = fragmentsIn(directory, rest)
      for (const at of readable)
        expect(seenIn(entries, left, keys, at), `reader ${at}`).toEqual(seenBy(writes, keys, at))
    } catch (error) {
      throw new Error(`round=${round} ${replayHint(seed)}`, { cause: error })
    }
  }
  expect(dropped).toBeGreaterThan(0)
})

test('a cursor shows what is covered as tombstones, both ways and from anywhere', () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  for (let round = 0; round < 200; round++) {
    const keys = 1 + prng.below(40)
    const writes = randomWrites(prng, 1, 1 + prng.below(80), keys)
    const entries = writes
      .filter((write): write is TestEntry => !isRange(write))
      .sort(compareEntries)
    const lists: FragmentList[] = writes
      .filter(isRange)
      .map(({ start, end, sequence }) => [{ start, end, sequences: [sequence] }])
    const all = mergeFragments(lists)
    const at = prng.below(writes.length + 1)
    const given = (prng.chance(0.5) ? lists : [all]).map(listOf)
    const cursor = new CoveredCursor(new ArrayCursor(entries), given, at, 0)
    const describe = (): string => {
      const { keyBytes, keyStart, keyEnd, sequence, kind } = cursor.entry
      return `${Buffer.from(keyBytes.subarray(keyStart, keyEnd))} ${sequence} ${kind}`
    }
    const expected = entries.map(({ key, sequence, kind }) => {
      const isCovered = deletedAt(all, key, at) > sequence
      return `${Buffer.from(key)} ${sequence} ${isCovered ? KIND.tombstone : kind}`
    })
    const forward: string[] = []
    for (cursor.seekToFirst(); cursor.valid; cursor.next()) forward.push(describe())
    expect(forward, replayHint(seed)).toEqual(expected)
    const backward: string[] = []
    for (cursor.seekToLast(); cursor.valid; cursor.previous()) backward.push(describe())
    expect(backward, replayHint(seed)).toEqual(expected.toReversed())
    for (let i = 0; i < 10; i++) {
      const key = keyOf(prng.below(keys))
      cursor.seek(key, 2 ** 53 - 1)
      const index = entries.findIndex((entry) => compareBytes(entry.key, key) >= 0)
      expect(cursor.valid ? describe() : undefined, replayHint(seed)).toBe(expected[index])
    }
  }
})
