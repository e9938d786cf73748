/** The collector by itself: what it tells, what it leaves, and readers beside it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, expect, test } from 'vitest'
import { IoError } from '#dist/lib/base/errors.js'
import type { CollectionEvent } from '#dist/lib/contract/events.js'
import type { Engine } from '#dist/lib/engine/engine.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import type { Store } from '#dist/lib/store/store.js'
import { DIRECTORY } from '../../support/crash/recover-image.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'
import { idle, runTimers } from '../../support/store/idle.ts'
import { accountingErrors } from '../../support/store/recount.ts'

beforeEach(runTimers)

const READ_ONLY = { readOnly: true }
const ASKED = { collector: { enabled: false }, segmentBytes: 32_768 }

async function fill(store: Store, round: number, length = 4000): Promise<void> {
  for (let i = 0; i < 40; i++) await store.put(`key${i}`, Buffer.alloc(length, round))
}

function expectRound(store: Store, round: number, length = 4000): void {
  for (let i = 0; i < 40; i++) {
    expect(store.getSync(`key${i}`)?.equals(Buffer.alloc(length, round)), `key${i}`).toBe(true)
  }
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await sleep(10)
}

test("'collection' tells of each step, by itself and asked for", async () => {
  const store = await openSmallStore({ segmentBytes: 32_768 })
  const seen: CollectionEvent[] = []
  store.on('collection', (step) => seen.push(step))
  for (let round = 1; round <= 5; round++) await fill(store, round)
  await until(() => {
    const { diskBytes, liveBytes } = store.stats()
    return diskBytes <= 1.3 * liveBytes + 2 * 32_768
  })
  expect(seen.length).toBeGreaterThan(0)
  for (const step of seen) {
    expect(step).toMatchObject({
      reason: 'space',
      files: expect.any(Array),
      ms: expect.any(Number),
    })
    expect(['drop', 'forget', 'punch', 'rewrite']).toContain(step['action'])
  }
  store.pauseCollector()
  for (let i = 0; i < 40; i += 2) await store.delete(`key${i}`)
  const report = await store.collect({ targetSpaceAmplification: 1 })
  // A step of its own that could not be cancelled any more may end in between.
  const asked = seen.filter(({ reason }) => reason === 'asked')
  expect(asked.map(({ action }) => action)).toEqual(report.steps.map(({ action }) => action))
  expect((await store.verify()).damage).toEqual([])
})

test('I9: while it works, the figures are those of a recount', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({ segmentBytes: 32_768 }, fileSystem)
  for (let round = 1; round <= 6; round++) {
    await fill(store, round, round % 2 === 0 ? 4000 : 12_000)
    await store.flush()
    await until(() => accountingErrors(store, fileSystem, DIRECTORY).length === 0)
  }
})

test('a paused collector does nothing, a resumed one catches up', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({ segmentBytes: 32_768 }, fileSystem)
  let steps = 0
  store.on('collection', () => steps++)
  store.pauseCollector()
  for (let round = 1; round <= 4; round++) await fill(store, round)
  await store.compact()
  await idle(fileSystem)
  expect(steps).toBe(0)
  store.resumeCollector()
  await until(() => steps > 0)
  expectRound(store, 4)
})

test('a disk that does not say what it holds is told of, and fails no timer and no writer', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore(
    { collector: { enabled: false, maxBytesOnDisk: 2 ** 30 } },
    fileSystem,
  )
  const { collector } = engineOf(store) as Engine
  const warnings: string[] = []
  store.on('warning', (text) => warnings.push(text))
  const { statPath } = fileSystem
  fileSystem.statPath = () => {
    throw new IoError('stat', DIRECTORY, 'EACCES')
  }
  collector.look(false)
  expect(warnings).toEqual([expect.stringContaining('space cannot be measured')])
  await fill(store, 1)
  fileSystem.statPath = statPath
  expectRound(store, 1)
})

test('a look that takes many turns is outdated by what was written since, and not by who waits for it', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({ segmentBytes: 32_768 }, fileSystem)
  const { space, collector } = engineOf(store) as Engine
  await fill(store, 1)
  const measure = space.measureInTurns.bind(space)
  let isHeld = false
  let isUnderWay = false
  let looks = 0
  space.measureInTurns = () => {
    if (!isUnderWay) looks++
    isUnderWay = true
    if (isHeld) return undefined
    isUnderWay = false
    return measure()
  }
  const settled = async (): Promise<void> => {
    for (let before = -1; before !== looks; ) {
      before = looks
      await idle(fileSystem)
    }
  }
  for (const [written, followed] of [
    [0, 0],
    [100, 1],
  ] as const) {
    await settled()
    isHeld = true
    // Quiet, so that the end of a burst of writes is no reason for another.
    collector.look(true)
    const before = looks
    expect(isUnderWay).toBe(true)
    if (written > 0) await store.put('key', Buffer.alloc(written))
    for (let i = 0; i < 3; i++) collector.look(false)
    isHeld = false
    await until(() => !isUnderWay && looks >= before + followed)
    await settled()
    if (written === 0) expect(looks - before).toBe(0)
  }
})

test('a reader that pins more than a tenth of what lives is warned of, once', async () => {
  const store = await openSmallStore({ segmentBytes: 32_768 })
  const warnings: string[] = []
  store.on('warning', (message: string) => warnings.push(message))
  await fill(store, 1)
  const snapshot = store.snapshot()
  for (let round = 2; round <= 4; round++) {
    await fill(store, round)
    await store.compact()
  }
  await until(() => warnings.length > 0)
  expect(warnings).toHaveLength(1)
  expect(warnings[0]).toContain('snapshots and iterators')
  expect((await store.get('key1', { snapshot }))?.equals(Buffer.alloc(4000, 1))).toBe(true)
  // What is left when all has been taken that can be is what the reader sees.
  await store.collect({ targetSpaceAmplification: 1 })
  const { skipped } = await store.planCollection({ targetSpaceAmplification: 1 })
  expect(skipped.map(({ reason }) => reason)).toContain('pinned by a reader')
  snapshot.close()
})

test('after everything is deleted the store is small, and then idle', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({ segmentBytes: 32_768 }, fileSystem)
  for (let round = 1; round <= 3; round++) await fill(store, round)
  for (let i = 0; i < 40; i++) await store.delete(`key${i}`)
  await until(() => store.stats().diskBytes < 2 * 32_768 + 1_048_576 && store.stats().tables === 0)
  await idle(fileSystem)
})

test('I11: a read-only store counts the same, and writes nothing', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore(ASKED, fileSystem)
  await fill(store, 1)
  for (let i = 0; i < 40; i += 2) await store.delete(`key${i}`)
  await store.compact()
  await store.collect({ targetSpaceAmplification: 1 })
  // Some time after a sync the log notes it.
  await idle(fileSystem)
  const before = fileSystem.log.length
  const reader = await openSmallStore(READ_ONLY, fileSystem)
  expect(reader.segments()).toEqual(store.segments())
  const figures = ({ liveBytes, diskBytes, exposedGarbageBytes }: ReturnType<Store['stats']>) => [
    liveBytes,
    diskBytes,
    exposedGarbageBytes,
  ]
  expect(figures(reader.stats())).toEqual(figures(store.stats()))
  expect(accountingErrors(reader, fileSystem, DIRECTORY)).toEqual([])
  expect(await codeOf(() => reader.collect())).toBe('WISC_READ_ONLY')
  expect(await codeOf(() => reader.pauseCollector())).toBe('WISC_READ_ONLY')
  expect(fileSystem.log.length).toBe(before)
})

test.each([
  ['punched', 16_000],
  ['moved', 1500],
])(
  'I11: readers beside a writer whose files were %s: gets start again, snapshots are stale',
  async (_, length) => {
    const fileSystem = new FaultFileSystem()
    const writer = await openSmallStore(ASKED, fileSystem)
    await fill(writer, 1, length)
    await writer.compact()
    const reader = await openSmallStore(READ_ONLY, fileSystem)
    const snapshot = reader.snapshot()
    const iterator = reader.entries({ highWaterMarkBytes: 1 })
    // The reader has the tables open that point to what is going to be a hole.
    expect(await reader.has('key1')).toBe(true)
    for (let i = 0; i < 40; i++) {
      if (i % 4 !== 0) await writer.put(`key${i}`, Buffer.alloc(length, 2))
    }
    await writer.compact()
    const { steps } = await writer.collect({ targetSpaceAmplification: 1 })
    expect(steps.length).toBeGreaterThan(0)
    expect(await codeOf(() => reader.get('key1', { snapshot }))).toBe('WISC_STALE')
    expect(await codeOf(() => iterator.nextMany(40))).toBe('WISC_STALE')
    expect((await reader.get('key1'))?.equals(Buffer.alloc(length, 2))).toBe(true)
    expect((await reader.get('key0'))?.equals(Buffer.alloc(length, 1))).toBe(true)
    expect((await reader.verify()).damage).toEqual([])
  },
)
