/** The worked example of lib/tree/FORMAT.md holds the very bytes that the code writes. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { tableName } from '#dist/lib/base/files/file-names.js'
import { KIND } from '#dist/lib/tree/entry.js'
import { TableReader } from '#dist/lib/tree/table/table-reader.js'
import { MemoryFileSystem } from '../../../support/files/memory-file-system.ts'
import { describeEntry, inlineEntry, tombstone, walk } from '../memtable/memtable-model.ts'
import { buildTable, PATH, tableOptions } from './table-model.ts'

const IDENTITY = {
  kind: 'table',
  databaseId: Uint8Array.from({ length: 16 }, (_, i) => i),
  number: 34,
  salt: 0x5a17,
} as const

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

const ENTRIES = [
  {
    key: utf8('apple'),
    sequence: 9,
    kind: KIND.pointer,
    value: undefined,
    segment: 35,
    offset: 128,
    length: 4150,
  },
  tombstone(utf8('apple'), 7),
  inlineEntry(utf8('apricot'), 8, utf8('hi')),
]

/** The bytes of the example: lines of offset, hex and a meaning. */
function exampleBytes(): Uint8Array {
  const page = readFileSync(new URL('../../../../lib/tree/FORMAT.md', import.meta.url), 'utf8')
  const section = page.slice(page.indexOf('### 2.11'), page.indexOf('### 2.12'))
  const bytes: number[] = []
  for (const line of section.split('\n')) {
    const match = /^ *(\d+) {2}((?:[0-9a-f]{2} )+) /.exec(line)
    if (!match) continue
    expect(Number(match[1]), line).toBe(bytes.length)
    for (const hex of match[2]!.trim().split(' ')) bytes.push(Number.parseInt(hex, 16))
  }
  return Uint8Array.from(bytes)
}

test('the code writes the example of FORMAT.md, byte for byte', () => {
  const { fileSystem } = buildTable(ENTRIES, tableOptions(4096), IDENTITY)
  expect(exampleBytes()).toEqual(fileSystem.contents(PATH))
})

test('the code reads the example of FORMAT.md', () => {
  const { built } = buildTable(ENTRIES, tableOptions(4096), IDENTITY)
  const fileSystem = new MemoryFileSystem()
  fileSystem.replace(PATH, exampleBytes())
  const name = tableName(IDENTITY.number)
  const reader = TableReader.open(fileSystem, PATH, name, built.meta, IDENTITY.databaseId)
  expect(walk(reader.cursor(), false)).toEqual(ENTRIES.map(describeEntry))
  reader.verify()
})
