/**
 * The bounds of space that a store keeps by itself: `targetSpaceAmplification` and `maxBytesOnDisk`, measured at every
 * write on a file system in memory. The seed decides what is written. Each waits until the store is idle: one that
 * never comes to rest fails by the limit of the run.
 */
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { parseFileName } from '#dist/lib/base/files/file-names.js'
import { LookTimes } from '#dist/lib/collector/pace/look-times.js'
import type { Options } from '#dist/lib/contract/options.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'
import { CollectedStore, keyOf } from '../../support/store/collected-store.ts'
import { codeOf } from '../../support/store/fault-store.ts'
import { idle, runTimers } from '../../support/store/idle.ts'
import { settled } from '../../support/store/settled.ts'

const seed = testSeed()
const MIB = 1024 * 1024
const SEGMENT_BYTES = 256 * 1024
const TARGET = 1.3
const BY_ITSELF: Options = {
  segmentBytes: SEGMENT_BYTES,
  tree: { sizeRatio: 10, tableBytes: 65536, blockBytes: 4096 },
  collector: { targetSpaceAmplification: TARGET },
}

/** Without the output of a running compaction, and its inputs until they have gone. */
function boundedBytes({ store, fileSystem }: CollectedStore): number {
  const { tables } = engineOf(store).version
  const all = fileSystem.allocatedBytes()
  const counted = fileSystem.allocatedBytes((path) => {
    const name = parseFileName(path.slice(path.lastIndexOf('/') + 1))
    return name?.kind !== 'table' || tables.has(name.number)
  })
  return Math.max(counted, all - SEGMENT_BYTES)
}

beforeEach(runTimers)

function liveBytes({ model }: CollectedStore): number {
  let bytes = 0
  for (const [key, value] of model) bytes += key.length + value.length
  return bytes
}

/** @param valueBytes of what was put last: what is longer than a segment counts as one */
function boundOf(liveBytes: number, valueBytes: number = 0, target: number = TARGET): number {
  return target * liveBytes + 2 * Math.max(SEGMENT_BYTES, valueBytes)
}

/** Name, shortest and longest value, share of deletes. */
type Workload = readonly [string, number, number, number]

const WORKLOADS: readonly Workload[] = [
  ['1 KiB, uniform', 1024, 1024, 0],
  ['4 KiB, with deletes', 4096, 4096, 0.2],
  ['1 to 40 KiB, uniform', 1024, 40_960, 0],
  ['1 to 40 KiB, with deletes', 1024, 40_960, 0.1],
  ['20 to 40 KiB, uniform', 20_480, 40_960, 0],
  ['three segments', 3 * SEGMENT_BYTES, 3 * SEGMENT_BYTES, 0],
  ['a quarter of a segment to three', SEGMENT_BYTES / 4, 3 * SEGMENT_BYTES, 0.1],
]

interface Overwriting {
  readonly opened: CollectedStore
  /** Over the bound, by what the test knows to live. */
  excess: number
}

/**
 * A put, however long it waits, and how far the store is above its bound then. What it replaces lives until then: one
 * that is shorter than its predecessor lowers the bound itself, as a delete does, and nothing can have come back yet.
 */
async function measuredPut(
  overwriting: Overwriting,
  length: number,
  put: (opened: CollectedStore) => Promise<void>,
): Promise<void> {
  const { opened } = overwriting
  const before = liveBytes(opened)
  await put(opened)
  const live = Math.max(before, liveBytes(opened))
  overwriting.excess = Math.max(overwriting.excess, boundedBytes(opened) - boundOf(live, length))
}

/** Random writes, `factor` times as many as there are keys. @param put how each put is made */
async function overwrite(
  [, shortest, longest, deletes]: Workload,
  factor: number,
  put: (opened: CollectedStore, key: string, length: number) => Promise<void> = (opened, ...args) =>
    opened.put(...args),
): Promise<Overwriting> {
  const opened = await CollectedStore.open(BY_ITSELF)
  const overwriting = {
    opened,
    excess: Number.NEGATIVE_INFINITY,
  }
  const prng = new Prng(seed + longest)
  const keys = Math.round((2 * MIB) / ((shortest + longest) / 2))
  const length = (): number => shortest + prng.below(longest - shortest + 1)
  for (let i = 0; i < keys; i++) await opened.put(keyOf(i), length())
  for (let i = 0; i < factor * keys; i++) {
    const key = keyOf(prng.below(keys))
    const bytes = length()
    if (prng.chance(deletes)) await opened.delete(key)
    else await measuredPut(overwriting, bytes, () => put(opened, key, bytes))
  }
  return overwriting
}

/**
 * Of a segment. What lives is known but for what was written since the last look, of which the store holds back more
 * than it is likely to be off by (doubtBytes in plan/decide.ts). Of 94 runs with values of 1 to 40 KiB none was above
 * the bound: they were 78 KiB below it, with a deviation of 19, and the nearest 34. Above this share it takes six.
 */
const UNKNOWN_SHARE = 1 / 8

function expectBounded({ excess }: Overwriting): void {
  expect(excess, replayHint(seed)).toBeLessThanOrEqual(UNKNOWN_SHARE * SEGMENT_BYTES)
}

async function endSteady(opened: CollectedStore): Promise<void> {
  await idle(opened.fileSystem)
  expect(opened.fileSystem.allocatedBytes()).toBeLessThanOrEqual(boundOf(liveBytes(opened)))
  await opened.finish()
}

test.each(WORKLOADS)('at each moment, the writer at full speed: %s', async (...workload) => {
  const overwriting = await overwrite(workload, 4)
  expectBounded(overwriting)
  await endSteady(overwriting.opened)
})

const JOBS = ['flush', 'compaction', 'rewrite', 'punch'] as const

test.each(JOBS)('while each %s stands still for as long as the writer can go on', async (kind) => {
  const workload: Workload = ['1 to 40 KiB', 1024, 40_960, 0.05]
  let stands = 0
  for (const point of ['before', 'after'] as const) {
    const overwriting = await overwrite(workload, 3, async (opened, key, length) => {
      opened.runner.hold(kind, point)
      let isDone = false
      const put = opened.put(key, length).then(() => {
        isDone = true
      })
      // The writer waits, and nothing else goes on.
      await Promise.race([put, settled(opened.fileSystem)])
      if (!isDone) stands++
      opened.runner.release(kind)
      await put
    })
    expectBounded(overwriting)
    overwriting.opened.runner.release(kind)
    await overwriting.opened.finish()
  }
  console.info(`the writer stood ${stands} times`)
})

test('while looks come late', async () => {
  const workload: Workload = ['1 to 40 KiB', 1024, 40_960, 0.05]
  const { soon } = LookTimes.prototype
  const prng = new Prng(seed)
  const late = vi.spyOn(LookTimes.prototype, 'soon').mockImplementation(function (this: LookTimes) {
    setTimeout(() => soon.call(this), prng.below(100))
  })
  onTestFinished(() => late.mockRestore())
  const overwriting = await overwrite(workload, 3)
  expectBounded(overwriting)
  expect(late).toHaveBeenCalled()
  await endSteady(overwriting.opened)
})

test('of many puts at once as many go as there is room for', async () => {
  const workload: Workload = ['4 KiB, many puts', 4096, 4096, 0]
  const prng = new Prng(seed)
  const overwriting = await overwrite(workload, 1 / 8, async (opened, _, length) => {
    const puts = Array.from({ length: 100 }, () => opened.put(keyOf(prng.below(50)), length))
    await Promise.all(puts)
  })
  expectBounded(overwriting)
  await endSteady(overwriting.opened)
})

test.each([1.1, 1.6])(
  'opened with a target of %s after one of 4, the store only comes down',
  async (target) => {
    const collector = { targetSpaceAmplification: 4 }
    const opened = await CollectedStore.open({ ...BY_ITSELF, collector })
    const prng = new Prng(seed)
    const overwriteOne = (): Promise<void> =>
      opened.put(keyOf(prng.below(100)), 1 + prng.below(20_000))
    for (let i = 0; i < 500; i++) await overwriteOne()
    await opened.store.close()
    await opened.reopen({ collector: { targetSpaceAmplification: target } })
    const bound = (): number => {
      const live = Math.max(liveBytes(opened), opened.store.stats().liveBytes)
      return boundOf(live, 0, target)
    }
    const atOpen = boundedBytes(opened)
    expect(atOpen).toBeGreaterThan(bound() + SEGMENT_BYTES)
    // Before the first look writers have so much.
    let most = atOpen + SEGMENT_BYTES / 8
    for (let i = 0; i < 300; i++) {
      await overwriteOne()
      const disk = boundedBytes(opened)
      expect(disk, replayHint(seed)).toBeLessThanOrEqual(Math.max(bound(), most))
      if (disk < atOpen) most = Math.min(most, Math.max(disk, bound()))
    }
    await idle(opened.fileSystem)
    expect(boundedBytes(opened)).toBeLessThanOrEqual(bound())
    await opened.finish()
  },
)

test('after everything was deleted the store is below two segments and 1 MiB, and then idle', async () => {
  const opened = await CollectedStore.open(BY_ITSELF)
  for (let i = 0; i < 800; i++) await opened.put(keyOf(i), 4096)
  for (let i = 0; i < 800; i++) await opened.delete(keyOf(i))
  await idle(opened.fileSystem)
  const { fileSystem } = opened
  expect(fileSystem.allocatedBytes()).toBeLessThan(2 * SEGMENT_BYTES + MIB)
  await opened.finish()
})

test('maxBytesOnDisk is never passed: puts wait and are refused, deletes go, then puts go again', async () => {
  const maxBytesOnDisk = 4 * MIB
  const opened = await CollectedStore.open({
    ...BY_ITSELF,
    collector: { targetSpaceAmplification: TARGET, maxBytesOnDisk },
  })
  const { fileSystem } = opened
  let most = 0
  fileSystem.onCall = () => {
    most = Math.max(most, fileSystem.allocatedBytes())
  }
  const prng = new Prng(seed)
  for (let round = 0; round < 3; round++) {
    let refused: unknown
    for (let i = 0; refused === undefined && i < 2000; i++) {
      const key = `${round}-${keyOf(i)}`
      refused = await opened.put(key, 4096).then(
        () => undefined,
        (error: unknown) => error,
      )
    }
    // At most an eighth is kept from puts.
    expect(refused).toMatchObject({
      code: 'WISC_DISK_FULL',
      message: expect.stringContaining('maxBytesOnDisk=4194304 reserve=524288'),
    })
    expect(liveBytes(opened)).toBeGreaterThan(maxBytesOnDisk * (round === 0 ? 3 / 4 : 1 / 4))
    for (const key of [...opened.model.keys()]) if (prng.chance(0.6)) await opened.delete(key)
    await idle(opened.fileSystem)
    expect(await codeOf(() => opened.put('again', 4096)), 'there is room again').toBe('no error')
  }
  fileSystem.onCall = undefined
  expect(most, replayHint(seed)).toBeLessThanOrEqual(maxBytesOnDisk)
  await opened.finish()
})

test('maxBytesOnDisk: a full store of small values can be emptied, and takes puts again', async () => {
  const maxBytesOnDisk = 2 * MIB
  const opened = await CollectedStore.open({
    ...BY_ITSELF,
    segmentBytes: SEGMENT_BYTES / 2,
    // All values lie in tables.
    valueThreshold: 4096,
    collector: { targetSpaceAmplification: TARGET, maxBytesOnDisk },
  })
  let refused: unknown
  for (let i = 0; refused !== 'WISC_DISK_FULL' && i < 4000; i++) {
    refused = await codeOf(() => opened.put(keyOf(i), 2000))
  }
  expect(refused).toBe('WISC_DISK_FULL')
  // No delete is refused, nor waits for what it does not need: a compaction is on disk beside its inputs for a while.
  for (const key of [...opened.model.keys()]) await opened.delete(key)
  await idle(opened.fileSystem)
  expect(opened.fileSystem.allocatedBytes()).toBeLessThan(MIB)
  for (let i = 0; i < 400; i++) await opened.put(keyOf(i), 2000)
  await opened.finish()
})

test('maxBytesOnDisk: overwrites of live data wait for the collector, and all of them go', async () => {
  const maxBytesOnDisk = 5 * MIB
  const opened = await CollectedStore.open({
    ...BY_ITSELF,
    collector: { targetSpaceAmplification: 3, maxBytesOnDisk },
  })
  const { fileSystem } = opened
  let most = 0
  fileSystem.onCall = () => {
    most = Math.max(most, fileSystem.allocatedBytes())
  }
  const prng = new Prng(seed)
  for (let i = 0; i < 2500; i++) await opened.put(keyOf(prng.below(300)), 4096)
  fileSystem.onCall = undefined
  expect(most, replayHint(seed)).toBeLessThanOrEqual(maxBytesOnDisk)
  await opened.finish()
})

test('a file whose dead values are too short for holes is not punched for ever', async () => {
  const collector = { targetSpaceAmplification: 1.01 }
  const opened = await CollectedStore.open({ ...BY_ITSELF, collector })
  let punches = 0
  opened.store.on('collection', ({ action }) => {
    if (action === 'punch') punches++
  })
  // By the live values that stay there would be room for many holes. More of them than may be copied at once.
  for (let i = 0; i < 40; i++) {
    await opened.put(keyOf(i), 30_000)
    for (let j = 0; j < 6; j++) await opened.put(keyOf(1000 + 6 * i + j), 2000)
  }
  for (let i = 0; i < 240; i++) await opened.delete(keyOf(1000 + i))
  await opened.store.compact()
  await idle(opened.fileSystem)
  expect(punches).toBeLessThan(20)
  await opened.check()
  await opened.store.close()
})
