/** Tables of a version by their number: nothing that is done for each of them looks at all of them. */
import { expect, test } from 'vitest'
import { NumberMap } from '#dist/lib/base/number-map.js'
import { openTable } from '#dist/lib/state/tables.js'
import type { TableMeta } from '#dist/lib/tree/entry.js'
import { EMPTY_VERSION, type Version } from '#dist/lib/tree/version/version.js'
import type { AddedTable } from '#dist/lib/tree/version/version-edit.js'
import { MemoryFileSystem } from '../../support/files/memory-file-system.ts'

const TABLES = 500
const DATABASE_ID = new Uint8Array(16)

/** A version that counts how often the tables of its run are asked for. */
function counted(): { version: Version; asked: () => number } {
  let asked = 0
  const metas = Array.from({ length: TABLES }, (_, i): TableMeta => {
    const key = Uint8Array.of(i >> 8, i & 255)
    const sums = { bytes: 100, entries: 1, tombstones: 0, pointedBytes: 0, fragments: 0 }
    const keys = { smallestKey: key, largestKey: key, largestExclusive: false }
    const ends = { ...keys, smallestSequence: 1, largestSequence: 1 }
    return { number: i + 1, ...sums, ...ends }
  })
  const run = {
    id: 1,
    get tables() {
      asked++
      return metas
    },
  }
  const tables = NumberMap.from(
    metas.map((meta): [number, AddedTable] => [meta.number, { level: 0, runId: run.id, meta }]),
  )
  return { version: { ...EMPTY_VERSION, levels: [{ runs: [run] }], tables }, asked: () => asked }
}

test('tables are opened without looking through all of them each time', () => {
  const { version, asked } = counted()
  const context = { fileSystem: new MemoryFileSystem(), directory: '/db', databaseId: DATABASE_ID }
  for (let number = 1; number <= TABLES; number++) {
    expect(() => openTable(context, version, number)).toThrow('table is missing')
  }
  expect(() => openTable(context, version, TABLES + 1)).toThrow('not in the version')
  expect(asked()).toBe(0)
})

test('the map of tables belongs to the tables, and to no other version', () => {
  const { version, asked } = counted()
  expect({ ...version, id: 1 }.tables.get(7)?.meta.number).toBe(7)
  expect({ ...version, id: 2 }.tables.get(7)?.meta.number).toBe(7)
  expect(asked()).toBe(0)
  expect(EMPTY_VERSION.tables.size).toBe(0)
})
