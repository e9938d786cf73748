/**
 * Micro-benchmark of relocations: write, open, locate, the whole index. Not a part of `npm run bench`; run it alone on
 * an idle machine: `node --expose-gc dist/bench/micro/relocation.js [RECORDS]`. Each figure is the best of its rounds,
 * each longest slice the longest of the last round.
 *
 * It looks below the public face, as micro-benchmarks do: what it measures has none.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { NO_BYTES } from '../../lib/base/bytes.ts'
import { BlockCache } from '../../lib/base/files/block-cache.ts'
import { joinPath, segmentName } from '../../lib/base/files/file-names.ts'
import { NodeFileSystem } from '../../lib/base/platform/node-file-system.ts'
import { plainRecord, RECORD_KIND, writeRecordHead } from '../../vlog/record.ts'
import type { BuiltRelocation } from '../../vlog/relocation/relocation-format.ts'
import { RelocationReader } from '../../vlog/relocation/relocation-reader.ts'
import { RelocationWriter } from '../../vlog/relocation/relocation-writer.ts'
import { measure, ROUNDS } from './best-of-rounds.ts'

const RECORDS = Number(process.argv[2] ?? 500_000)
const LOOKUPS = 500_000
/** Survivors are apart from each other by this much in their old segments. */
const STRIDE_BYTES = 8300
const DATABASE_ID = new Uint8Array(16).fill(7)

const fileSystem = new NodeFileSystem()
const directory = mkdtempSync(joinPath(tmpdir(), 'wisc-bench-relocation-'))
let number = 1000

/** The addresses in the order of keys: a step through all of them that is prime to their number. */
interface Survivors {
  readonly segments: Float64Array
  readonly offsets: Float64Array
}

function makeSurvivors(segmentCount: number): Survivors {
  const segments = new Float64Array(RECORDS)
  const offsets = new Float64Array(RECORDS)
  for (let i = 0; i < RECORDS; i++) {
    const at = (i * 611_953) % RECORDS
    segments[i] = 1 + (at % segmentCount)
    offsets[i] = 160 + Math.floor(at / segmentCount) * STRIDE_BYTES
  }
  return { segments, offsets }
}

interface Timing {
  total: number
  longestSlice: number
}

/** Milliseconds of a body in slices. */
function runSlices<Result>(slices: Generator<unknown, Result>, timing: Timing): Result {
  const start = performance.now()
  timing.longestSlice = 0
  for (let before = start; ; ) {
    const slice = slices.next()
    const now = performance.now()
    timing.longestSlice = Math.max(timing.longestSlice, now - before)
    before = now
    if (slice.done) {
      timing.total = Math.min(timing.total, now - start)
      return slice.value
    }
  }
}

function build(survivors: Survivors, copy: Timing, finish: Timing): BuiltRelocation {
  number++
  const file = fileSystem.open(joinPath(directory, segmentName(number)), 'create')
  const record = new Uint8Array(64)
  const empty = plainRecord(RECORD_KIND.put, new Uint8Array(16), NO_BYTES)
  const length = writeRecordHead(record, 0, empty, 1)
  const identity = { kind: 'relocation', databaseId: DATABASE_ID, number, salt: number } as const
  const writer = new RelocationWriter(file, identity)
  const start = performance.now()
  for (let i = 0; i < RECORDS; i++) {
    writer.begin(survivors.segments[i]!, survivors.offsets[i]!)
    writer.write(record, 0, length)
  }
  copy.total = Math.min(copy.total, performance.now() - start)
  const built = runSlices(writer.finishSlices(), finish)
  file.close()
  return built
}

function open(built: BuiltRelocation): RelocationReader {
  const name = segmentName(built.number)
  const expected = { ...built, databaseId: DATABASE_ID }
  return RelocationReader.open(fileSystem, joinPath(directory, name), name, expected)
}

function locateAll(
  reader: RelocationReader,
  survivors: Survivors,
  count: number,
  distance: number,
  cache: BlockCache,
): void {
  let found = 0
  for (let i = 0; i < count; i++) {
    const at = i % RECORDS
    const place = reader.locate(survivors.segments[at]!, survivors.offsets[at]! + distance, cache)
    if (place >= 0) found++
  }
  if (found !== (distance === 0 ? count : 0)) throw new Error('wrong result')
}

/** Bytes that a lookup leaves behind on the heap. */
function heapBytesOfLookup(
  reader: RelocationReader,
  survivors: Survivors,
  cache: BlockCache,
): number {
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  locateAll(reader, survivors, 10_000, 0, cache)
  return (process.memoryUsage().heapUsed - before) / 10_000
}

function newTiming(): Timing {
  return { total: Number.POSITIVE_INFINITY, longestSlice: 0 }
}

function runCase(segmentCount: number): void {
  const survivors = makeSurvivors(segmentCount)
  const [copy, finish, addresses, verify] = [newTiming(), newTiming(), newTiming(), newTiming()]
  let built: BuiltRelocation | undefined
  for (let round = 0; round < ROUNDS; round++) built = build(survivors, copy, finish)
  const reader = open(built!)
  const openUs = measure(1, () => open(built!).close())
  for (let round = 0; round < ROUNDS; round++) runSlices(reader.addressesSlices(), addresses)
  for (let round = 0; round < ROUNDS; round++) runSlices(reader.verifySlices(), verify)
  const cache = new BlockCache(256 * 1024 * 1024)
  const uncached = open(built!)
  const show = ({ total, longestSlice }: Timing): string =>
    `${total.toFixed(1)}, longest slice ${longestSlice.toFixed(2)}`
  const results: Record<string, string> = {
    'locate us': measure(LOOKUPS, () => locateAll(reader, survivors, LOOKUPS, 0, cache)).toFixed(3),
    'locate, absent us': measure(LOOKUPS, () =>
      locateAll(reader, survivors, LOOKUPS, 8, cache),
    ).toFixed(3),
    'locate, no cache us': measure(20_000, () =>
      locateAll(uncached, survivors, 20_000, 0, new BlockCache(0)),
    ).toFixed(2),
    'heap bytes a lookup': heapBytesOfLookup(reader, survivors, cache).toFixed(2),
    'begin and write us': ((copy.total * 1000) / RECORDS).toFixed(3),
    'finish ms': show(finish),
    'open us': openUs.toFixed(0),
    'addresses ms': show(addresses),
    'verify ms': show(verify),
    'pinned bytes': `${reader.pinnedBytes} (${(reader.pinnedBytes / RECORDS).toFixed(4)} a record)`,
    'index bytes a record': ((built!.length - reader.recordsEnd) / RECORDS).toFixed(2),
  }
  console.log(`${RECORDS} records of ${segmentCount} segments`)
  for (const [name, value] of Object.entries(results)) console.log(`  ${name.padEnd(22)} ${value}`)
  reader.close()
  uncached.close()
}

try {
  for (const segmentCount of [1, 16, 3000]) runCase(segmentCount)
} finally {
  rmSync(directory, { recursive: true })
}
