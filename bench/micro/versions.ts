/**
 * Micro-benchmark of versions: what an edit costs the main thread in a large store, all that the version set does for
 * it included, and what a manifest costs. Not a part of `npm run bench`; run it alone on an idle machine:
 * `node --expose-gc dist/bench/micro/versions.js [FILES] [SEGMENTS] [TABLES]`. The best of its rounds, without syncs.
 *
 * Half of the files are of the log, half are relocations that share the other segments; the tables are one run.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { joinPath } from '../../lib/base/files/file-names.ts'
import type { File, FileSystem, OpenMode } from '../../lib/base/files/file-system.ts'
import {
  ForwardingFile,
  ForwardingFileSystem,
} from '../../lib/base/files/forwarding-file-system.ts'
import { NodeFileSystem } from '../../lib/base/platform/node-file-system.ts'
import { systemRandom } from '../../lib/base/random.ts'
import type { TableMeta } from '../../lib/tree/entry.ts'
import { fileOf, type Version } from '../../lib/tree/version/version.ts'
import type { AddedFile, AddedTable, VersionEdit } from '../../lib/tree/version/version-edit.ts'
import { VersionSet } from '../../lib/tree/version/version-set.ts'
import { ROUNDS } from './best-of-rounds.ts'

const argument = (at: number, fallback: number): number => Number(process.argv[at] ?? fallback)
const FILES = argument(2, 20_000)
const SEGMENTS = argument(3, 100_000)
const TABLES = argument(4, 10_000)
const LOG_FILES = FILES / 2
const PARTS = Math.max(1, Math.round((SEGMENTS - FILES) / (FILES / 2)))
const EDITS = 500
/** Tables that a compaction takes and makes. */
const COMPACTED = 12

/** Writes, and never syncs: what a disk takes is no cost of the main thread. */
class UnsyncedFileSystem extends ForwardingFileSystem {
  override open(path: string, mode: OpenMode): File {
    return new UnsyncedFile(this.base.open(path, mode))
  }
  override syncDirectoryAsync(): Promise<void> {
    return Promise.resolve()
  }
}

class UnsyncedFile extends ForwardingFile {
  override dataSyncAsync(): Promise<void> {
    return Promise.resolve()
  }
}

const directory = mkdtempSync(joinPath(tmpdir(), 'wisc-bench-versions-'))
const fileSystem: FileSystem = new UnsyncedFileSystem(new NodeFileSystem())
const context = { fileSystem, directory, databaseId: new Uint8Array(16), random: systemRandom }

function key(number: number): Uint8Array {
  return Buffer.from(String(number).padStart(16, '0'))
}

/** A table of a slot of keys. */
function table(number: number, slot: number): AddedTable {
  const counts = { number, bytes: 2 ** 21, entries: 10_000, tombstones: 0, pointedBytes: 2 ** 30 }
  const ends = { smallestKey: key(100 * slot), largestKey: key(100 * slot + 99) }
  const keys = { ...ends, largestExclusive: false, fragments: 0 }
  const meta: TableMeta = { ...counts, ...keys, smallestSequence: 1, largestSequence: 10_000 }
  return { level: 3, runId: 1, meta }
}

function relocation(number: number, segments: readonly number[]): AddedFile {
  const parts = segments.map((segment) => ({ segment, records: 100, bytes: 4096 * 100 }))
  return { role: 'relocation', number, salt: 1, length: 4096 * 1000, parts }
}

async function makeStore(): Promise<VersionSet> {
  const set = await VersionSet.create(context)
  const take = (count: number): number[] =>
    Array.from({ length: count }, () => set.fileNumbers.take())
  const seal = (number: number) => ({ number, length: 2 ** 26, lastSequence: 1 })
  let ordinal = 0
  const add = async (numbers: readonly number[]): Promise<void> => {
    const addedFiles = numbers.map(
      (number): AddedFile => ({ role: 'log', number, salt: 1, ordinal: ++ordinal }),
    )
    await set.apply({ addedFiles, sealedFiles: numbers.map(seal) })
  }
  for (let i = 0; i < FILES - LOG_FILES; i++) {
    const segments = take(PARTS)
    await add(segments)
    await set.apply({ addedFiles: [relocation(take(1)[0]!, segments)] })
  }
  await add(take(LOG_FILES))
  await set.apply({ addedTables: take(TABLES).map((number, slot) => table(number, slot)) })
  return set
}

/** Microseconds from the call to the new version: the median of a round, and the mean; the best of the rounds. */
async function measureEdits(
  name: string,
  set: VersionSet,
  make: (version: Version, i: number) => VersionEdit,
): Promise<void> {
  let median = Number.POSITIVE_INFINITY
  let mean = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const times: number[] = []
    for (let i = 0; i < EDITS; i++) {
      const edit = make(set.current, round * EDITS + i)
      const start = performance.now()
      await set.apply(edit)
      times.push(1000 * (performance.now() - start))
    }
    times.sort((left, right) => left - right)
    median = Math.min(median, times[times.length >> 1]!)
    mean = Math.min(mean, times.reduce((sum, time) => sum + time, 0) / EDITS)
  }
  console.log(`${name.padEnd(44)} ${median.toFixed(1).padStart(9)} us, mean ${mean.toFixed(1)}`)
}

async function measureAll(set: VersionSet): Promise<void> {
  const { files, log, segments, tables } = set.current
  console.log(
    `files=${files.size} of the log=${log.size} segments=${segments.size} tables=${tables.size}`,
  )
  let ordinal = log.last![0]
  const relocations = [...files.values()].filter((file) => file.role === 'relocation')
  const logFiles = [...log].map(([, number]) => number)
  await measureEdits('a sealed file of the log and the next one', set, () => {
    const number = set.fileNumbers.take()
    return {
      addedFiles: [{ role: 'log', number, salt: 1, ordinal: ++ordinal }],
      sealedFiles: [{ number, length: 2 ** 26, lastSequence: 1 }],
    }
  })
  await measureEdits(`a compaction of ${COMPACTED} tables in a run of all`, set, (version) => {
    const first = (Math.random() * (TABLES - COMPACTED)) | 0
    const run = version.levels[3]!.runs[0]!.tables.slice(first, first + COMPACTED)
    const addedTables = run.map((_, i) => table(set.fileNumbers.take(), first + i))
    return { removedTables: run.map(({ number }) => number), addedTables }
  })
  await measureEdits('a rewrite of a relocation and a log file', set, (version, i) => {
    const old = relocations[i]!
    const taken = [...old.parts.map(({ segment }) => segment), logFiles[i]!]
    const kept = taken.filter((segment) => fileOf(version, segment)).sort((a, b) => a - b)
    return {
      removedSegments: [old.number],
      addedFiles: [relocation(set.fileNumbers.take(), kept)],
    }
  })
  await measureEdits('a flush: its table, the checkpoint', set, () => {
    const number = set.fileNumbers.take()
    const addedTables = [{ ...table(number, number), level: 0, runId: number }]
    return { addedTables, checkpoint: { ordinal, offset: 1 } }
  })
}

/** Milliseconds of CPU, over all threads. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Closes the store, reads its manifest, and begins the next one, the best of some rounds. */
async function measureManifest(set: VersionSet): Promise<void> {
  await set.close()
  const best = { reading: Number.POSITIVE_INFINITY, beginning: Number.POSITIVE_INFINITY }
  let stretch = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    globalThis.gc?.()
    const start = cpuMs()
    const read = VersionSet.read(fileSystem, directory)!
    const reading = cpuMs() - start
    console.log(
      `  a manifest of ${(read.validBytes / 2 ** 20).toFixed(1)} MiB, edit ${read.lastEditNumber}: ` +
        `${reading.toFixed(1)} ms to read`,
    )
    best.reading = Math.min(best.reading, reading)
    // What the reading leaves behind is not a part of what comes.
    globalThis.gc?.()
    const next = VersionSet.recover(context, read)
    const began = cpuMs()
    stretch = Math.min(stretch, await longestStretch(() => next.apply({})))
    best.beginning = Math.min(best.beginning, cpuMs() - began)
    await next.close()
  }
  const row = (name: string, ms: number): void =>
    console.log(`${name.padEnd(44)} ${ms.toFixed(1).padStart(9)} ms`)
  row('reading a manifest that holds one version', best.reading)
  row(`beginning one, ${stretch.toFixed(1)} ms (wall) at a stretch`, best.beginning)
}

/** For how long the event loop did not turn, at most, while something was under way. */
async function longestStretch(work: () => Promise<unknown>): Promise<number> {
  let longest = 0
  let turned = performance.now()
  const turn = (): void => {
    const now = performance.now()
    longest = Math.max(longest, now - turned)
    turned = now
  }
  let immediate = setImmediate(function again() {
    turn()
    immediate = setImmediate(again)
  })
  await work()
  turn()
  clearImmediate(immediate)
  return longest
}

try {
  const set = await makeStore()
  await measureAll(set)
  await measureManifest(set)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
