/**
 * Micro-benchmark of flush and compaction: what reading, merging and writing costs for an entry. Not a part of `npm
 * run bench`; run it alone on an idle machine: `node dist/bench/micro/merge.js [ENTRIES]`. Cases are interleaved, the
 * best round of each counts; times are those of the processor, the kernel's part included, from the page cache.
 *
 * All of it runs in one thread, one kind of job after the other, as in a worker: code that has met memtables and
 * merges is slower than code that has met one of them.
 *
 * It looks below the public face, as micro-benchmarks do: what it measures has none.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { joinPath, tableName } from '../../lib/base/files/file-names.ts'
import { FileNumbers } from '../../lib/base/files/file-numbers.ts'
import { LOG_START } from '../../lib/base/log-position.ts'
import { NodeFileSystem } from '../../lib/base/platform/node-file-system.ts'
import { systemRandom } from '../../lib/base/random.ts'
import { compactionSlices } from '../../lib/tree/compaction/compaction.ts'
import { flushSlices } from '../../lib/tree/compaction/flush.ts'
import { InputRun } from '../../lib/tree/compaction/input-run.ts'
import { Entry, KIND, type TableMeta } from '../../lib/tree/entry.ts'
import { createArena } from '../../lib/tree/memtable/arena.ts'
import { type FrozenMemtable, Memtable } from '../../lib/tree/memtable/memtable.ts'

const ENTRIES = Number(process.argv[2] ?? 400_000)
const ROUNDS = Number(process.argv[3] ?? 7)
const KEY_BYTES = 16
const RECORD_BYTES = 4152
/** Records of a segment of the log. */
const SEGMENT_RECORDS = 15_000
/** One entry in so many is newer than the run below. */
const OVERWRITTEN = 20
/** A prime, so that its multiples visit every key in another order than that of the keys. */
const STRIDE = 611_953

type Key = (index: number) => Uint8Array
type Run = readonly TableMeta[]

const fileSystem = new NodeFileSystem()
const directory = mkdtempSync(joinPath(tmpdir(), 'wisc-bench-merge-'))
const fileNumbers = new FileNumbers()
const target = {
  directory,
  databaseId: new Uint8Array(16).fill(7),
  tableOptions: { tableBytes: 4 * 1024 * 1024, blockBytes: 4096, filterBitsPerKey: 10 },
  fileNumbers: fileNumbers.memory,
  readableSequences: [2 * ENTRIES],
  evictedBelow: 0,
  expiredBy: 0,
}
const arena = createArena(1, 160 * ENTRIES)
const ports = {
  fileSystem,
  random: systemRandom,
  arenaBuffer: () => arena.buffer,
  readDeferred: () => {
    throw new Error('nothing is deferred')
  },
}

/** Without any order. */
function randomKey(index: number): Uint8Array {
  const key = new Uint8Array(KEY_BYTES)
  let state = Math.imul(index + 1, 0x9e3779b1)
  for (let at = 0; at < KEY_BYTES; at++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    key[at] = state
  }
  return key
}

/** As those of the other benchmarks: most of their bytes are alike. */
function decimalKey(index: number): Uint8Array {
  return new TextEncoder().encode(`${String(index).padStart(KEY_BYTES - 1, '0')}0`)
}

/** Puts of the keys first, first + step, ... below ENTRIES, one record behind the other in the log. */
function fill(keyOf: Key, first: number, step: number, sequence: number): FrozenMemtable {
  const memtable = new Memtable(arena, LOG_START)
  const entry = Object.assign(new Entry(), { kind: KIND.pointer, length: RECORD_BYTES })
  for (let i = first, at = sequence; i < ENTRIES; i += step, at++) {
    entry.sequence = at + 1
    entry.segment = 1 + Math.floor(at / SEGMENT_RECORDS)
    entry.offset = (at % SEGMENT_RECORDS) * RECORD_BYTES
    memtable.insert(keyOf((i * STRIDE) % ENTRIES), entry)
  }
  return memtable.freeze()
}

function finish<Result>(steps: Generator<unknown, Result>): Result {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}

function flush(memtable: FrozenMemtable): Run {
  return finish(flushSlices({ ...target, memtable }, ports)).tables.map(({ meta }) => meta)
}

/** @param inputs runs, newest first */
function compact(inputs: readonly Run[]): Run {
  const input = { ...target, inputs, olderRanges: [] }
  return finish(compactionSlices(input, ports)).tables.map(({ meta }) => meta)
}

function scan(run: Run): void {
  const { cursor, close } = openRun(run)
  let entries = 0
  for (cursor.seekToFirst(); cursor.valid; cursor.next()) entries++
  close()
  if (entries !== countEntries([run])) throw new Error('wrong count')
}

function openRun(run: Run): { cursor: InputRun['cursor']; close: () => void } {
  const input = new InputRun(run, target, fileSystem)
  return { cursor: input.cursor, close: () => input.close() }
}

function countEntries(runs: readonly Run[]): number {
  return runs.flat().reduce((sum, { entries }) => sum + entries, 0)
}

function unlink(run: Run): void {
  for (const { number } of run) fileSystem.unlink(joinPath(directory, tableName(number)))
}

interface Case {
  readonly what: string
  /** Entries that it reads. */
  readonly entries: number
  run(): Run | undefined
}

function casesOf(keyOf: Key): Case[] {
  const all = flush(fill(keyOf, 0, 1, 0))
  const newer = flush(fill(keyOf, 0, OVERWRITTEN, ENTRIES))
  const parts = [0, 1, 2, 3].map((part) => flush(fill(keyOf, part, 4, (part * ENTRIES) / 4)))
  const halves = [compact(parts.slice(0, 2)), compact(parts.slice(2))]
  const compaction = (what: string, inputs: readonly Run[]): Case => {
    return { what, entries: countEntries(inputs), run: () => compact(inputs) }
  }
  const memtable = fill(keyOf, 0, 1, 0)
  return [
    { what: 'scan', entries: ENTRIES, run: () => void scan(all) },
    { what: 'flush', entries: ENTRIES, run: () => flush(memtable) },
    compaction('one run', [all]),
    compaction(`one of ${OVERWRITTEN} overwritten`, [newer, all]),
    compaction('two runs', halves),
    compaction('four runs', parts),
  ]
}

/** Microseconds of the processor for an entry. */
function time({ entries, run }: Case): number {
  const before = process.cpuUsage()
  const made = run()
  const { user, system } = process.cpuUsage(before)
  if (made !== undefined) unlink(made)
  return (user + system) / entries
}

function runShape(name: string, keyOf: Key): void {
  const cases = casesOf(keyOf)
  const best = cases.map(() => Number.POSITIVE_INFINITY)
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, each] of cases.entries()) best[i] = Math.min(best[i]!, time(each))
  }
  console.log(`${ENTRIES} entries, ${name}, us for each`)
  for (const [i, { what }] of cases.entries()) {
    console.log(`  ${what.padEnd(24)} ${best[i]!.toFixed(3)}`)
  }
}

try {
  runShape('random keys', randomKey)
  runShape('decimal keys', decimalKey)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
