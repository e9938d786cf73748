/** Weights of entries against the tables that these make. */
import { expect, test } from 'vitest'
import { Entry, KIND } from '#dist/lib/tree/entry.js'
import { entryWeight } from '#dist/lib/tree/entry-weight.js'
import { memoryDirectory } from '../../support/files/memory-directory.ts'
import { writeRun } from '../../support/parts/write-run.ts'

const ENTRIES = 5000
const OPTIONS = { tableBytes: 2 ** 24, blockBytes: 4096, filterBitsPerKey: 10 }
const VALUE = new Uint8Array(100)
const PAYLOADS = [
  { kind: KIND.tombstone },
  { kind: KIND.pointer, segment: 7, offset: 2 ** 24, length: 4200 },
  { kind: KIND.inline, value: VALUE },
]

test('weights are in proportion to the bytes of tables, by two thirds, where keys have little in common', () => {
  const keyOf = (i: number): string =>
    (Math.imul(i, 0x9e3779b1) >>> 0).toString(36).padStart(7, '0')
  const keys = Array.from({ length: ENTRIES }, (_, i) => Buffer.from(keyOf(i)))
  keys.sort(Buffer.compare)
  const scales = PAYLOADS.map((payload) => {
    const entries = keys.map((key, i) => ({ key, sequence: 1 + i, ...payload }))
    const tables = writeRun(memoryDirectory(), entries, OPTIONS)
    const bytes = tables.reduce((sum, table) => sum + table.bytes, 0)
    const found = Object.assign(new Entry(), { kind: payload.kind, valueEnd: VALUE.length })
    return bytes / (ENTRIES * entryWeight(found, keys[0]!.length))
  })
  expect(Math.min(...scales) / Math.max(...scales)).toBeGreaterThan(2 / 3)
})
