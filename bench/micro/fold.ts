/**
 * Micro-benchmark of folding: what it costs a compaction, and what a get saves. Not a part of `npm run bench`; run it
 * alone on an idle machine: `node dist/bench/micro/fold.js [RECORDS]`. Rounds are interleaved, the best of each counts;
 * times are those of the processor, from the page cache.
 *
 * It looks below the public face, as micro-benchmarks do: what it measures has none.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { BlockCache } from '../../lib/base/files/block-cache.ts'
import { joinPath, segmentName, tableName } from '../../lib/base/files/file-names.ts'
import { FileNumbers } from '../../lib/base/files/file-numbers.ts'
import { NodeFileSystem } from '../../lib/base/platform/node-file-system.ts'
import { systemRandom } from '../../lib/base/random.ts'
import { compactionSlices } from '../../lib/tree/compaction/compaction.ts'
import { Entry, KIND, type TableMeta } from '../../lib/tree/entry.ts'
import { TableBuilder } from '../../lib/tree/table/table-builder.ts'
import { recordBytes } from '../../vlog/record.ts'
import { PresentPlaces } from '../../vlog/relocation/present-places.ts'
import type { BuiltRelocation } from '../../vlog/relocation/relocation-format.ts'
import { RelocationReader } from '../../vlog/relocation/relocation-reader.ts'
import { RelocationWriter } from '../../vlog/relocation/relocation-writer.ts'

const RECORDS = Number(process.argv[2] ?? 1_000_000)
const ROUNDS = 5
/** Of which the relocations hold survivors. */
const SEGMENTS = 200
const RELOCATIONS = 8
const VALUE_BYTES = 16
const KEY_BYTES = 16
const TABLE_OPTIONS = { tableBytes: 8 * 1024 * 1024, blockBytes: 4096, filterBitsPerKey: 10 }

const fileSystem = new NodeFileSystem()
const directory = mkdtempSync(joinPath(tmpdir(), 'wisc-bench-fold-'))
const databaseId = new Uint8Array(16).fill(7)
const fileNumbers = new FileNumbers()
fileNumbers.skip(10_000)

interface Address {
  readonly segment: number
  readonly offset: number
}

const RECORD_BYTES = recordBytes(KEY_BYTES, VALUE_BYTES)

/** The record of key i: survivors of all segments lie in each relocation, in the order of keys. */
function addressOf(i: number): Address {
  const at = (i * 611_953) % RECORDS
  return { segment: 1 + (at % SEGMENTS), offset: 160 + Math.floor(at / SEGMENTS) * 8300 }
}

/** A segment lies in one relocation. */
function holderOf({ segment }: Address): number {
  return segment % RELOCATIONS
}

function writeRelocations(): BuiltRelocation[] {
  const record = new Uint8Array(RECORD_BYTES)
  return Array.from({ length: RELOCATIONS }, (_, index) => {
    const number = 1000 + index
    const file = fileSystem.open(joinPath(directory, segmentName(number)), 'create')
    const identity = { kind: 'relocation' as const, databaseId, number, salt: number }
    const writer = new RelocationWriter(file, identity, Number.POSITIVE_INFINITY)
    for (let i = 0; i < RECORDS; i++) {
      const address = addressOf(i)
      if (holderOf(address) !== index) continue
      writer.begin(address.segment, address.offset)
      writer.write(record, 0, record.length)
    }
    const steps = writer.finishSlices()
    for (;;) {
      const step = steps.next()
      if (!step.done) continue
      file.close()
      return step.value
    }
  })
}

/** Every other key, from `first` on. */
function writeRun(first: number): TableMeta[] {
  const tables: TableMeta[] = []
  let builder: TableBuilder | undefined
  let file: ReturnType<NodeFileSystem['open']> | undefined
  const end = (): void => {
    if (builder) tables.push(builder.finish().meta)
    file?.close()
    builder = undefined
  }
  const key = Buffer.alloc(KEY_BYTES)
  const fields = { keyBytes: key, keyEnd: KEY_BYTES, kind: KIND.pointer, length: RECORD_BYTES }
  const entry = Object.assign(new Entry(), fields)
  for (let i = first; i < RECORDS; i += 2) {
    if (builder && builder.estimatedBytes >= TABLE_OPTIONS.tableBytes) end()
    if (builder === undefined) {
      const number = fileNumbers.take()
      file = fileSystem.open(joinPath(directory, tableName(number)), 'create')
      const identity = { kind: 'table' as const, databaseId, number, salt: number }
      builder = new TableBuilder(file, identity, TABLE_OPTIONS, 1)
    }
    key.writeUInt32BE(i, KEY_BYTES - 4)
    entry.sequence = i + 1
    builder.add(Object.assign(entry, addressOf(i)))
  }
  end()
  return tables
}

/** Milliseconds of the processor that a compaction takes which folds the pointers into these segments. */
function compact(
  inputs: readonly TableMeta[][],
  relocations: readonly BuiltRelocation[],
  isFolded: ((segment: number) => boolean) | undefined,
): { readonly ms: number; readonly folded: number } {
  const place = { directory, databaseId }
  const targets = relocations.map(({ number, salt, length, parts }) => {
    const segments = parts.map(({ segment }) => segment)
    return { number, salt, length, segments: segments.filter((each) => isFolded?.(each) === true) }
  })
  const before = process.cpuUsage()
  const places = isFolded && new PresentPlaces(targets, place, fileSystem)
  const input = {
    ...place,
    inputs,
    olderRanges: [],
    readableSequences: [RECORDS + 1],
    evictedBelow: 0,
    expiredBy: 0,
    tableOptions: TABLE_OPTIONS,
    fileNumbers: fileNumbers.memory,
  }
  const steps = compactionSlices(input, { fileSystem, random: systemRandom }, places)
  for (;;) {
    const step = steps.next()
    if (!step.done) continue
    places?.close()
    const { user, system } = process.cpuUsage(before)
    for (const { meta } of step.value.tables) {
      fileSystem.unlink(joinPath(directory, tableName(meta.number)))
    }
    return { ms: (user + system) / 1000, folded: step.value.foldedPointers }
  }
}

/** Microseconds for one lookup of an old address, which a folded pointer spares a get: from warm pages. */
function lookUp(relocations: readonly BuiltRelocation[]): number {
  const cache = new BlockCache(256 * 1024 * 1024)
  const readers = relocations.map(({ number, salt, length }) => {
    const name = segmentName(number)
    const expected = { number, salt, length, databaseId }
    return RelocationReader.open(fileSystem, joinPath(directory, name), name, expected)
  })
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now()
    for (let n = 0; n < RECORDS; n++) {
      const address = addressOf((n * 7919) % RECORDS)
      readers[holderOf(address)]!.locate(address.segment, address.offset, cache)
    }
    best = Math.min(best, ((performance.now() - began) * 1000) / RECORDS)
  }
  for (const reader of readers) reader.close()
  return best
}

try {
  const relocations = writeRelocations()
  const inputs = [writeRun(0), writeRun(1)]
  const ways: [string, ((segment: number) => boolean) | undefined][] = [
    ['nothing', undefined],
    ['none of them', () => false],
    ['a tenth of them', (segment) => segment % 10 === 0],
    ['all of them', () => true],
  ]
  const best = ways.map(() => ({ ms: Number.POSITIVE_INFINITY, folded: 0 }))
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, [, isFolded]] of ways.entries()) {
      const { ms, folded } = compact(inputs, relocations, isFolded)
      best[i] = { ms: Math.min(best[i]!.ms, ms), folded }
    }
  }
  console.log(`a compaction of ${RECORDS} pointers into ${RELOCATIONS} relocations`)
  for (const [i, [name]] of ways.entries()) {
    const { ms, folded } = best[i]!
    const ratio = (ms / best[0]!.ms).toFixed(2)
    console.log(`  asks for ${name}: ${ms.toFixed(0)} ms, ${ratio}, folds ${folded}`)
  }
  console.log(`a lookup of an old address: ${lookUp(relocations).toFixed(2)} us`)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
