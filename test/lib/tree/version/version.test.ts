/** Versions: edits applied, snapshots, look-ups, and what does not fit. */
import { expect, test } from 'vitest'
import { firstVersion } from '#dist/lib/tree/version/first-version.js'
import {
  EMPTY_VERSION,
  fileLength,
  findTable,
  overlappingTables,
  type Version,
} from '#dist/lib/tree/version/version.js'
import { applyEdit } from '#dist/lib/tree/version/version-builder.js'
import type { VersionEdit } from '#dist/lib/tree/version/version-edit.js'
import { logFile } from '../../../support/parts/log-files.ts'
import { meta } from '../../../support/parts/table-metas.ts'

function apply(version: Version, edit: VersionEdit): Version {
  return applyEdit(version, { nextFileNumber: 1000, ...edit }, version.id + 1)
}

const key = (text: string): Uint8Array => new TextEncoder().encode(text)

const BASE = apply(EMPTY_VERSION, {
  lastSequence: 10,
  checkpoint: { ordinal: 3, offset: 100 },
  durable: { ordinal: 3, offset: 100 },
  addedTables: [
    { level: 0, runId: 20, meta: meta(20, 'a', 'm') },
    { level: 0, runId: 30, meta: meta(30, 'c', 'd') },
    { level: 2, runId: 5, meta: meta(6, 'k', 'p') },
    { level: 2, runId: 5, meta: meta(5, 'a', 'c') },
  ],
  addedFiles: [logFile(2, 22), logFile(3, 33)],
  sealedFiles: [{ number: 2, length: 500, lastSequence: 4 }],
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
  expect(BASE.files.get(2)).toEqual({
    role: 'log',
    number: 2,
    salt: 22,
    ordinal: 2,
    seal: { length: 500, lastSequence: 4 },
  })
})

test('the first version of a manifest makes the same version', () => {
  const clean = apply(BASE, { cleanEnd: { ordinal: 3, offset: 900 } })
  for (const version of [BASE, clean]) {
    const [only, ...others] = firstVersion(version)
    expect(others).toEqual([])
    expect(applyEdit(EMPTY_VERSION, only!, version.id)).toEqual(version)
  }
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
    addedFiles: [logFile(50)],
    sealedFiles: [{ number: 50, length: 64, lastSequence: 10 }],
  })
  expect(next.levels[1]!.runs[0]!.tables[0]!.number).toBe(30)
  expect(fileLength(next.files.get(50)!)).toBe(64)
})

test('positions and sequences never go back; a clean end holds for one edit', () => {
  const next = apply(BASE, {
    lastSequence: 5,
    checkpoint: { ordinal: 2, offset: 900 },
    cleanEnd: { ordinal: 3, offset: 100 },
  })
  expect(next.lastSequence).toBe(10)
  expect(next.checkpoint).toEqual({ ordinal: 3, offset: 100 })
  expect(next.cleanEnd).toEqual({ ordinal: 3, offset: 100 })
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
    { addedFiles: [logFile(3, 0, 9)] },
    { sealedFiles: [{ number: 2, length: 500, lastSequence: 4 }] },
    { sealedFiles: [{ number: 99, length: 500, lastSequence: 4 }] },
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
    overlappingTables(run.tables, {
      smallestKey: key(from),
      largestKey: key(to),
      largestExclusive: false,
    }).map(({ number }) => number)
  expect(overlapping('c', 'k')).toEqual([5, 6])
  expect(overlapping('d', 'j')).toEqual([])
  expect(overlapping('p', 'z')).toEqual([6])
})
