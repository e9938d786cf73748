/** Versions: edits applied, snapshots, look-ups, and what does not fit. */
import { expect, test } from 'vitest'
import {
  EMPTY_VERSION,
  findTable,
  overlappingTables,
  snapshotEdit,
  type Version,
} from '#dist/lib/tree/version/version.js'
import { applyEdit } from '#dist/lib/tree/version/version-builder.js'
import type { VersionEdit } from '#dist/lib/tree/version/version-edit.js'
import { meta } from '../../../support/parts/table-metas.ts'

function apply(version: Version, edit: VersionEdit): Version {
  return applyEdit(version, { nextFileNumber: 1000, ...edit }, version.id + 1)
}

const key = (text: string): Uint8Array => new TextEncoder().encode(text)

const BASE = apply(EMPTY_VERSION, {
  lastSequence: 10,
  checkpoint: { segment: 3, offset: 100 },
  durable: { segment: 3, offset: 100 },
  addedTables: [
    { level: 0, runId: 20, meta: meta(20, 'a', 'm') },
    { level: 0, runId: 30, meta: meta(30, 'c', 'd') },
    { level: 2, runId: 5, meta: meta(6, 'k', 'p') },
    { level: 2, runId: 5, meta: meta(5, 'a', 'c') },
  ],
  addedSegments: [
    { number: 3, salt: 33 },
    { number: 2, salt: 22 },
  ],
  sealedSegments: [{ number: 2, length: 500, lastSequence: 4 }],
})

test('tables are kept by level, newest run first, in key order; segments in log order', () => {
  const shape = BASE.levels.map(({ runs }) =>
    runs.map(({ id, tables }) => [id, tables.map((t) => t.number)]),
  )
  expect(shape).toEqual([
    [
      [30, [30]],
      [20, [20]],
    ],
    [],
    [[5, [5, 6]]],
  ])
  expect([...BASE.segments.keys()]).toEqual([2, 3])
  expect(BASE.segments.get(2)).toEqual({
    number: 2,
    salt: 22,
    state: 'sealed',
    length: 500,
    lastSequence: 4,
    relocation: undefined,
  })
})

test('the snapshot of a version makes the same version', () => {
  expect(applyEdit(EMPTY_VERSION, snapshotEdit(BASE), BASE.id)).toEqual(BASE)
  const clean = apply(BASE, { cleanEnd: { segment: 3, offset: 900 } })
  expect(applyEdit(EMPTY_VERSION, snapshotEdit(clean), clean.id)).toEqual(clean)
})

test('an edit leaves the old version as it was; empty levels and runs go', () => {
  const before = JSON.stringify(BASE)
  const next = apply(BASE, { removedTables: [5, 6, 30] })
  expect(next.levels.length).toBe(1)
  expect(next.levels[0]!.runs.map(({ id }) => id)).toEqual([20])
  expect(JSON.stringify(BASE)).toBe(before)
})

test('a table may move in one edit, and a segment be added and sealed', () => {
  const next = apply(BASE, {
    removedTables: [30],
    addedTables: [{ level: 1, runId: 40, meta: meta(30, 'c', 'd') }],
    addedSegments: [{ number: 50, salt: 1 }],
    sealedSegments: [{ number: 50, length: 64, lastSequence: 10 }],
  })
  expect(next.levels[1]!.runs[0]!.tables[0]!.number).toBe(30)
  expect(next.segments.get(50)?.state).toBe('sealed')
})

test('positions and sequences never go back; a clean end holds for one edit', () => {
  const next = apply(BASE, {
    lastSequence: 5,
    checkpoint: { segment: 2, offset: 900 },
    cleanEnd: { segment: 3, offset: 100 },
  })
  expect(next.lastSequence).toBe(10)
  expect(next.checkpoint).toEqual({ segment: 3, offset: 100 })
  expect(next.cleanEnd).toEqual({ segment: 3, offset: 100 })
  expect(apply(next, {}).cleanEnd).toBeUndefined()
})

test('what does not fit is refused', () => {
  const bad: VersionEdit[] = [
    { removedTables: [7] },
    { removedTables: [5, 5] },
    { addedTables: [{ level: 1, runId: 20, meta: meta(20, 'x', 'y') }] },
    { addedTables: [{ level: 2, runId: 5, meta: meta(70, 'c', 'd') }] },
    {
      addedTables: [
        { level: 0, runId: 80, meta: meta(80, 'a', 'b') },
        { level: 0, runId: 80, meta: meta(81, 'b', 'c') },
      ],
    },
    { addedTables: [{ level: 0, runId: 1000, meta: meta(90, 'a', 'b') }] },
    { addedTables: [{ level: 0, runId: 90, meta: meta(1000, 'a', 'b') }] },
    { addedSegments: [{ number: 3, salt: 0 }] },
    { sealedSegments: [{ number: 2, length: 500, lastSequence: 4 }] },
    { sealedSegments: [{ number: 99, length: 500, lastSequence: 4 }] },
    { removedSegments: [99] },
  ]
  for (const edit of bad)
    expect(() => apply(BASE, edit), JSON.stringify(edit)).toThrow('broken invariant')
})

test('tables are found by key and by range', () => {
  const run = BASE.levels[2]!.runs[0]!
  const found = (text: string): number | undefined => findTable(run, key(text))?.number
  expect(['', 'a', 'b', 'c', 'ca', 'k', 'p', 'q'].map(found)).toEqual([
    undefined,
    5,
    5,
    5,
    undefined,
    6,
    6,
    undefined,
  ])
  const overlapping = (from: string, to: string): number[] =>
    overlappingTables(run.tables, key(from), key(to)).map(({ number }) => number)
  expect(overlapping('c', 'k')).toEqual([5, 6])
  expect(overlapping('d', 'j')).toEqual([])
  expect(overlapping('p', 'z')).toEqual([6])
})
