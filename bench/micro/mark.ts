/**
 * Micro-benchmark of the collector's jobs: walk, mark, rewrite. Not a part of `npm run bench`; run it
 * alone on an idle machine: `node dist/bench/micro/mark.js [MIB]`. Best of its rounds, from the page
 * cache. Times are those of the processor, the kernel's part included: what waits for the disk, the
 * sync of a rewrite, is left out.
 *
 * It looks below the public face, as micro-benchmarks do: what it measures has none.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { compareBytes } from '../../lib/base/bytes.ts'
import { joinPath, segmentName, tableName } from '../../lib/base/files/file-names.ts'
import { frameSeed } from '../../lib/base/files/frame.ts'
import { LOG_START } from '../../lib/base/log-position.ts'
import { NodeFileSystem } from '../../lib/base/platform/node-file-system.ts'
import { systemRandom } from '../../lib/base/random.ts'
import { addPointer, noReferences, type Reference } from '../../lib/base/segment-records.ts'
import { markPointers } from '../../lib/tree/compaction/mark-pointers.ts'
import { livenessBy } from '../../lib/tree/compaction/table-liveness.ts'
import { Entry, KIND, type TableMeta } from '../../lib/tree/entry.ts'
import { TableBuilder } from '../../lib/tree/table/table-builder.ts'
import { packHeads, unpackHeads } from '../../vlog/collect/kept-heads.ts'
import { markRecords, markSlices } from '../../vlog/collect/mark.ts'
import { rewriteSlices } from '../../vlog/collect/rewrite.ts'
import type { VictimFile } from '../../vlog/collect/victim.ts'
import { collectVictims } from '../../vlog/collect/victim-walk.ts'
import { Group, stagedBytes } from '../../vlog/log/group.ts'
import { SEGMENT_HEADER_BYTES } from '../../vlog/log/segment-header.ts'
import { plainRecord, RECORD_KIND, recordBytes } from '../../vlog/record.ts'

const ROUNDS = 3
const MIB = 1024 * 1024
const SEGMENT_BYTES: number = Number(process.argv[2] ?? 64) * MIB
const SEGMENTS = 2
const KEY_BYTES = 16
/** Where tables get their numbers from; above those of segments. */
const FIRST_TABLE = 1000
const TABLE_OPTIONS = { tableBytes: 8 * MIB, blockBytes: 4096, filterBitsPerKey: 10 }

const fileSystem = new NodeFileSystem()
// Without turns of the event loop nothing may be synced early.
const ports = { fileSystem, random: systemRandom, earlySyncBytes: Number.POSITIVE_INFINITY }
const directory = mkdtempSync(joinPath(tmpdir(), 'wisc-bench-mark-'))
const databaseId = new Uint8Array(16).fill(7)
const place = { directory, databaseId }
let nextNumber = 1
let nextTable = FIRST_TABLE

interface Place {
  readonly key: Uint8Array
  readonly sequence: number
  readonly segment: number
  readonly offset: number
}

interface Log {
  readonly files: readonly VictimFile[]
  readonly records: readonly Place[]
}

/** Segments of puts with random keys, in frames of about 64 KiB. */
function writeLog(valueBytes: number): Log {
  const records: Place[] = []
  const value = systemRandom.bytes(valueBytes)
  const files = Array.from({ length: SEGMENTS }, () => writeSegment(value, records))
  return { files, records }
}

function writeSegment(value: Uint8Array, records: Place[]): VictimFile {
  const number = nextNumber++
  const identity = { kind: 'segment' as const, databaseId, number, salt: number }
  const seed = frameSeed(identity)
  const file = fileSystem.open(joinPath(directory, segmentName(number)), 'create')
  const group = new Group()
  const perFrame = Math.max(1, Math.floor(65536 / value.length))
  const firstSequence = records.length + 1
  const header = { identity, ordinal: number, predecessor: 0, predecessorLength: 0, firstSequence }
  let length = 0
  while (length < SEGMENT_BYTES) {
    const offset = length === 0 ? SEGMENT_HEADER_BYTES : length
    const keys = Array.from({ length: perFrame }, () => systemRandom.bytes(KEY_BYTES))
    const frame = keys.map((key) => plainRecord(RECORD_KIND.put, key, value))
    group.begin(records.length + 1, perFrame * stagedBytes(frame[0]!))
    for (const record of frame) {
      const { key } = record
      const at = offset + group.add(record)
      records.push({ key, sequence: records.length + 1, segment: number, offset: at })
    }
    const durable = LOG_START
    file.writev(group.finish(seed, offset, durable, 1, length === 0 ? header : undefined), length)
    length = offset + group.frameBytes
  }
  file.sync()
  file.close()
  return { kind: 'segment', number, salt: number, length }
}

/** Tables that point at one record in `every`, and at as many others between them as `foreign` says. */
function writeTables(log: Log, valueBytes: number, every: number, foreign: number): TableMeta[] {
  const held = log.records.filter((_, i) => i % every === 0)
  for (let i = held.length * foreign; i > 0; i--) {
    held.push({ key: systemRandom.bytes(KEY_BYTES), sequence: i, segment: 999_999, offset: i })
  }
  held.sort((left, right) => compareBytes(left.key, right.key))
  const length = recordBytes(KEY_BYTES, valueBytes)
  const tables: TableMeta[] = []
  let builder: TableBuilder | undefined
  let file: ReturnType<NodeFileSystem['open']> | undefined
  const end = (): void => {
    if (builder) tables.push(builder.finish().meta)
    file?.close()
    builder = undefined
  }
  const entry = Object.assign(new Entry(), { kind: KIND.pointer, length })
  for (const { key, sequence, segment, offset } of held) {
    if (builder && builder.estimatedBytes >= TABLE_OPTIONS.tableBytes) end()
    if (builder === undefined) {
      const number = nextTable++
      file = fileSystem.open(joinPath(directory, tableName(number)), 'create')
      const identity = { kind: 'table' as const, databaseId, number, salt: number }
      builder = new TableBuilder(file, identity, TABLE_OPTIONS, 1)
    }
    const keyEnd = key.length
    builder.add(Object.assign(entry, { keyBytes: key, keyEnd, sequence, segment, offset }))
  }
  end()
  return tables
}

interface Run<Result> {
  readonly result: Result
  readonly seconds: number
  readonly longestSliceMs: number
  readonly bytes: number
}

/** The best of the rounds. */
function measure<Result>(start: () => Generator<unknown, Result>, undo?: () => void): Run<Result> {
  let best: Run<Result> | undefined
  for (let round = 0; round < ROUNDS; round++) {
    const run = runOnce(start())
    if (best === undefined || run.seconds < best.seconds) best = run
    undo?.()
  }
  return best!
}

function processorMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

function runOnce<Result>(slices: Generator<unknown, Result>): Run<Result> {
  const began = processorMs()
  let bytes = 0
  let longestSliceMs = 0
  for (let before = began; ; ) {
    const slice = slices.next()
    const now = processorMs()
    if (slice.done)
      return { result: slice.value, seconds: (now - began) / 1000, longestSliceMs, bytes }
    if (typeof slice.value === 'number') bytes += slice.value
    longestSliceMs = Math.max(longestSliceMs, now - before)
    before = now
  }
}

function print(what: string, run: Run<unknown>, count: number, valueBytes: number): void {
  const total = count * recordBytes(KEY_BYTES, valueBytes)
  const figures = [
    `${(count / run.seconds / 1e6).toFixed(2)} M records/s`,
    `${(total / run.seconds / MIB).toFixed(0)} MiB/s of log`,
    `read or wrote ${(run.bytes / MIB).toFixed(2)} MiB of ${(total / MIB).toFixed(0)}`,
    `longest slice ${run.longestSliceMs.toFixed(1)} ms`,
  ]
  console.log(`  ${what.padEnd(28)} ${figures.join(', ')}`)
}

/** What the jobs get; the records themselves are garbage by then, and burden no slice. */
interface Prepared {
  readonly files: readonly VictimFile[]
  readonly count: number
  /** Those of tables that point at all records. */
  readonly references: readonly Reference[]
  readonly tableSets: readonly { readonly what: string; readonly tables: TableMeta[] }[]
}

function prepare(valueBytes: number): Prepared {
  const log = writeLog(valueBytes)
  const cases = [
    { what: 'mark, all live', every: 1, foreign: 0 },
    { what: 'mark, 1 of 2 live', every: 2, foreign: 0 },
    { what: 'mark, among 10 times others', every: 10, foreign: 10 },
    { what: 'mark, 1 of 100 live', every: 100, foreign: 0 },
  ]
  const tableSets = cases.map(({ what, every, foreign }) => {
    return { what, tables: writeTables(log, valueBytes, every, foreign) }
  })
  return {
    files: log.files,
    count: log.records.length,
    references: sumAll(log, valueBytes),
    tableSets,
  }
}

function sumAll({ files, records }: Log, valueBytes: number): Reference[] {
  const length = recordBytes(KEY_BYTES, valueBytes)
  return files.map(({ number }) => {
    const sum = noReferences()
    for (const { segment, offset } of records) {
      if (segment === number) addPointer(sum, offset, length)
    }
    return { segment: number, ...sum }
  })
}

/** One file, walked and by its kept heads: what a punch finds out before it makes a hole. */
function markKept(
  file: VictimFile,
  { what, tables }: Prepared['tableSets'][number],
  valueBytes: number,
): void {
  const input = { ...place, files: [file], minimumHoleBytes: 0 }
  const markLive = markPointers({ ...place, tables }, fileSystem)
  const { count } = runOnce(collectVictims(input, ports)).result
  const walked = measure(() => markSlices(input, markLive, ports))
  print(`${what}, one file`, walked, count, valueBytes)
  const heads = runOnce(packHeads(runOnce(collectVictims(input, ports)).result)).result
  if (heads === undefined) return
  const kept = measure(function* () {
    return yield* markRecords(yield* unpackHeads(heads, file), input, markLive, ports)
  })
  print(`... kept, ${(heads.bytes.length / count).toFixed(1)} bytes each`, kept, count, valueBytes)
}

function runCase(valueBytes: number): void {
  const { files, count, references, tableSets } = prepare(valueBytes)
  console.log(`values of ${valueBytes} bytes, ${count} records in ${files.length} files`)
  const input = { ...place, files, minimumHoleBytes: 0 }
  print(
    'walk and sort',
    measure(() => collectVictims(input, ports)),
    count,
    valueBytes,
  )
  for (const { what, tables } of tableSets) {
    const markLive = markPointers({ ...place, tables }, fileSystem)
    print(
      what,
      measure(() => markSlices(input, markLive, ports)),
      count,
      valueBytes,
    )
  }
  markKept(files[0]!, tableSets[1]!, valueBytes)
  const liveness = livenessBy({ ...place, tables: tableSets[0]!.tables }, fileSystem)
  const fileNumber = nextNumber++
  const path = joinPath(directory, segmentName(fileNumber))
  // Without what is known of the records it goes by the heads; of none of them is it known that it is dead.
  const start =
    (known: typeof references, entries: number) => (): ReturnType<typeof rewriteSlices> =>
      rewriteSlices(
        { ...place, files, fileNumber, references: known, dead: [] },
        { ...liveness, entries },
        ports,
      )
  const byPointers = start(references, 0)
  for (const [what, way] of [
    ['rewrite, all live, by heads', start([], count)],
    ['rewrite, all live, by pointers', byPointers],
    ['rewrite, all live, by a list', start(references, Number.POSITIVE_INFINITY)],
  ] as const) {
    print(
      what,
      measure(way, () => fileSystem.unlink(path)),
      count,
      valueBytes,
    )
  }
  const { relocation } = runOnce(byPointers()).result
  const moved = [{ kind: 'relocation' as const, ...relocation! }]
  const again = { ...input, files: moved }
  print(
    'walk of the relocation',
    measure(() => collectVictims(again, ports)),
    count,
    valueBytes,
  )
  const second = { ...place, files: moved, fileNumber: nextNumber++, references, dead: [] }
  const secondPath = joinPath(directory, segmentName(second.fileNumber))
  const rewrite = (): ReturnType<typeof rewriteSlices> => rewriteSlices(second, liveness, ports)
  const undo = (): void => fileSystem.unlink(secondPath)
  print('rewrite of the relocation', measure(rewrite, undo), count, valueBytes)
  for (const { number } of files) fileSystem.unlink(joinPath(directory, segmentName(number)))
  fileSystem.unlink(path)
}

try {
  for (const valueBytes of [100, 1024, 4096, 16_384, 131_072, MIB]) runCase(valueBytes)
} finally {
  rmSync(directory, { recursive: true })
}
