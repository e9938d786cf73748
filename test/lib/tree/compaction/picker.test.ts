/**
 * The picker, on a simulated tree: newest first, convergence, bounded runs, for every policy; and
 * single decisions.
 */
import { expect, test } from 'vitest'
import { compareBytes } from '#dist/lib/base/bytes.js'
import type { CompactionPlan } from '#dist/lib/tree/compaction/compaction-plan.js'
import { pickCompaction, planFullCompaction } from '#dist/lib/tree/compaction/picker.js'
import type { TableMeta } from '#dist/lib/tree/entry.js'
import {
  compensatedBytes,
  LEVEL_0_RUNS_TRIGGER,
  measureTree,
  runLimit,
  type TreeShapeOptions,
} from '#dist/lib/tree/version/tree-shape.js'
import { EMPTY_VERSION, type Version } from '#dist/lib/tree/version/version.js'
import { applyEdit } from '#dist/lib/tree/version/version-builder.js'
import { meta } from '../../../support/parts/table-metas.ts'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'

const OPTIONS: TreeShapeOptions = {
  sizeRatio: 4,
  runsPerLevel: 1,
  runsAtLargestLevel: 1,
  tableBytes: 1000,
  memtableBytes: 2000,
  maxUnflushedLogBytes: 64_000,
}
const POLICIES = {
  leveling: { runsPerLevel: 1, runsAtLargestLevel: 1 },
  tiering: { runsPerLevel: 3, runsAtLargestLevel: 3 },
  'lazy leveling': { runsPerLevel: 3, runsAtLargestLevel: 1 },
} as const
const ENTRY_BYTES = 40
/** Nobody reads what is older than the newest. */
const NO_READERS = Number.MAX_SAFE_INTEGER
/** Tables of these tests have few entries. */
const DENSE_MIN = 6

interface Entry {
  readonly key: number
  readonly sequence: number
  readonly tombstone: boolean
}

/**
 * A tree whose tables are arrays of entries. Every table keeps all entries of a key; readers see
 * only the newest.
 */
class SimulatedTree {
  readonly tables: Map<number, readonly Entry[]> = new Map()
  readonly options: TreeShapeOptions
  readonly pointed: number
  version: Version = EMPTY_VERSION
  #next = 1
  #sequence = 0

  constructor(options: TreeShapeOptions, pointed: number) {
    this.options = options
    this.pointed = pointed
  }

  flush(entries: readonly { readonly key: number; readonly tombstone: boolean }[]): void {
    const numbered = entries.map((entry) => ({ ...entry, sequence: ++this.#sequence }))
    const newest = new Map(numbered.map((entry) => [entry.key, entry]))
    this.#publish([...newest.values()], 0, this.#next++, [])
  }

  /** The number for a plan's new run is given when the plan is made. */
  start(plan: CompactionPlan): { readonly plan: CompactionPlan; readonly runId: number } {
    return { plan, runId: plan.outputRunId === 'new' ? this.#next++ : plan.outputRunId }
  }

  finish({ plan, runId }: { readonly plan: CompactionPlan; readonly runId: number }): void {
    const inputs = plan.inputs.flatMap(({ tables }) => tables)
    const removed = inputs.map(({ number }) => number)
    if (plan.trivialMove) {
      const addedTables = inputs.map((table) => ({ level: plan.outputLevel, runId, meta: table }))
      this.#apply({ removedTables: removed, addedTables })
      return
    }
    const newest = new Map<number, Entry>()
    for (const { number } of inputs) {
      for (const entry of this.tables.get(number)!) {
        if ((newest.get(entry.key)?.sequence ?? 0) < entry.sequence) newest.set(entry.key, entry)
      }
    }
    const kept = [...newest.values()].filter(({ key, tombstone }) => {
      const bytes = keyBytes(key)
      const isCovered = plan.olderRanges.some(
        (range) =>
          compareBytes(range.smallestKey, bytes) <= 0 && compareBytes(bytes, range.largestKey) <= 0,
      )
      return !tombstone || isCovered
    })
    this.#publish(kept, plan.outputLevel, runId, removed)
    for (const number of removed) this.tables.delete(number)
  }

  #publish(
    entries: readonly Entry[],
    level: number,
    runId: number,
    removedTables: readonly number[],
  ): void {
    const sorted = [...entries].sort((left, right) => left.key - right.key)
    const perTable = Math.floor(this.options.tableBytes / ENTRY_BYTES)
    const addedTables = []
    for (let from = 0; from < sorted.length; from += perTable) {
      const part = sorted.slice(from, from + perTable)
      const number = this.#next++
      this.tables.set(number, part)
      const tombstones = part.filter(({ tombstone }) => tombstone).length
      const table: TableMeta = {
        ...meta(number, '', ''),
        bytes: part.length * ENTRY_BYTES,
        entries: part.length,
        tombstones,
        pointedBytes: (part.length - tombstones) * this.pointed,
        smallestKey: keyBytes(part[0]!.key),
        largestKey: keyBytes(part[part.length - 1]!.key),
      }
      addedTables.push({ level, runId, meta: table })
    }
    this.#apply({ removedTables, addedTables })
  }

  #apply(edit: Parameters<typeof applyEdit>[1]): void {
    this.version = applyEdit(
      this.version,
      { ...edit, nextFileNumber: this.#next },
      this.version.id + 1,
    )
  }

  /**
   * I6 and I7: per key the newest entry comes first, and what a reader sees is what was written
   * last.
   */
  check(written: ReadonlyMap<number, boolean>): void {
    const last = new Map<number, number>()
    const seen = new Map<number, boolean>()
    for (const { runs } of this.version.levels) {
      for (const { tables } of runs) {
        for (const { number } of tables) {
          for (const { key, sequence, tombstone } of this.tables.get(number)!) {
            const above = last.get(key)
            expect(above === undefined || above > sequence, `I6: key=${key}`).toBe(true)
            last.set(key, sequence)
            if (above === undefined) seen.set(key, tombstone)
          }
        }
      }
    }
    for (const [key, tombstone] of written) {
      expect(seen.get(key) ?? true, `I7: key=${key}`).toBe(tombstone)
    }
  }
}

function keyBytes(key: number): Uint8Array {
  return Uint8Array.of(key >> 8, key & 255)
}

function settle(tree: SimulatedTree): number {
  for (let steps = 0; ; steps++) {
    const plan = pickCompaction(tree.version.levels, tree.options, NO_READERS, DENSE_MIN)
    if (!plan) return steps
    if (steps > 5000) throw new Error('the tree does not converge')
    tree.finish(tree.start(plan))
  }
}

function checkBounds(tree: SimulatedTree): void {
  const { levels } = tree.version
  const shape = measureTree(levels, tree.options)
  levels.forEach(({ runs }, level) => {
    const limit = level === 0 ? LEVEL_0_RUNS_TRIGGER - 1 : runLimit(level, shape, tree.options)
    expect(runs.length, `level=${level}`).toBeLessThanOrEqual(limit)
  })
  const bottom = tree.options.runsPerLevel === 1 ? levels.at(-1)?.runs : undefined
  if (levels.length < 2 || bottom?.length !== 1) return
  for (const { tombstones, entries } of bottom[0]!.tables) {
    expect(tombstones, 'the bottom is not dense').toBeLessThan(Math.max(DENSE_MIN, entries / 2))
  }
}

for (const [name, policy] of Object.entries(POLICIES)) {
  for (const pointed of [0, 4000]) {
    test(`I6, I7: ${name}, values of ${pointed} bytes: newest first, bounded, converging`, () => {
      const seed = testSeed()
      const prng = new Prng(seed)
      try {
        for (let round = 0; round < 4; round++) simulate(prng, { ...OPTIONS, ...policy }, pointed)
      } catch (error) {
        throw new Error(replayHint(seed), { cause: error })
      }
    })
  }
}

function simulate(prng: Prng, options: TreeShapeOptions, pointed: number): void {
  const tree = new SimulatedTree(options, pointed)
  const written = new Map<number, boolean>()
  const keys = 50 + prng.below(3000)
  let running: ReturnType<SimulatedTree['start']> | undefined
  for (let step = 0; step < 250; step++) {
    if (prng.chance(0.4)) {
      const low = prng.below(keys)
      const span = 1 + prng.below(prng.chance(0.5) ? keys : 40)
      const entries = Array.from({ length: 1 + prng.below(60) }, () => {
        return { key: Math.min(keys - 1, low + prng.below(span)), tombstone: prng.chance(0.3) }
      })
      tree.flush(entries)
      for (const { key, tombstone } of entries) written.set(key, tombstone)
    } else if (running) {
      // Flushes have come meanwhile.
      tree.finish(running)
      running = undefined
    } else {
      const plan = pickCompaction(tree.version.levels, options, NO_READERS, DENSE_MIN)
      if (plan) running = tree.start(plan)
    }
    if (!running && prng.chance(0.03)) {
      const from = prng.below(keys)
      const to = from + prng.below(keys)
      const range = prng.chance(0.3) ? {} : { from: keyBytes(from), to: keyBytes(to) }
      const plan = planFullCompaction(tree.version.levels, options, range)
      if (plan) tree.finish(tree.start(plan))
      else if (!range.from) expect(tree.version.levels).toEqual([])
    }
    if (step % 10 === 0) tree.check(written)
  }
  if (running) tree.finish(running)
  settle(tree)
  tree.check(written)
  checkBounds(tree)

  const plan = planFullCompaction(tree.version.levels, options)
  if (plan) tree.finish(tree.start(plan))
  tree.check(written)
  const live = [...written.values()].filter((tombstone) => !tombstone).length
  const entries = [...tree.tables.values()].reduce((sum, table) => sum + table.length, 0)
  expect(entries, 'a full compaction leaves only live entries').toBe(live)
}

function levelsOf(
  ...tables: readonly (readonly [level: number, runId: number, table: TableMeta])[]
): Version['levels'] {
  const addedTables = tables.map(([level, runId, table]) => ({ level, runId, meta: table }))
  return applyEdit(EMPTY_VERSION, { nextFileNumber: 1000, addedTables }, 1).levels
}

test('a policy of other parameters takes over a tree, and settles', () => {
  const prng = new Prng(5)
  const tree = new SimulatedTree({ ...OPTIONS, ...POLICIES.tiering }, 500)
  const written = new Map<number, boolean>()
  for (let i = 0; i < 300; i++) {
    const entries = Array.from({ length: 50 }, () => ({ key: prng.below(5000), tombstone: false }))
    tree.flush(entries)
    for (const { key, tombstone } of entries) written.set(key, tombstone)
    settle(tree)
  }
  expect(tree.version.levels.some(({ runs }) => runs.length > 1)).toBe(true)
  Object.assign(tree, { options: OPTIONS })
  settle(tree)
  tree.check(written)
  checkBounds(tree)
})

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
