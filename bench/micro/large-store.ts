/**
 * Micro-benchmark of a store of 20,000 files: what a look of the collector costs, and opening, `stats()` and
 * `segments()`. Not a part of `npm run bench`; run it alone on an idle machine:
 * `node --expose-gc dist/bench/micro/large-store.js [FILES]`.
 *
 * The looks are over a version that was made here, with 100,000 logical segments, most of them in relocations, and real
 * tables that point to all of them. The store is written through the public face, with segments of 4 KiB, and closed.
 * Then puts go on in it, with and without looks at all its files. Times are of CPU unless they say otherwise.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { BlockCache } from '../../lib/base/files/block-cache.ts'
import { joinPath, tableName } from '../../lib/base/files/file-names.ts'
import { FileNumbers } from '../../lib/base/files/file-numbers.ts'
import { nodeFileSystem } from '../../lib/base/platform/node-file-system.ts'
import { ReferenceList } from '../../lib/base/segment-records.ts'
import { decide, type LookState } from '../../lib/collector/plan/decide.ts'
import { planningRules } from '../../lib/collector/plan/planning-rules.ts'
import type { Engine } from '../../lib/engine/engine.ts'
import { open } from '../../lib/index.ts'
import { SpaceAccount } from '../../lib/space/space.ts'
import { TableCache } from '../../lib/state/tables.ts'
import { engineOf } from '../../lib/store/engine-of.ts'
import { openStore } from '../../lib/store/open-store.ts'
import type { Store } from '../../lib/store/store.ts'
import { Folds } from '../../lib/tree/compaction/fold.ts'
import { Entry, KIND, type TableMeta } from '../../lib/tree/entry.ts'
import { TableBuilder } from '../../lib/tree/table/table-builder.ts'
import { EMPTY_VERSION, nextOrdinal, type Version } from '../../lib/tree/version/version.ts'
import { applyEdit } from '../../lib/tree/version/version-builder.ts'
import type { VersionEdit } from '../../lib/tree/version/version-edit.ts'

const FILES = Number(process.argv[2] ?? 20_000)
const SEGMENTS = 5 * FILES
/** Half of the files hold their own segment, the others what is left of nine. */
const RELOCATIONS = FILES / 2
const PARTS = (SEGMENTS - RELOCATIONS) / RELOCATIONS
const SEGMENT_BYTES = 64 * 1024 * 1024
const RECORD_BYTES = 64 * 1024
const TABLES = 32
const ENTRIES = 20_000
const ROUNDS = 5
/** For the choice of one to fold: so many tables, with so many references each. */
const FOLD_TABLES = 20_000
const FOLD_REFERENCES = 200
const PUTS = 20_000
const DATABASE_ID = new Uint8Array(16).fill(7)

const directory = mkdtempSync(joinPath(tmpdir(), 'wisc-bench-large-store-'))
const context = { fileSystem: nodeFileSystem, directory, databaseId: DATABASE_ID }
const numbers = new FileNumbers()

/** A table of entries that point to all segments alike. */
function buildTable(index: number): TableMeta {
  const number = numbers.take()
  const identity = { kind: 'table' as const, databaseId: DATABASE_ID, number, salt: number }
  const file = nodeFileSystem.open(joinPath(directory, tableName(number)), 'create')
  const options = { tableBytes: 2 ** 40, blockBytes: 4096, filterBitsPerKey: 10 }
  const builder = new TableBuilder(file, identity, options, 1)
  const key = Buffer.alloc(8)
  const entry = Object.assign(new Entry(), {
    keyBytes: key,
    keyEnd: key.length,
    kind: KIND.pointer,
    offset: 160,
    length: RECORD_BYTES,
  })
  for (let i = 0; i < ENTRIES; i++) {
    key.writeUInt32BE(index)
    key.writeUInt32BE(i, 4)
    entry.sequence = 1 + index * ENTRIES + i
    entry.segment = 1 + ((i * 7919 + index * 611_953) % SEGMENTS)
    builder.add(entry)
  }
  const { meta } = builder.finish()
  file.close()
  return meta
}

/** Files of 64 MiB: segments that are half garbage, and relocations of what is left of nine each. */
function makeVersion(): Version {
  numbers.skip(SEGMENTS)
  const segments = Array.from({ length: SEGMENTS }, (_, i) => i + 1)
  const lastSequence = TABLES * ENTRIES
  const first = applyEdit(
    EMPTY_VERSION,
    {
      nextFileNumber: numbers.next,
      addedFiles: segments.map((number) => ({ role: 'log', number, salt: 1, ordinal: number })),
      sealedFiles: segments.map((number) => ({ number, length: SEGMENT_BYTES, lastSequence })),
      checkpoint: { ordinal: SEGMENTS, offset: SEGMENT_BYTES },
    },
    1,
  )
  const moved = Array.from({ length: RELOCATIONS }, (_, at) => ({
    role: 'relocation' as const,
    number: numbers.take(),
    salt: at,
    length: SEGMENT_BYTES,
    parts: Array.from({ length: PARTS }, (_, i) => ({
      segment: 1 + at * PARTS + i,
      records: 100,
      bytes: 100 * RECORD_BYTES,
    })),
  }))
  const tables = Array.from({ length: TABLES }, (_, i) => buildTable(i))
  const runId = numbers.take()
  return applyEdit(
    first,
    {
      nextFileNumber: numbers.next,
      addedFiles: moved,
      addedTables: tables.map((meta) => ({ level: 1, runId, meta })),
    },
    2,
  )
}

/** CPU time of the process, which other processes prolong little. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Milliseconds: of CPU over all threads in sum, of wall clock for the longest turn, which others wait for. */
interface Cost {
  total: number
  longest: number
  turns: number
}

/** Looks until there are figures, and decides on them; each turn is timed apart. */
function look(account: SpaceAccount, state: LookState): Cost {
  const cost: Cost = { total: 0, longest: 0, turns: 0 }
  const turn = <T>(work: () => T): T => {
    const beganCpu = cpuMs()
    const began = performance.now()
    const result = work()
    cost.longest = Math.max(cost.longest, performance.now() - began)
    cost.total += cpuMs() - beganCpu
    cost.turns++
    return result
  }
  let space = turn(() => account.measureInTurns())
  while (space === undefined) space = turn(() => account.measureInTurns())
  const measured = space
  const deciding = decide(measured, state)
  while (!turn(() => deciding.next()).done);
  return cost
}

function print(what: string, costs: readonly Cost[]): void {
  const best = (of: (cost: Cost) => number): string => Math.min(...costs.map(of)).toFixed(2)
  console.log(
    `${what}: ${best((cost) => cost.total)} ms in ${costs[0]!.turns} turns, ` +
      `the longest ${best((cost) => cost.longest)} ms (wall)`,
  )
}

function measureLooks(): void {
  let version = makeVersion()
  const allocated = new Map<number, number>()
  for (const number of version.tables.keys()) allocated.set(number, 4096)
  for (const number of version.files.keys()) allocated.set(number, SEGMENT_BYTES)
  const found = { version, allocated, others: [], nextNumber: numbers.next }
  const view = {
    context,
    get version() {
      return version
    },
  }
  const tables = new TableCache(view, 2000)
  const newAccount = (): SpaceAccount =>
    new SpaceAccount({
      context,
      files: found,
      versions: { fileNumbers: numbers },
      get version() {
        return version
      },
      memtables: { list: () => [], hasEntries: false, holdsStream: () => false },
      tables,
      cache: new BlockCache(0),
      values: { streamKey: () => new Uint8Array(0) },
      readers: { expiredBy: 0, held: [] },
      writtenEnd: () => 0,
    })
  const state = (putLimitBytes: number): LookState => ({
    rules: planningRules(
      { segmentBytes: SEGMENT_BYTES, punchHoles: true, prefer: 'balanced' },
      version,
      1.3,
    ),
    putLimitBytes,
    ballastBytesToCome: 0,
    usedBytes: 0,
    isUnlinking: false,
    unflushedBytes: 0,
    running: { count: 0, busyFiles: new Set(), diskBytesAfter: (bytes) => bytes },
    isQuiet: false,
    lack: undefined,
    hasRoom: true,
    isCompacting: false,
    isTreeExposed: false,
  })
  const account = newAccount()
  const all = Number.POSITIVE_INFINITY
  const firstLooks = [account, ...Array.from({ length: ROUNDS - 1 }, newAccount)]
  print(
    'first look of an account',
    firstLooks.map((each) => look(each, state(all))),
  )
  const looks = (edit: () => VersionEdit, limit: number): Cost[] =>
    Array.from({ length: ROUNDS }, () => {
      version = applyEdit(version, edit(), version.id + 1)
      return look(account, state(limit))
    })
  const segment = (): VersionEdit => {
    const number = numbers.take()
    const length = SEGMENT_BYTES
    allocated.set(number, length)
    return {
      nextFileNumber: numbers.next,
      addedFiles: [{ role: 'log', number, salt: 1, ordinal: nextOrdinal(version) }],
      sealedFiles: [{ number, length, lastSequence: version.lastSequence }],
    }
  }
  let index = TABLES
  const table = (): VersionEdit => {
    const meta = buildTable(index++)
    // In a store a worker builds it: what that leaves behind is no matter of the looks.
    globalThis.gc?.({ type: 'minor' })
    const addedTables = [{ level: 1, runId: meta.number, meta }]
    return { nextFileNumber: numbers.next, addedTables }
  }
  print('a look with nothing to do, a segment later', looks(segment, all))
  print('a look that plans a step, a segment later', looks(segment, 1))
  print(`a look that plans a step, a table of ${ENTRIES} references later`, looks(table, 1))
  const began = cpuMs()
  for (let i = 0; i < 100; i++) account.measure()
  console.log(`the figures of stats(): ${((cpuMs() - began) / 100).toFixed(3)} ms`)
  measureFolds(version)
}

/** What it costs to find the table that names most old segments, where all of them do. */
function measureFolds(version: Version): void {
  const metas = Array.from({ length: FOLD_TABLES }, (_, i): TableMeta => {
    const key = Buffer.alloc(4)
    key.writeUInt32BE(i)
    const counts = { bytes: 1, entries: 1, tombstones: 0, pointedBytes: 1 }
    const sequences = { smallestSequence: 1, largestSequence: 1 }
    return {
      number: SEGMENTS + i,
      ...counts,
      ...sequences,
      smallestKey: key,
      largestKey: key,
      largestExclusive: false,
      fragments: 0,
    }
  })
  const references = metas.map((_, i) => {
    const list = new ReferenceList(FOLD_REFERENCES)
    for (let at = 0; at < FOLD_REFERENCES; at++) {
      list.segments[at] = 1 + ((i * 611_953 + at * 7919) % SEGMENTS)
    }
    return list
  })
  const pointed = {
    of: () => ({ records: 1, bytes: 1 }),
    referencesOf: (number: number) => references[number - SEGMENTS]!,
    totals: { puts: SEGMENTS },
  }
  const levels = [{ runs: [{ id: 1, tables: metas }] }]
  const costs = Array.from({ length: ROUNDS }, () => {
    const began = cpuMs()
    new Folds(version, pointed, () => true).worstTable(levels, 0)
    return cpuMs() - began
  })
  const ms = Math.min(...costs).toFixed(2)
  console.log(`the table to fold, of ${FOLD_TABLES} with ${FOLD_REFERENCES} references: ${ms} ms`)
}

async function fill(path: string): Promise<void> {
  const store = await openSmall(path, false)
  const value = Buffer.alloc(2500, 7)
  for (let i = 0; i < FILES; i++) await store.put(String(i).padStart(12, '0'), value)
  await store.close()
}

function openSmall(path: string, collects: boolean): Promise<Store> {
  return open(path, { segmentBytes: 4096, valueThreshold: 100, collector: { enabled: collects } })
}

/** Milliseconds from the call of a put to its end: the worst one, and the one that a thousandth are above. */
async function measurePuts(store: Store, looks: boolean): Promise<[number, number]> {
  const { collector } = engineOf(store) as Engine
  const value = Buffer.alloc(50, 7)
  const times: number[] = []
  for (let i = 0; i < PUTS; i++) {
    if (looks) collector.wake()
    const began = performance.now()
    await store.put(String(i % 100), value)
    times.push(performance.now() - began)
    // Each in a turn of its own, as looks take theirs.
    await nextTurn()
  }
  times.sort((left, right) => left - right)
  return [times.at(-1)!, times[Math.floor(PUTS * 0.999)]!]
}

/** Looks at all files, as after a collection; each put may come between two turns of one. */
async function measureWrites(path: string): Promise<void> {
  const store = await openStore(path, { valueThreshold: 100 })
  for (const looks of [false, true]) {
    const rounds: [number, number][] = []
    for (let round = 0; round < ROUNDS; round++) rounds.push(await measurePuts(store, looks))
    const best = (at: 0 | 1): string => Math.min(...rounds.map((each) => each[at])).toFixed(2)
    const what = looks ? 'while looks go on' : 'without looks'
    console.log(`a put ${what}: longest ${best(0)} ms, p99.9 ${best(1)} ms (wall)`)
  }
  await store.close()
}

function timed<T>(what: string, work: () => T): T {
  const began = cpuMs()
  const result = work()
  console.log(`${what}: ${(cpuMs() - began).toFixed(2)} ms`)
  return result
}

async function measureStore(): Promise<void> {
  const path = joinPath(directory, 'store')
  await fill(path)
  for (let round = 0; round < ROUNDS; round++) {
    globalThis.gc?.()
    const began = performance.now()
    const beganCpu = cpuMs()
    const store = await openSmall(path, true)
    const cpu = (cpuMs() - beganCpu).toFixed(0)
    console.log(
      `open, cleanly closed: ${(performance.now() - began).toFixed(0)} ms, ${cpu} ms of CPU`,
    )
    timed('  stats() at once', () => store.stats())
    timed('  stats() again', () => store.stats())
    const files = timed('  segments()', () => store.segments())
    console.log(`  files of the value log: ${files.length}`)
    await store.close()
  }
  await measureWrites(path)
}

try {
  measureLooks()
  await measureStore()
} finally {
  rmSync(directory, { recursive: true })
}
