/** What dead inline values and tombstones hold in tables: when it is given back, and that it is. */
import { expect, test } from 'vitest'
import {
  isExposureAsked,
  isTreeEmptied,
  isTreeWorthMerging,
} from '#dist/lib/collector/plan/tree-garbage.js'
import type { Options } from '#dist/lib/contract/options.js'
import { CollectedStore, keyOf } from '../../../support/store/collected-store.ts'
import { settled } from '../../../support/store/settled.ts'

const ASKED: Options = { collector: { enabled: false } }
const KEYS = 900

test('the tree is due by the rule of a rewrite: its excess over the target, as a share of what is kept', () => {
  const due = (tableGarbageBytes: number, target: number): boolean =>
    isTreeWorthMerging({ tableBytes: 1000, tableGarbageBytes }, target)
  expect([due(200, 1.3), due(240, 1.3)]).toEqual([false, true])
  expect([due(370, 1.6), due(380, 1.6)]).toEqual([false, true])
  // However low the target, not for a thirtieth of what would be written.
  expect([due(30, 1), due(31, 1)]).toEqual([false, true])
  expect(due(1000, 1)).toBe(true)
  expect(isTreeWorthMerging({ tableBytes: 0, tableGarbageBytes: 0 }, 1)).toBe(false)
  // What is hidden in the value log is exposed, however little it is.
  const walked = { tableBytes: 1000, tableGarbageBytes: 0 }
  expect(isExposureAsked({ ...walked, hiddenBytes: 1 }, 1.3)).toBe(true)
  expect(isExposureAsked({ ...walked, hiddenBytes: 0 }, 1.3)).toBe(false)
  expect(isTreeEmptied({ tableBytes: 900, tableGarbageBytes: 800 })).toBe(true)
  expect(isTreeEmptied({ tableBytes: 900, tableGarbageBytes: 700 })).toBe(false)
})

/** Small values in one run at the bottom. */
async function smallValues(options: Options): Promise<CollectedStore> {
  const opened = await CollectedStore.open({ memtableBytes: 1_048_576, ...options })
  for (let i = 0; i < KEYS; i++) await opened.put(keyOf(i), 200)
  await opened.store.compact()
  return opened
}

const tableBytes = ({ store }: CollectedStore): number =>
  store.stats().levels.reduce((sum, { bytes }) => sum + bytes, 0)

test.each([
  ['deleted', async (opened: CollectedStore, i: number) => opened.delete(keyOf(i))],
  ['overwritten', async (opened: CollectedStore, i: number) => opened.put(keyOf(i), 10)],
])('collect gives back what small values hold in tables that were %s', async (_, change) => {
  const opened = await smallValues(ASKED)
  const full = tableBytes(opened)
  for (let i = 0; i < KEYS; i++) if (i % 9 > 0) await change(opened, i)
  const report = await opened.store.collect({ targetSpaceAmplification: 1 })
  expect(tableBytes(opened)).toBeLessThan(full / 3)
  expect(report.after.diskBytes).toBeLessThan(report.before.diskBytes - full / 2)
  await opened.store.compact()
  expect(report.after.liveBytes).toBe(opened.store.stats().liveBytes)
  await opened.finish()
})

test('what a snapshot sees stays, and what it does not need goes when it is closed', async () => {
  const opened = await smallValues(ASKED)
  const snapshot = opened.store.snapshot()
  const model = opened.copyModel()
  for (let i = 0; i < KEYS; i++) await opened.delete(keyOf(i))
  await opened.store.collect({ targetSpaceAmplification: 1 })
  await opened.check(model, snapshot)
  snapshot.close()
  await opened.store.collect({ targetSpaceAmplification: 1 })
  expect(opened.store.stats().tables).toBe(0)
  await opened.finish()
})

test('an emptied store of small values is given back by itself, within its bound, and once', async () => {
  const opened = await smallValues({
    collector: { enabled: true },
    segmentBytes: 1_048_576,
    tree: { sizeRatio: 10, tableBytes: 65_536, blockBytes: 4096 },
  })
  const { store, fileSystem } = opened
  expect(tableBytes(opened)).toBeGreaterThan(1_048_576 / 8)
  const compactions: unknown[] = []
  store.on('compaction', (each) => compactions.push(each))
  for (let i = 0; i < KEYS; i++) await opened.delete(keyOf(i))
  // The flush shows that nothing lives; the look that follows the end of the writes has nothing else to do.
  await store.flush()
  while (store.stats().tables > 0) await new Promise((resolve) => setTimeout(resolve, 20))
  await settled(fileSystem)
  expect(compactions).toHaveLength(1)
  await opened.finish()
})
