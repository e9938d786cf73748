/** Collections that someone asks for, on a real file system: what is planned is what happens, and its limits hold. */
import { expect, onTestFinished, test } from 'vitest'
import { nodeFileSystem } from '#dist/lib/base/platform/node-file-system.js'
import type { CollectionPlan, CollectionProgress } from '#dist/lib/contract/collection.js'
import type { Options } from '#dist/lib/contract/options.js'
import { open } from '#dist/lib/index.js'
import type { Store } from '#dist/lib/store/store.js'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'
import { accountingErrors } from '../../support/store/recount.ts'

const KEYS = 200
const ASKED: Options = {
  workers: 1,
  segmentBytes: 262_144,
  memtableBytes: 1_048_576,
  collector: { enabled: false },
}

interface Fixture {
  readonly directory: string
  readonly store: Store
  /** The round that wrote each key last; 0: deleted. */
  readonly rounds: number[]
  readonly length: number
}

async function fixture(length: number, options: Options = {}): Promise<Fixture> {
  const directory = temporaryDirectory()
  const store = await open(directory, { ...ASKED, ...options })
  onTestFinished(() => store.close())
  const rounds = new Array<number>(KEYS).fill(1)
  for (let i = 0; i < KEYS; i++) await store.put(`key${i}`, Buffer.alloc(length, 1))
  return { directory, store, rounds, length }
}

/** Overwrites some keys, deletes a part of them, and exposes what became garbage. */
async function age(
  { store, rounds, length }: Fixture,
  isTaken: (i: number) => boolean,
): Promise<void> {
  for (let i = 0; i < KEYS; i++) {
    if (!isTaken(i)) continue
    if (i % 5 === 0) {
      await store.delete(`key${i}`)
      rounds[i] = 0
    } else {
      await store.put(`key${i}`, Buffer.alloc(length, ++rounds[i]!))
    }
  }
  await store.compact()
}

async function expectWhole({ directory, store, rounds, length }: Fixture): Promise<void> {
  for (const [i, round] of rounds.entries()) {
    const found = store.getSync(`key${i}`)
    // Not toEqual, which is slow for so many bytes.
    const same = round === 0 ? found === undefined : found?.equals(Buffer.alloc(length, round))
    expect(same, `key${i}`).toBe(true)
  }
  expect((await store.verify()).damage).toEqual([])
  expect(accountingErrors(store, nodeFileSystem, directory)).toEqual([])
}

function expectNear(found: number, planned: number): void {
  expect(Math.abs(found - planned), `${found}, planned ${planned}`).toBeLessThanOrEqual(
    planned / 100,
  )
}

/** What was planned happens, within 1 %, the space of the store included. @returns the kinds of steps */
async function carryOut({ store }: Fixture, plan: CollectionPlan): Promise<Set<string>> {
  const report = await store.collect({ plan })
  expect(report.failed).toEqual([])
  expect(report.steps.map(({ action }) => action)).toEqual(plan.steps.map(({ action }) => action))
  for (const [index, step] of plan.steps.entries()) {
    expectNear(report.steps[index]!.bytesFreed, step.bytesFreed)
    expect(report.steps[index]!.bytesCopied).toBe(step.bytesCopied)
  }
  expectNear(report.bytesFreed, plan.bytesFreed)
  expect(report.bytesCopied).toBe(plan.bytesCopied)
  const outputs = plan.steps.map((step) => (step.action === 'rewrite' ? step.outputBytes : 0))
  expect(report.bytesWritten).toBe(outputs.reduce((sum, bytes) => sum + bytes, 0))
  expectNear(report.after.diskBytes, plan.after.diskBytes)
  return new Set(plan.steps.map(({ action }) => action))
}

const WORKLOADS: readonly {
  name: string
  length: number
  options?: Options
  isTaken: (i: number) => boolean
  actions: readonly string[]
}[] = [
  { name: 'drop', length: 4000, isTaken: () => true, actions: ['drop'] },
  { name: 'punch', length: 65_536, isTaken: (i) => i % 3 === 0, actions: ['punch'] },
  { name: 'rewrite', length: 2000, isTaken: (i) => i % 3 !== 0, actions: ['rewrite'] },
  {
    name: 'rewrite of large values, without punching',
    length: 40_000,
    options: { collector: { enabled: false, punchHoles: false } },
    isTaken: (i) => i % 2 === 0,
    actions: ['rewrite'],
  },
  {
    name: 'drop and rewrite',
    length: 3000,
    isTaken: (i) => i < 120 || i % 2 === 0,
    actions: ['drop', 'rewrite'],
  },
]

test.each(WORKLOADS)('what is planned is what happens: $name', async (workload) => {
  const { length, options, isTaken, actions } = workload
  const made = await fixture(length, options)
  await age(made, isTaken)
  const plan = await made.store.planCollection({ targetSpaceAmplification: 1 })
  const seen = await carryOut(made, plan)
  for (const action of actions) expect([...seen]).toContain(action)
  await expectWhole(made)
  // And once more, when relocations and punched files are among the victims.
  await age(made, (i) => i % 4 === 1)
  await carryOut(made, await made.store.planCollection({ targetSpaceAmplification: 1 }))
  await expectWhole(made)
})

test('collect flushes and compacts to see what is hidden, and comes to its target', async () => {
  const made = await fixture(4000)
  const { store, rounds } = made
  await store.flush()
  for (let i = 0; i < KEYS; i++) await store.put(`key${i}`, Buffer.alloc(4000, ++rounds[i]!))
  const phases: string[] = []
  const reasons: string[] = []
  store.on('compaction', ({ reason }) => reasons.push(reason))
  const report = await store.collect({
    targetSpaceAmplification: 1.2,
    onProgress: ({ phase }) => phases.push(phase),
  })
  expect(phases.slice(0, 3)).toEqual(['flush', 'compact', 'plan'])
  expect(phases.at(-1)).toBe('done')
  expect(report.before.diskBytes).toBeGreaterThan(report.after.diskBytes)
  expect(reasons).toContain('garbage')
  expect(reasons).not.toContain('manual')
  // BALLAST, at most half a segment, is a part of a store as small as this.
  expect(report.after.diskBytes).toBeLessThan(1.2 * report.after.liveBytes + 262_144)
  await expectWhole(made)
})

test('progress: steps and bytes grow, and end at what the report says', async () => {
  const made = await fixture(2000)
  await age(made, (i) => i % 3 !== 0)
  const seen: CollectionProgress[] = []
  const report = await made.store.collect({
    targetSpaceAmplification: 1,
    onProgress: (progress) => seen.push(progress),
  })
  for (const [index, progress] of seen.entries()) {
    const before = seen[index - 1] ?? progress
    expect(progress.stepsDone).toBeGreaterThanOrEqual(before.stepsDone)
    expect(progress.bytesCopied).toBeGreaterThanOrEqual(before.bytesCopied)
    expect(progress.stepsDone).toBeLessThanOrEqual(progress.steps)
  }
  expect(seen.at(-1)).toMatchObject({
    phase: 'done',
    stepsDone: report.steps.length,
    bytesFreed: report.bytesFreed,
    bytesCopied: report.bytesCopied,
  })
  expect(report.bytesCopied).toBeGreaterThan(0)
})

test('maxCopyBytes bounds what is copied; what needs no copy is done', async () => {
  const made = await fixture(2000)
  await age(made, (i) => i < 130 || i % 2 === 0)
  const none = await made.store.collect({ targetSpaceAmplification: 1, maxCopyBytes: 0 })
  expect(none.bytesCopied).toBe(0)
  expect(none.steps.map(({ action }) => action)).toContain('drop')
  const limit = { targetSpaceAmplification: 1, maxCopyBytes: 30_000 }
  const plan = await made.store.planCollection(limit)
  expect(plan.bytesCopied).toBeLessThanOrEqual(30_000)
  const report = await made.store.collect(limit)
  expect(report.bytesCopied).toBeLessThanOrEqual(30_000)
  await expectWhole(made)
})

test('segments: only files that hold one of them are touched', async () => {
  const made = await fixture(2000)
  await age(made, (i) => i % 2 === 0)
  const { store } = made
  const [first, second] = store.segments().filter((file) => file.exposedGarbageBytes > 50_000)
  expect(second).toBeDefined()
  const only = { targetSpaceAmplification: 1, segments: [second!.id] }
  const plan = await store.planCollection(only)
  expect(plan.skipped.find(({ number }) => number === first!.id)?.reason).toBe('not asked for')
  const report = await store.collect(only)
  expect(report.steps.flatMap(({ files }) => files)).toEqual([second!.id])
  expect(store.segments()).toContainEqual(first)
  await expectWhole(made)
})

test('bytesPerSecond holds back what is read and written', async () => {
  const made = await fixture(2000)
  await age(made, (i) => i % 2 === 0)
  const began = performance.now()
  const report = await made.store.collect({
    targetSpaceAmplification: 1,
    bytesPerSecond: 500_000,
  })
  const seconds = (performance.now() - began) / 1000
  // What is copied is read and written; a job may begin with what it saved up in a tenth of a second or so.
  expect(report.bytesCopied).toBeGreaterThan(100_000)
  expect(seconds).toBeGreaterThan((2 * report.bytesCopied) / 500_000 - 0.25)
  await expectWhole(made)
})

test('AbortSignal: before, and in the middle; what was done stays done', async () => {
  const made = await fixture(2000)
  await age(made, (i) => i < 130 || i % 2 === 0)
  const { store } = made
  const aborted = AbortSignal.abort()
  expect(await codeOf(() => store.collect({ signal: aborted }))).toBe('WISC_ABORTED')
  const controller = new AbortController()
  const collecting = codeOf(() =>
    store.collect({
      targetSpaceAmplification: 1,
      bytesPerSecond: 200_000,
      signal: controller.signal,
      onProgress: ({ phase }) => {
        if (phase === 'rewrite') setTimeout(() => controller.abort(), 50)
      },
    }),
  )
  expect(await collecting).toBe('WISC_ABORTED')
  await expectWhole(made)
  await store.collect({ targetSpaceAmplification: 1 })
  await expectWhole(made)
})

test('I8: the active segment is not dropped with what writers have put there meanwhile', async () => {
  const store = await openSmallStore({ collector: { enabled: false }, segmentBytes: 16_384 })
  for (let i = 0; i < 40; i++) await store.put('a', Buffer.alloc(1000, i))
  await store.delete('a')
  await store.compact()
  const plan = await store.planCollection({ targetSpaceAmplification: 1 })
  // Dead sealed segments, and the active one, which is sealed for it.
  expect(plan.steps.map(({ action }) => action)).toEqual(['drop', 'drop'])
  let written: Promise<void> | undefined
  await store.collect({
    targetSpaceAmplification: 1,
    onProgress: ({ phase }) => {
      if (phase === 'drop') written ??= store.put('b', Buffer.alloc(1000, 7))
    },
  })
  await written
  await store.flush()
  expect(store.getSync('b')).toEqual(Buffer.alloc(1000, 7))
  expect((await store.verify()).damage).toEqual([])
})
