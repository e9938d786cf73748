/**
 * Folding (lib/tree/compaction/fold.ts) beside collections and readers: a job is stopped where it matters, the other
 * thing happens, the job goes on. After each, every pointer leads to its record (I8), nothing is gone too early (I5),
 * and the store opens again with the same.
 */
import { describe, expect, test } from 'vitest'
import type { CorruptionError } from '#dist/lib/base/errors.js'
import type { Engine } from '#dist/lib/engine/engine.js'
import type { CompactionJob, RewriteJob } from '#dist/lib/jobs/messages.js'
import { Findings, ProvedFiles } from '#dist/lib/reports/verify-pass.js'
import { verifyTables } from '#dist/lib/reports/verify-tables.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import { crashStatesNow } from '../../support/crash/crash-states.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import {
  actions,
  CollectedStore,
  changeAll,
  collectAll,
  filled,
  keyOf,
} from '../../support/store/collected-store.ts'
import { settled } from '../../support/store/settled.ts'

const POINTS = ['before', 'after'] as const

function writerOf({ store }: CollectedStore): Engine {
  return engineOf(store) as Engine
}

function folded(opened: CollectedStore): number {
  return writerOf(opened).work.counts.foldedPointers
}

function relocations({ store }: CollectedStore): number[] {
  return store.segments().flatMap(({ id, kind }) => (kind === 'relocation' ? [id] : []))
}

/** Records in relocations, which tables know by their old addresses. */
async function moved(): Promise<CollectedStore> {
  const opened = await filled('rewrite')
  await collectAll(opened)
  expect(relocations(opened).length).toBeGreaterThan(0)
  expect(folded(opened)).toBe(0)
  return opened
}

/** While it runs no relocation can be read: nothing is folded before the store is opened again. */
async function withoutFold(opened: CollectedStore, work: () => Promise<void>): Promise<void> {
  const { fileSystem } = opened
  const open = fileSystem.open
  const names = relocations(opened).map((number) => `${number}.vlog`)
  fileSystem.open = (path, flags) => {
    if (names.some((name) => path.endsWith(name))) throw new Error('not now')
    return open.call(fileSystem, path, flags)
  }
  try {
    await work()
  } finally {
    fileSystem.open = open
  }
}

/**
 * A relocation with records which tables know by their old addresses, and a little garbage: not so much that nothing is
 * folded into it, and more than a block, so that a rewrite frees something.
 */
async function dusty(): Promise<{ opened: CollectedStore; number: number }> {
  const opened = await filled('rewrite', { segmentBytes: 65536 })
  for (let i = 0; i < 48; i++) await opened.put(keyOf(i), 2200)
  for (let i = 0; i < 48; i += 2) await opened.put(keyOf(i), 2200)
  await opened.store.compact()
  await collectAll(opened)
  await withoutFold(opened, async () => {
    for (const i of [1, 9]) await opened.delete(keyOf(i))
    await opened.store.compact()
  })
  await opened.closeAndReopen()
  const [dustiest] = opened.store
    .segments()
    .filter(({ kind }) => kind === 'relocation')
    .sort((left, right) => right.exposedGarbageBytes - left.exposedGarbageBytes)
  return { opened, number: dustiest!.id }
}

/** The same, and tables know them by their places. */
async function folden(): Promise<CollectedStore> {
  const opened = await moved()
  await opened.store.compact()
  expect(folded(opened)).toBeGreaterThan(0)
  return opened
}

/** The segments of which relocations hold records under their old addresses. */
function oldNames(opened: CollectedStore): number[] {
  const { files } = writerOf(opened).space.measure()
  return files
    .filter(({ kind }) => kind === 'relocation')
    .flatMap(({ parts }) => parts.map(({ segment }) => segment))
}

test('a compaction folds what was moved, the old segments are forgotten, and all is there', async () => {
  const opened = await moved()
  const before = oldNames(opened)
  expect(before.length).toBeGreaterThan(0)
  await opened.store.compact()
  expect(folded(opened)).toBeGreaterThan(0)
  await opened.check()
  await collectAll(opened)
  // It may have moved others, which the next compaction folds.
  const after = new Set(oldNames(opened))
  expect(before.filter((segment) => after.has(segment))).toEqual([])
  for (const segment of before) expect(writerOf(opened).version.segments.has(segment)).toBe(false)
  await opened.finish()
})

test.each([false, true])(
  'I8: verify follows what was folded since it began; damage: %s',
  async (isDamaged) => {
    const opened = await moved()
    const engine = writerOf(opened)
    const { version } = engine
    const pin = engine.pin()
    // Not written over: its record was moved.
    const value = opened.model.get(keyOf(1))!
    const files = [...opened.fileSystem.visibleImage().files]
    const [path, bytes] = files.find(
      ([name, found]) => name.endsWith('.vlog') && holds(found, value),
    )!
    expect(relocations(opened).some((number) => path.endsWith(`${number}.vlog`))).toBe(true)
    if (isDamaged) bytes[Buffer.from(bytes).indexOf(value) + 10]! ^= 1
    await opened.store.compact()
    expect(folded(opened)).toBeGreaterThan(0)
    const findings = new Findings()
    const proved = new ProvedFiles()
    const pause = async (): Promise<void> => {}
    await verifyTables({ engine, version, deep: true, findings, proved, pause })
    const found = findings.damage.map((error) => [error.code, (error as CorruptionError).file])
    expect(found).toEqual(
      isDamaged ? [['WISC_CORRUPTION', path.slice(path.lastIndexOf('/') + 1)]] : [],
    )
    pin.release()
  },
)

function holds(bytes: Uint8Array, value: Buffer): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(value)
}

test('what was folded is moved again, and folded again', async () => {
  const opened = await folden()
  for (let round = 0; round < 4; round++) {
    const before = folded(opened)
    for (let i = round; i < 48; i += 5) await opened.put(keyOf(i), 700)
    await opened.store.compact()
    expect(actions(await collectAll(opened))).toContain('rewrite')
    await opened.check()
    await opened.store.compact()
    expect(folded(opened)).toBeGreaterThan(before)
    await opened.check()
  }
  await opened.finish()
})

describe.each(POINTS)('stopped %s it', (point) => {
  test('I8: a rewrite of a file that a compaction folds into waits for its edit', async () => {
    const { opened, number } = await dusty()
    const plan = await opened.store.planCollection({
      targetSpaceAmplification: 1,
      segments: [number],
    })
    expect(plan.steps.map(({ action }) => action)).toContain('rewrite')
    opened.runner.hold('compaction', point)
    const compacted = opened.store.compact()
    const { folds } = (await opened.runner.reached('compaction')) as CompactionJob
    expect(folds.map((target) => target.number)).toContain(number)
    opened.runner.hold('rewrite', 'before')
    const collected = opened.store.collect({ plan })
    let isMoving = false
    const moving = opened.runner.reached('rewrite').then(() => {
      isMoving = true
    })
    await settled(opened.fileSystem)
    expect(isMoving).toBe(false)
    opened.runner.release('compaction')
    await compacted
    await moving
    opened.runner.release('rewrite')
    await collected
    expect(folded(opened)).toBeGreaterThan(0)
    await opened.check()
    await opened.store.compact()
    await opened.finish()
  })

  test('I8: a compaction that begins beside a rewrite folds nothing into its files', async () => {
    const { opened, number } = await dusty()
    const plan = await opened.store.planCollection({
      targetSpaceAmplification: 1,
      segments: [number],
    })
    expect(plan.steps.map(({ action }) => action)).toContain('rewrite')
    opened.runner.hold('rewrite', point)
    const collected = opened.store.collect({ plan })
    const { files } = (await opened.runner.reached('rewrite')) as RewriteJob
    expect(files.map((file) => file.number)).toEqual([number])
    opened.runner.hold('compaction', 'after')
    const compacted = opened.store.compact()
    const { folds } = (await opened.runner.reached('compaction')) as CompactionJob
    expect(folds).toEqual([])
    opened.runner.release('rewrite')
    await collected
    opened.runner.release('compaction')
    await compacted
    await opened.check()
    // Now it may be: the names that the new relocation knows are those of the tables.
    await opened.put(keyOf(0), 700)
    await opened.store.compact()
    expect(folded(opened)).toBeGreaterThan(0)
    await opened.finish()
  })

  test('I8: a rewrite that waits is given up with its collection', async () => {
    const { opened, number } = await dusty()
    const wishes = { targetSpaceAmplification: 1, segments: [number] }
    const plan = await opened.store.planCollection(wishes)
    opened.runner.hold('compaction', point)
    const compacted = opened.store.compact()
    await opened.runner.reached('compaction')
    const abort = new AbortController()
    const collected = opened.store.collect({ plan, signal: abort.signal })
    await settled(opened.fileSystem)
    abort.abort()
    await expect(collected).rejects.toMatchObject({ code: 'WISC_ABORTED' })
    opened.runner.release('compaction')
    await compacted
    await opened.finish()
  })

  test.each(['drop', 'forget'])('I8: a %s beside a compaction that folds', async (action) => {
    const opened = await moved()
    await opened.put(keyOf(0), 700)
    await opened.store.flush()
    opened.runner.hold('compaction', point)
    const compacted = opened.store.compact()
    await opened.runner.reached('compaction')
    if (action === 'drop') for (const key of [...opened.model.keys()]) await opened.delete(key)
    // All that a file holds goes, or some of its old segments.
    const collected = opened.store.collect({ targetSpaceAmplification: 1.01 })
    await settled(opened.fileSystem)
    opened.runner.release('compaction')
    await Promise.all([compacted, collected])
    await opened.check()
    await opened.store.compact()
    await collectAll(opened)
    await opened.finish()
  })

  test('I2: a power cut beside a compaction that folds leaves a store that is whole', async () => {
    const opened = await moved()
    opened.runner.hold('compaction', point)
    const compacted = opened.store.compact()
    await opened.runner.reached('compaction')
    opened.runner.release('compaction')
    await compacted
    for (const state of crashStatesNow(opened.fileSystem.model, { seed: 1, tornOfNew: 0 })) {
      const fileSystem = new FaultFileSystem({}, state.image())
      const after = await CollectedStore.open({}, fileSystem)
      await after.check(opened.model)
      await after.store.close()
    }
    await opened.finish()
  })
})

test('I5: readers of older states follow pointers that were folded and forgotten meanwhile', async () => {
  const opened = await moved()
  const seen = opened.copyModel()
  const snapshot = opened.store.snapshot()
  const iterator = opened.store.entries({ highWaterMarkBytes: 1 })
  const sorted = [...seen].sort(([left], [right]) => (left < right ? -1 : 1))
  const found: [Buffer, Buffer][] = []
  const many = opened.store.getMany(sorted.map(([key]) => key))
  for (let round = 0; round < 3; round++) {
    const { value } = await iterator.next()
    if (value) found.push(value)
    await changeAll(opened, 700)
    await opened.store.compact()
    await collectAll(opened)
    await opened.store.compact()
    await collectAll(opened)
    await opened.check(seen, snapshot)
  }
  expect(folded(opened)).toBeGreaterThan(0)
  for await (const entry of iterator) found.push(entry)
  expect(
    found.map(([key, value]) => [key.toString(), value.equals(seen.get(key.toString())!)]),
  ).toEqual(sorted.map(([key]) => [key, true]))
  for (const [i, value] of (await many).entries()) expect(value?.equals(sorted[i]![1])).toBe(true)
  snapshot.close()
  await opened.finish()
})

test('I8: verify across a compaction that folds, and what forgets the old segments, finds no damage', async () => {
  const opened = await moved()
  for (let round = 0; round < 3; round++) {
    for (let i = round; i < 48; i += 5) await opened.put(keyOf(i), 700)
    await opened.store.flush()
    const verified = opened.store.verify()
    await opened.store.compact()
    await collectAll(opened)
    expect((await verified).damage).toEqual([])
  }
  expect(folded(opened)).toBeGreaterThan(0)
  await opened.finish()
})

test('an index that cannot be read stops no compaction: its pointers stay as they are', async () => {
  const opened = await moved()
  const warnings: string[] = []
  opened.store.on('warning', (message) => warnings.push(message))
  const files = relocations(opened).map((number) => `${number}.vlog`)
  await withoutFold(opened, async () => {
    await opened.put(keyOf(0), 700)
    await opened.store.compact()
  })
  expect(folded(opened)).toBe(0)
  expect(warnings.sort()).toEqual(files.map((name) => expect.stringContaining(name)))
  expect(opened.store.stats().backgroundError).toBeUndefined()
  await opened.check()
  // Nothing is folded into it again before the store is opened anew.
  await opened.put(keyOf(0), 700)
  await opened.store.compact()
  expect(folded(opened)).toBe(0)
  await opened.closeAndReopen()
  await opened.put(keyOf(0), 700)
  await opened.store.compact()
  expect(folded(opened)).toBeGreaterThan(0)
  await opened.finish()
})
