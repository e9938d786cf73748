/**
 * Tables from sorted arrays of plain entries, in memory: what the tests of tables build and
 * compare.
 */
import type { FileIdentity } from '#dist/lib/base/files/file-header.js'
import { tableName } from '#dist/lib/base/files/file-names.js'
import type { BuiltTable, TableFigures, TableOptions } from '#dist/lib/tree/entry.js'
import { KIND } from '#dist/lib/tree/entry.js'
import { TableBuilder } from '#dist/lib/tree/table/table-builder.js'
import { TableReader } from '#dist/lib/tree/table/table-reader.js'
import { recordBytes } from '#dist/vlog/record.js'
import { MemoryFileSystem } from '../../../support/files/memory-file-system.ts'
import type { Prng } from '../../../support/random.ts'
import {
  compareEntries,
  inlineEntry,
  type ModelEntry,
  randomKey,
  tombstone,
} from '../memtable/memtable-model.ts'

export const DATABASE_ID: Uint8Array = new Uint8Array(16).fill(0xd1)
export const TABLE_NUMBER = 34
export const NAME: string = tableName(TABLE_NUMBER)
export const PATH: string = `/db/${NAME}`

export interface ModelTable {
  readonly fileSystem: MemoryFileSystem
  readonly built: BuiltTable
}

export function tableOptions(blockBytes: number, filterBitsPerKey: number = 10): TableOptions {
  return { tableBytes: 2 ** 40, blockBytes, filterBitsPerKey }
}

export function identityOf(number: number, databaseId: Uint8Array = DATABASE_ID): FileIdentity {
  return { kind: 'table', databaseId, number, salt: 0x5a17 }
}

/** An entry as the builder takes it. */
export function keyed(entry: ModelEntry): Parameters<TableBuilder['add']>[0] {
  const { key, sequence, kind, value, segment, offset, length } = entry
  const valueBytes = value ?? new Uint8Array(0)
  return {
    keyBytes: key,
    keyStart: 0,
    keyEnd: key.length,
    sequence,
    kind,
    valueBytes,
    valueStart: 0,
    valueEnd: valueBytes.length,
    segment,
    offset,
    length,
  }
}

/** Writes a table. The entries must be sorted. */
export function buildTable(
  entries: readonly ModelEntry[],
  options: TableOptions,
  identity: FileIdentity = identityOf(TABLE_NUMBER),
): ModelTable {
  const fileSystem = new MemoryFileSystem()
  const base = entries.reduce((least, { sequence }) => Math.min(least, sequence), Infinity)
  const file = fileSystem.open(PATH, 'create')
  const builder = new TableBuilder(file, identity, options, base)
  for (const entry of entries) builder.add(keyed(entry))
  const built = builder.finish()
  return { fileSystem, built }
}

export function openTable({ fileSystem, built }: ModelTable): TableReader {
  return TableReader.open(fileSystem, PATH, NAME, built.meta, DATABASE_ID)
}

/** An entry of any kind that a table takes. Sequences are given. */
function randomTableEntry(prng: Prng, key: Uint8Array, sequence: number): ModelEntry {
  const kind = prng.below(3)
  if (kind === KIND.tombstone) return tombstone(key, sequence)
  if (kind === KIND.inline) return inlineEntry(key, sequence, prng.bytes(prng.below(60)))
  const segment = prng.pick([1, 2, 127, 128, 70_000, 2 ** 32 - 1])
  const offset = prng.chance(0.5) ? prng.below(1000) : prng.u32() * 2 ** 15
  return {
    key,
    sequence,
    kind: KIND.pointer,
    value: undefined,
    segment,
    offset,
    length: prng.u32(),
  }
}

/**
 * Sorted entries with many versions of the same keys; sequences lie around 2^32 and above in some.
 */
export function randomEntries(prng: Prng, count: number): ModelEntry[] {
  const base = prng.pick([1, 2 ** 32 - 20, 2 ** 40])
  const jump = prng.chance(0.3) ? 2 ** 32 : 0
  const entries: ModelEntry[] = []
  for (let i = 0; i < count; i++) {
    const sequence = base + i + (i > count / 2 ? jump : 0)
    entries.push(randomTableEntry(prng, randomKey(prng), sequence))
  }
  return entries.sort(compareEntries)
}

/** The model with pointers to records of values that have the given lengths. */
export function withRecords(model: readonly ModelEntry[], stored: readonly number[]): ModelEntry[] {
  return model.map((entry, i) =>
    entry.kind === KIND.pointer
      ? { ...entry, length: recordBytes(entry.key.length, stored[i]!) }
      : entry,
  )
}

/** `stored[i]`: the length of the value of entry i if it is a pointer. */
export function sumFigures(model: readonly ModelEntry[], stored: readonly number[]): TableFigures {
  let valueBytes = 0
  let keyBytes = 0
  model.forEach(({ kind, key, value }, i) => {
    if (kind === KIND.tombstone) return
    keyBytes += key.length
    valueBytes += kind === KIND.inline ? value!.length : stored[i]!
  })
  const distinctKeys = new Set(model.map(({ key }) => Buffer.from(key).toString('hex'))).size
  return { distinctKeys, valueBytes, keyBytes }
}
