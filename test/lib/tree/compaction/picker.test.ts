/** Single decisions of the picker; picker-simulation.test.ts has whole trees. */
import { expect, test } from 'vitest'
import type { CompactionPlan } from '#dist/lib/tree/compaction/compaction-plan.js'
import { pickCompaction } from '#dist/lib/tree/compaction/picker.js'
import type { TableMeta } from '#dist/lib/tree/entry.js'
import { compensatedBytes, measureTree } from '#dist/lib/tree/version/tree-shape.js'
import { EMPTY_VERSION, type Version } from '#dist/lib/tree/version/version.js'
import { applyEdit } from '#dist/lib/tree/version/version-builder.js'
import { meta } from '../../../support/parts/table-metas.ts'
import { OPTIONS, POLICIES } from './simulated-tree.ts'

function levelsOf(
  ...tables: readonly (readonly [level: number, runId: number, table: TableMeta])[]
): Version['levels'] {
  const addedTables = tables.map(([level, runId, table]) => ({ level, runId, meta: table }))
  return applyEdit(EMPTY_VERSION, { nextFileNumber: 1000, addedTables }, 1).levels
}

test('level 0 is left alone below its trigger, and emptied as a whole', () => {
  const runs = [1, 2, 3, 4].map((id) => [0, id, meta(id, 'a', 'z')] as const)
  expect(pickCompaction(levelsOf(...runs.slice(1)), OPTIONS, 0)).toBeUndefined()
  const plan = pickCompaction(
    levelsOf(...runs, [1, 9, meta(9, 'b', 'c')], [1, 9, meta(8, 'zz', 'zzz')]),
    OPTIONS,
    0,
  )!
  expect(plan.inputs.map(({ level, runId }) => [level, runId])).toEqual([
    [0, 4],
    [0, 3],
    [0, 2],
    [0, 1],
    [1, 9],
  ])
  expect(plan.inputs[4]!.tables.map(({ number }) => number)).toEqual([9])
  expect(plan).toMatchObject({
    inputLevel: 0,
    outputLevel: 1,
    outputRunId: 9,
    trivialMove: false,
    olderRanges: [],
  })
})

test('disjoint runs of level 0 move as they are, unless small or with tombstones', () => {
  const ranges = [
    ['a', 'b'],
    ['c', 'd'],
    ['e', 'f'],
    ['g', 'h'],
  ] as const
  const runs = (more: Partial<TableMeta>): Version['levels'] =>
    levelsOf(...ranges.map(([from, to], i) => [0, i + 1, meta(i + 1, from, to, more)] as const))
  expect(pickCompaction(runs({}), OPTIONS, 0)).toMatchObject({
    trivialMove: true,
    outputRunId: 'new',
  })
  expect(pickCompaction(runs({ bytes: 100 }), OPTIONS, 0)).toMatchObject({ trivialMove: false })
  expect(pickCompaction(runs({ tombstones: 1 }), OPTIONS, 0)).toMatchObject({ trivialMove: false })
})

test('leveling moves the tables that overlap least', () => {
  const big = { bytes: 1000, pointedBytes: 40_000 }
  const levels = levelsOf(
    [1, 5, meta(1, 'a', 'c', big)],
    [1, 5, meta(2, 'd', 'f', big)],
    [1, 5, meta(3, 'g', 'i', big)],
    [2, 4, meta(11, 'a', 'b')],
    [2, 4, meta(12, 'c', 'd')],
    [2, 4, meta(13, 'g', 'h')],
  )
  const first = pickCompaction(levels, OPTIONS, 0)!
  expect(first.inputs.map(({ tables }) => tables.map(({ number }) => number))).toEqual([[2], [12]])
})

test('older ranges hold every older table outside the inputs, in order', () => {
  const levels = levelsOf(
    ...[1, 2, 3, 4].map((id) => [0, id, meta(id, 'm', 'n')] as const),
    [1, 5, meta(5, 'a', 'b')],
    [2, 6, meta(6, 'm', 'z')],
    [3, 7, meta(7, 'c', 'n')],
  )
  const plan = pickCompaction(levels, OPTIONS, 0)!
  expect(plan.olderRanges.map(({ smallestKey }) => Buffer.from(smallestKey).toString())).toEqual([
    'c',
    'm',
  ])
})

test('a compensated size counts what is pointed to, and a tombstone as an average record', () => {
  const levels = levelsOf(
    [1, 1, meta(1, 'a', 'b', { bytes: 100, entries: 4, pointedBytes: 3900 })],
    [1, 1, meta(2, 'c', 'd', { bytes: 0, entries: 10, tombstones: 10 })],
  )
  const shape = measureTree(levels, OPTIONS)
  expect(shape.tombstoneBytes).toBe(1000)
  expect(compensatedBytes(levels[1]!.runs[0]!.tables[1]!, shape.tombstoneBytes)).toBe(10_000)
  expect(shape.levelBytes).toEqual([0, 14_000])
})

test('a dense table moves down while that is cheap, and is written anew at the bottom when no reader needs it', () => {
  const dense = { bytes: 1000, entries: 100, tombstones: 60, largestSequence: 50 }
  const table = meta(9, 'b', 'd', dense)
  const below = (...entries: readonly number[]): Version['levels'] =>
    levelsOf(
      [1, 8, table],
      ...entries.map((each, i) => {
        const key = String.fromCharCode('b'.charCodeAt(0) + i)
        return [2, 5, meta(20 + i, key, `${key}z`, { entries: each })] as const
      }),
    )
  const pick = (levels: Version['levels'], readable: number): CompactionPlan | undefined =>
    pickCompaction(levels, OPTIONS, readable, 50)
  // With what it overlaps, whether or not somebody reads: its tombstones go on hiding what they hide.
  const plan = pick(below(120, 120), 10)!
  expect(plan).toMatchObject({
    reason: 'tombstones',
    inputLevel: 1,
    outputLevel: 2,
    trivialMove: false,
  })
  expect(plan.inputs.map(({ tables }) => tables.map(({ number }) => number))).toEqual([
    [9],
    [20, 21],
  ])
  expect(pick(below(120, 121), 10)).toBeUndefined()
  expect(pickCompaction(below(120), OPTIONS, 10)).toBeUndefined()
  // Pieces of range tombstones count as well.
  const ranged = levelsOf(
    [1, 8, { ...table, entries: 0, tombstones: 0, fragments: 60 }],
    ...'bcdef'
      .split('')
      .map((key, i) => [2, 5, meta(20 + i, key, `${key}z`, { entries: 40 })] as const),
  )
  expect(pick(ranged, 10)).toMatchObject({ reason: 'tombstones', outputLevel: 2 })
  const flushed = (fragments: number): Version['levels'] =>
    levelsOf(
      [0, 9, meta(9, 'b', 'd', { entries: 0, fragments })],
      [1, 5, meta(20, 'b', 'c', { entries: 240 })],
    )
  expect(pick(flushed(60), 10)).toMatchObject({
    reason: 'tombstones',
    inputLevel: 0,
    outputLevel: 1,
  })
  expect(pick(flushed(59), 10)).toBeUndefined()
  expect(pick(flushed(49), 10)).toBeUndefined()
  const sparse = levelsOf([1, 8, { ...table, entries: 121 }], [2, 5, meta(20, 'b', 'c')])
  expect(pick(sparse, 100)).toBeUndefined()

  const bottom = levelsOf([1, 8, table], [1, 8, meta(10, 'e', 'f')])
  expect(pick(bottom, 49)).toBeUndefined()
  expect(pick(bottom, 50)).toMatchObject({
    reason: 'tombstones',
    inputLevel: 1,
    outputLevel: 1,
    outputRunId: 8,
    olderRanges: [],
    trivialMove: false,
  })
  const lazy = { ...OPTIONS, ...POLICIES['lazy leveling'] }
  expect(pickCompaction(bottom, lazy, 50, 50)).toBeUndefined()
})
