/** Random trees under each policy: what the picker chooses keeps them newest first, bounded and converging. */
import { expect, test } from 'vitest'
import { pickCompaction, planFullCompaction } from '#dist/lib/tree/compaction/picker.js'
import {
  LEVEL_0_RUNS_TRIGGER,
  measureTree,
  runLimit,
  type TreeShapeOptions,
} from '#dist/lib/tree/version/tree-shape.js'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'
import {
  DENSE_MIN,
  keyBytes,
  NO_READERS,
  OPTIONS,
  POLICIES,
  SimulatedTree,
  settle,
} from './simulated-tree.ts'

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
