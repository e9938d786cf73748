/** Options and plans of collections: what is malformed, foreign or stale is refused, and nothing has changed then. */
import { expect, test } from 'vitest'
import type { CollectionPlan } from '#dist/lib/contract/collection.js'
import { resolveCollect } from '#dist/lib/contract/collection.js'
import type { Store } from '#dist/lib/store/store.js'
import { EMPTY_VERSION } from '#dist/lib/tree/version/version.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'
import { idle, runTimers } from '../../support/store/idle.ts'

const QUIET = { collector: { enabled: false }, segmentBytes: 16384 }

/** A store with files to drop, to punch or rewrite, and to leave alone. */
async function garbageStore(fileSystem?: FaultFileSystem): Promise<Store> {
  const store = await openSmallStore(QUIET, fileSystem)
  for (let round = 1; round <= 2; round++) {
    for (let i = 0; i < 40; i++) await store.put(`key${i}`, Buffer.alloc(1500, round))
  }
  for (let i = 0; i < 40; i += 3) await store.delete(`key${i}`)
  await store.compact()
  return store
}

test('options: defaults, and nothing unknown', () => {
  expect(resolveCollect({}, 1.3, true, EMPTY_VERSION)).toEqual({
    target: 1.3,
    segments: undefined,
    maxCopyBytes: undefined,
    bytesPerSecond: undefined,
    signal: undefined,
    onProgress: undefined,
    plan: undefined,
  })
  const all = {
    targetSpaceAmplification: 1,
    segments: [3, 3, 5],
    maxCopyBytes: 0,
    bytesPerSecond: 4096,
    signal: new AbortController().signal,
    onProgress: () => {},
  }
  expect(resolveCollect(all, 1.3, false, { ...EMPTY_VERSION, nextFileNumber: 6 })).toMatchObject({
    target: 1,
    segments: new Set([3, 5]),
    maxCopyBytes: 0,
  })
})

test('options: everything malformed is refused', async () => {
  const bad: object[] = [
    { targetSpaceAmplification: 0.99 },
    { targetSpaceAmplification: 101 },
    { targetSpaceAmplification: Number.NaN },
    { targetSpaceAmplification: '1.3' },
    { segments: 5 },
    { segments: ['5'] },
    { segments: [0] },
    { segments: [1.5] },
    { segments: new Array(2) },
    { maxCopyBytes: -1 },
    { maxCopyBytes: 0.5 },
    { bytesPerSecond: 4095 },
    { bytesPerSecond: Number.POSITIVE_INFINITY },
    { signal: {} },
    { onProgress: 'yes' },
    { target: 1.3 },
    { toString: 1 },
  ]
  const store = await openSmallStore(QUIET)
  for (const options of bad) {
    expect(await codeOf(() => store.collect(options)), JSON.stringify(options)).toBe(
      'WISC_INVALID_ARGUMENT',
    )
    expect(await codeOf(() => store.planCollection(options))).toBe('WISC_INVALID_ARGUMENT')
  }
  for (const options of [null, 5, [], 'all']) {
    expect(await codeOf(() => store.collect(options as object))).toBe('WISC_INVALID_ARGUMENT')
  }
  const plan = await store.planCollection()
  expect(await codeOf(() => store.planCollection({ plan } as object))).toBe('WISC_INVALID_ARGUMENT')
  // What a plan was made with is not given again; and a segment must be there.
  for (const options of [{ targetSpaceAmplification: 2 }, { segments: [1] }, { maxCopyBytes: 5 }]) {
    expect(await codeOf(() => store.collect({ plan, ...options }))).toBe('WISC_INVALID_ARGUMENT')
  }
  expect(await codeOf(() => store.collect({ segments: [999_999] }))).toBe('WISC_INVALID_ARGUMENT')
})

test('a plan is plain JSON, and is carried out after a trip through a file', async () => {
  const store = await garbageStore()
  const plan = await store.planCollection({ targetSpaceAmplification: 1 })
  expect(plan.steps.length).toBeGreaterThan(1)
  const copy = JSON.parse(JSON.stringify(plan)) as CollectionPlan
  expect(copy).toEqual(plan)
  const report = await store.collect({ plan: copy })
  expect(report.steps.map(({ action }) => action)).toEqual(plan.steps.map(({ action }) => action))
  expect((await store.verify()).damage).toEqual([])
})

test('every malformed plan is refused and changes nothing', async () => {
  runTimers()
  const fileSystem = new FaultFileSystem()
  const store = await garbageStore(fileSystem)
  const plan = await store.planCollection({ targetSpaceAmplification: 1 })
  // Some time after a sync the log notes it.
  await idle(fileSystem)
  const before = fileSystem.log.length
  const file = { number: 2, kind: 'segment', referencedBytes: 0, diskBytes: 0 }
  const steps: unknown[] = [
    null,
    5,
    [],
    {},
    { action: 'unlink', files: [file] },
    { action: 'drop' },
    { action: 'drop', files: 5 },
    { action: 'drop', files: [] },
    { action: 'drop', files: [null] },
    { action: 'drop', files: [{ ...file, number: 0 }] },
    { action: 'drop', files: [{ ...file, number: '2' }] },
    { action: 'drop', files: [{ ...file, kind: 'table' }] },
    { action: 'drop', files: [{ ...file, referencedBytes: -1 }] },
    { action: 'drop', files: [{ ...file, diskBytes: 'all' }] },
    { action: 'drop', files: [file], seal: 'yes' },
    { action: 'drop', files: [file, file] },
    { action: 'punch' },
    { action: 'punch', files: [file] },
    { action: 'rewrite', file },
    { action: 'rewrite', files: [] },
    { action: 'rewrite', files: [file, file] },
    { action: 'forget' },
    { action: 'forget', segments: 2 },
    { action: 'forget', segments: [] },
    { action: 'forget', segments: ['2'] },
    { action: 'forget', segments: [2, 2] },
  ]
  const bad: unknown[] = [
    null,
    5,
    [],
    {},
    { ...plan, databaseId: 5 },
    { ...plan, databaseId: plan.databaseId.replace(/./g, '0') },
    { ...plan, databaseId: undefined },
    { ...plan, steps: {} },
    { ...plan, steps: undefined },
    { ...plan, steps: [...plan.steps, plan.steps.at(-1)] },
    ...steps.map((step) => ({ ...plan, steps: [step] })),
  ]
  for (const one of bad) {
    expect(
      await codeOf(() => store.collect({ plan: one as CollectionPlan })),
      JSON.stringify(one),
    ).toBe('WISC_INVALID_ARGUMENT')
  }
  expect(fileSystem.log.length).toBe(before)
})

test('a plan of another database is refused', async () => {
  const [one, other] = [await garbageStore(), await openSmallStore(QUIET)]
  const plan = await one.planCollection({ targetSpaceAmplification: 1 })
  const foreign = { ...plan, databaseId: `${plan.databaseId.slice(1)}0` }
  expect(await codeOf(() => other.collect({ plan: foreign }))).toBe('WISC_INVALID_ARGUMENT')
})

test('a stale plan is refused before anything is done', async () => {
  const store = await garbageStore()
  const plan = await store.planCollection({ targetSpaceAmplification: 1 })
  await store.collect({ targetSpaceAmplification: 1 })
  expect(await codeOf(() => store.collect({ plan }))).toBe('WISC_STALE')
  const fresh = await garbageStore()
  const old = await fresh.planCollection({ targetSpaceAmplification: 1 })
  for (let i = 1; i < 40; i += 3) await fresh.put(`key${i}`, 'new')
  await fresh.compact()
  expect(await codeOf(() => fresh.collect({ plan: old }))).toBe('WISC_STALE')
  for (let i = 1; i < 40; i += 3) expect(String(fresh.getSync(`key${i}`))).toBe('new')
})

test('I8: a plan that drops or forgets what is referenced is refused, whoever wrote it', async () => {
  const store = await garbageStore()
  const plan = await store.planCollection({ targetSpaceAmplification: 1 })
  const used = store.segments().find(({ referencedBytes }) => referencedBytes > 0)!
  const { id: number, kind, referencedBytes, diskBytes } = used
  const steps = [
    {
      action: 'drop',
      files: [{ number, kind, referencedBytes, diskBytes }],
      bytesFreed: 1,
      bytesCopied: 0,
    },
    { action: 'forget', segments: [number], bytesFreed: 0, bytesCopied: 0 },
  ] as const
  for (const step of steps) {
    expect(await codeOf(() => store.collect({ plan: { ...plan, steps: [step] } }))).toBe(
      'WISC_STALE',
    )
  }
  expect((await store.verify()).damage).toEqual([])
  expect(store.getSync('key1')).toEqual(Buffer.alloc(1500, 2))
})

test('I12: a plan that forgets a segment with records in no table is refused', async () => {
  const store = await garbageStore()
  const plan = await store.planCollection({ targetSpaceAmplification: 1 })
  const before = new Set(store.segments().map(({ id }) => id))
  for (let i = 0; i < 300; i++) await store.put(`fresh${i}`, Buffer.alloc(1500, 3), { sync: true })
  const fresh = store.segments().filter((file) => !before.has(file.id) && file.state === 'sealed')
  expect(fresh.length).toBeGreaterThan(0)
  for (const { id } of fresh) {
    const step = { action: 'forget', segments: [id], bytesFreed: 0, bytesCopied: 0 } as const
    expect(await codeOf(() => store.collect({ plan: { ...plan, steps: [step] } }))).toBe(
      'WISC_STALE',
    )
  }
  expect(store.getSync('fresh0')).toEqual(Buffer.alloc(1500, 3))
})
