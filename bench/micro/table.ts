/**
 * Micro-benchmark of tables: build, open, lookup, scan. Not a part of `npm run bench`; run it alone
 * on an idle machine: `node dist/bench/micro/table.js [KEYS]`. Each figure is the best of its
 * rounds.
 *
 * It looks below the public face, as micro-benchmarks do: what it measures has none.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { compareBytes, hashRange } from '../../lib/base/bytes.ts'
import { BlockCache } from '../../lib/base/files/block-cache.ts'
import type { FileIdentity } from '../../lib/base/files/file-header.ts'
import { joinPath, tableName } from '../../lib/base/files/file-names.ts'
import { SEQUENCE_MAX } from '../../lib/base/ids.ts'
import { NodeFileSystem } from '../../lib/base/platform/node-file-system.ts'
import {
  type BuiltTable,
  Entry,
  type EntryCursor,
  KIND,
  type TableOptions,
} from '../../lib/tree/entry.ts'
import { TableBuilder } from '../../lib/tree/table/table-builder.ts'
import { TableReader } from '../../lib/tree/table/table-reader.ts'
import { measure } from './best-of-rounds.ts'

const KEYS = Number(process.argv[2] ?? 1_000_000)
const LOOKUPS = 500_000
const RECORD_BYTES = 4150
const OPTIONS: TableOptions = { tableBytes: 2 ** 40, blockBytes: 4096, filterBitsPerKey: 10 }
const DATABASE_ID = new Uint8Array(16).fill(7)

type KeyShape = 'random' | 'user number'

const fileSystem = new NodeFileSystem()
const directory = mkdtempSync(joinPath(tmpdir(), 'wisc-bench-table-'))
let number = 0

function makeKeys(shape: KeyShape, flipped: boolean): Uint8Array[] {
  const keys: Uint8Array[] = []
  let state = 0x9e3779b9
  for (let i = 0; i < KEYS; i++) {
    let key = new Uint8Array(16)
    if (shape === 'random') {
      for (let at = 0; at < key.length; at++) {
        state ^= state << 13
        state ^= state >>> 17
        state ^= state << 5
        key[at] = flipped ? ~state : state
      }
    } else {
      key = new TextEncoder().encode(`user${String(i * 10 + (flipped ? 5 : 0)).padStart(12, '0')}`)
    }
    keys.push(key)
  }
  // Copies, so that neighbours lie together in memory: the keys of a real caller are warm.
  return keys.sort(compareBytes).map((key) => key.slice())
}

/** Keys in the order in which they are looked up. */
function shuffle(keys: readonly Uint8Array[]): Uint8Array[] {
  const shuffled: Uint8Array[] = []
  for (let i = 0, at = 0; i < LOOKUPS; i++) {
    at = (at + 611_953) % keys.length
    shuffled.push(keys[at]!.slice())
  }
  return shuffled
}

function build(keys: readonly Uint8Array[]): BuiltTable {
  number++
  const identity: FileIdentity = { kind: 'table', databaseId: DATABASE_ID, number, salt: number }
  const file = fileSystem.open(joinPath(directory, tableName(number)), 'create')
  const builder = new TableBuilder(file, identity, OPTIONS, 1)
  const entry = Object.assign(new Entry(), { kind: KIND.pointer, length: RECORD_BYTES })
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!
    entry.keyBytes = key
    entry.keyEnd = key.length
    // Keys were written in another order than they are sorted.
    const at = (i * 7919) % KEYS
    entry.sequence = 1 + at
    entry.segment = 1 + Math.floor(at / 15_000)
    entry.offset = (at % 15_000) * RECORD_BYTES
    builder.add(entry)
  }
  const built = builder.finish()
  file.close()
  return built
}

function open(built: BuiltTable): TableReader {
  const name = tableName(built.meta.number)
  return TableReader.open(fileSystem, joinPath(directory, name), name, built.meta, DATABASE_ID)
}

function findAll(
  reader: TableReader,
  keys: readonly Uint8Array[],
  cache: BlockCache,
  present: boolean,
): void {
  const found = new Entry()
  let count = 0
  for (let i = 0; i < LOOKUPS; i++) {
    const key = keys[i]!
    if (reader.find(key, hashRange(key, 0, key.length, 0), SEQUENCE_MAX, found, cache)) count++
  }
  if (present ? count !== LOOKUPS : count > LOOKUPS / 50) throw new Error('wrong result')
}

function scan(cursor: EntryCursor, backward: boolean): void {
  let count = 0
  if (backward) for (cursor.seekToLast(); cursor.valid; cursor.previous()) count++
  else for (cursor.seekToFirst(); cursor.valid; cursor.next()) count++
  if (count !== KEYS) throw new Error('wrong count')
}

function seekAll(cursor: EntryCursor, keys: readonly Uint8Array[]): void {
  for (let i = 0; i < LOOKUPS; i++) {
    cursor.seek(keys[i]!, SEQUENCE_MAX)
    if (!cursor.valid) throw new Error('not found')
  }
}

function runCase(shape: KeyShape): void {
  const keys = makeKeys(shape, false)
  const lookups = shuffle(keys)
  const absent = shuffle(makeKeys(shape, true))
  let built = build(keys)
  const buildUs = measure(KEYS, () => {
    built = build(keys)
  })
  const cache = new BlockCache(256 * 1024 * 1024)
  const openUs = measure(1, () => open(built).close())
  const reader = open(built)
  const loadUs = measure(1, () => {
    const fresh = open(built)
    fresh.cursor()
    fresh.close()
  })
  const uncached = open(built)
  const results: Record<string, string> = {
    'build M keys/s': (1 / buildUs).toFixed(2),
    'bytes a key': (built.meta.bytes / KEYS).toFixed(1),
    'open us': openUs.toFixed(0),
    'open and load us': loadUs.toFixed(0),
    'find us': measure(LOOKUPS, () => findAll(reader, lookups, cache, true)).toFixed(3),
    'find, absent us': measure(LOOKUPS, () => findAll(reader, absent, cache, false)).toFixed(3),
    'find, no cache us': measure(LOOKUPS, () =>
      findAll(uncached, lookups, new BlockCache(0), true),
    ).toFixed(2),
    'seek us': measure(LOOKUPS, () => seekAll(reader.cursor(cache), lookups)).toFixed(3),
    'scan M/s': (1 / measure(KEYS, () => scan(reader.cursor(cache), false))).toFixed(1),
    'scan back M/s': (1 / measure(KEYS, () => scan(reader.cursor(cache), true))).toFixed(1),
    'job scan M/s': (1 / measure(KEYS, () => scan(reader.cursor(), false))).toFixed(1),
    'verify M/s': (1 / measure(KEYS, () => reader.verify())).toFixed(1),
    'pinned bytes a key': (reader.pinnedBytes / KEYS).toFixed(2),
  }
  console.log(`${KEYS} keys, ${shape}`)
  for (const [name, value] of Object.entries(results)) console.log(`  ${name.padEnd(20)} ${value}`)
  reader.close()
  uncached.close()
}

try {
  for (const shape of ['random', 'user number'] as const) runCase(shape)
} finally {
  rmSync(directory, { recursive: true })
}
