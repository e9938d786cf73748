/**
 * What has expired for every reader is a tombstone: a flush, a compaction and a walk find the same as if it had been
 * one from the beginning, but that its record dies in them.
 */
import { expect, test } from 'vitest'
import { systemRandom } from '#dist/lib/base/random.js'
import { compactionSlices } from '#dist/lib/tree/compaction/compaction.js'
import { flushSlices } from '#dist/lib/tree/compaction/flush.js'
import type { RunResult } from '#dist/lib/tree/compaction/retained-run.js'
import { shadowWalkSlices } from '#dist/lib/tree/compaction/shadow-walk.js'
import { KIND, type TableMeta } from '#dist/lib/tree/entry.js'
import { expiredBy as sumExpired } from '#dist/lib/tree/expiry-sums.js'
import { memoryDirectory, memoryDisk } from '../../../support/files/memory-directory.ts'
import type { TestEntry } from '../../../support/parts/array-cursor.ts'
import {
  compactionJob,
  DATABASE_ID,
  deadPlaces,
  flushJob,
  freeze,
  openJobTable,
  readTables,
} from '../../../support/parts/job-fixtures.ts'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'
import { runSlices } from '../../../support/run-slices.ts'

const seed = testSeed()
const NOW = 1000

function randomEntry(prng: Prng, keys: number, sequence: number): TestEntry {
  const key = new TextEncoder().encode(`key${prng.below(keys)}`)
  const choice = prng.below(5)
  if (choice === 0) return { key, sequence, kind: KIND.tombstone }
  const expiry = prng.chance(0.6) ? { expiresAt: 1 + prng.below(2 * NOW) } : {}
  if (choice < 3) {
    const value = prng.bytes(prng.below(60))
    return { key, sequence, kind: KIND.inline, value, ...expiry }
  }
  const place = {
    segment: 1 + prng.below(5),
    offset: 1000 * sequence,
    length: 60 + prng.below(900),
  }
  return { key, sequence, kind: KIND.pointer, ...place, ...expiry }
}

function hasExpired({ expiresAt }: TestEntry): boolean {
  return expiresAt !== undefined && expiresAt <= NOW
}

function asTombstone(entry: TestEntry): TestEntry {
  const { key, sequence } = entry
  return hasExpired(entry) ? { key, sequence, kind: KIND.tombstone } : entry
}

function placesOf(entries: readonly TestEntry[]): string[] {
  return entries.flatMap(({ kind, segment, offset, length }) =>
    kind === KIND.pointer ? [`${segment} ${offset} ${length}`] : [],
  )
}

function flush(directory: string, entries: readonly TestEntry[], expiredBy: number): RunResult {
  const { arena, frozen } = freeze(1, entries)
  const ports = {
    fileSystem: memoryDisk,
    random: systemRandom,
    arenaBuffer: () => arena.buffer,
    readDeferred: () => new Uint8Array(0),
  }
  const readable = [entries.at(-1)!.sequence]
  return runSlices(flushSlices({ ...flushJob(directory, frozen, readable), expiredBy }, ports))
}

function bySequence(entries: readonly TestEntry[]): TestEntry[] {
  return [...entries].sort((left, right) => left.sequence - right.sequence)
}

function metasOf({ tables }: RunResult): readonly TableMeta[] {
  return tables.map(({ meta }) => meta)
}

test('I7: what has expired is a tombstone for flushes, compactions and walks', () => {
  const prng = new Prng(seed)
  for (let round = 0; round < 15; round++) {
    const hint = `round=${round} ${replayHint(seed)}`
    const directory = memoryDirectory()
    const keys = 1 + prng.below(200)
    const runs: (readonly TableMeta[])[] = []
    const expectedRuns: (readonly TableMeta[])[] = []
    const flushed: TestEntry[] = []
    let sequence = 1
    for (let i = 0; i < 1 + prng.below(4); i++) {
      const entries = Array.from({ length: 1 + prng.below(300) }, () =>
        randomEntry(prng, keys, sequence++),
      )
      const moment = prng.pick([0, NOW])
      const given = moment === 0 ? entries : entries.map(asTombstone)
      const found = flush(directory, entries, moment)
      const expected = flush(directory, given, 0)
      expect(readTables(directory, metasOf(found)), hint).toEqual(
        readTables(directory, metasOf(expected)),
      )
      runs.unshift(metasOf(found))
      const kept = readTables(directory, metasOf(found))
      flushed.push(...kept)
      expectedRuns.unshift(metasOf(flush(directory, bySequence(kept).map(asTombstone), 0)))
    }
    const readable = [...new Set([1 + prng.below(sequence), sequence])].sort((a, b) => a - b)
    const ports = { fileSystem: memoryDisk, random: systemRandom }
    const job = { ...compactionJob(directory, runs, readable), expiredBy: NOW }
    const found = runSlices(compactionSlices(job, ports))
    const expected = runSlices(
      compactionSlices(compactionJob(directory, expectedRuns, readable), ports),
    )
    const kept = readTables(directory, metasOf(found))
    expect(kept, hint).toEqual(readTables(directory, metasOf(expected)))
    expect(kept.some(hasExpired), hint).toBe(false)
    const died = placesOf(flushed.filter(hasExpired))
    expect(deadPlaces(found), hint).toEqual([...deadPlaces(expected), ...died].sort())

    const input = { directory, databaseId: DATABASE_ID, readableSequences: readable }
    const walk = runSlices(
      shadowWalkSlices({ ...input, runs, evictedBelow: 0, expiredBy: NOW }, ports),
    )
    const walked = runSlices(
      shadowWalkSlices({ ...input, runs: expectedRuns, evictedBelow: 0, expiredBy: 0 }, ports),
    )
    const { keys: liveKeys, liveKeyBytes, liveValueBytes } = walked
    expect(walk, hint).toMatchObject({ keys: liveKeys, liveKeyBytes, liveValueBytes })
    const hidden = walk.segments.reduce((sum, { hiddenRecords }) => sum + hiddenRecords, 0)
    expect(hidden, hint).toBe(deadPlaces(found).length)
  }
})

test('F-T26: a table knows what of it expires when, and verification counts it again', () => {
  const prng = new Prng(seed)
  const directory = memoryDirectory()
  const entries = Array.from({ length: 600 }, (_, i) => randomEntry(prng, 1e6, i + 1))
  const [meta] = metasOf(flush(directory, entries.slice(0, 60), 0))
  const table = openJobTable(directory, meta!)
  table.verify()
  const expiring = entries.slice(0, 60).filter(({ expiresAt }) => expiresAt !== undefined)
  const all = sumExpired(table.properties.expiries, Number.POSITIVE_INFINITY)
  expect(all.puts).toBe(expiring.length)
  const pointed = expiring.reduce((sum, { length = 0 }) => sum + length, 0)
  expect(all.pointedBytes).toBe(pointed)
  table.close()
})
