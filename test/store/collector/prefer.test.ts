/** `collector.prefer`, and what holes and copies have cost: whether the dead become holes or the living are copied. */
import { expect, onTestFinished, test } from 'vitest'
import type { Engine } from '#dist/lib/engine/engine.js'
import type { Job, ResultOf } from '#dist/lib/jobs/messages.js'
import type { JobRunner, RunOptions } from '#dist/lib/jobs/runner.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import { openStore } from '#dist/lib/store/open-store.js'
import { DIRECTORY } from '../../support/crash/recover-image.ts'
import { seededRandom } from '../../support/random.ts'
import { CollectedStore, keyOf, PUNCHES } from '../../support/store/collected-store.ts'
import { idle, runTimers } from '../../support/store/idle.ts'

/** Says that each hole took so long, whatever it took. */
class PricedRunner implements JobRunner {
  readonly #runner: JobRunner
  readonly #msPerHole: number

  constructor(runner: JobRunner, msPerHole: number) {
    this.#runner = runner
    this.#msPerHole = msPerHole
  }

  async run<J extends Job>(job: J, options?: RunOptions): Promise<ResultOf<J>> {
    const result = await this.#runner.run(job, options)
    if ('holesMade' in result) return { ...result, holeMs: result.holesMade * this.#msPerHole }
    return 'copyMs' in result ? { ...result, copyMs: result.bytesWritten / 400_000 } : result
  }

  shareArena(id: number, buffer: SharedArrayBuffer): void {
    this.#runner.shareArena(id, buffer)
  }

  forgetArena(id: number): void {
    this.#runner.forgetArena(id)
  }

  close(): Promise<void> {
    return this.#runner.close()
  }
}

test.each([
  ['speed', 'rewrite'],
  ['balanced', 'punch'],
  ['endurance', 'punch'],
] as const)('%s plans to %s halves of 20,000 bytes', async (prefer, action) => {
  const opened = await CollectedStore.open({ ...PUNCHES, collector: { enabled: false, prefer } })
  await opened.fillForPunch()
  const { steps } = await opened.store.planCollection({ targetSpaceAmplification: 1.01 })
  expect(steps.map((step) => step.action)).toContain(action)
  expect(steps.map((step) => step.action)).not.toContain(action === 'punch' ? 'rewrite' : 'punch')
  await opened.finish()
})

test('the collector itself goes by what holes have cost, a plan that is asked for does not', async () => {
  const opened = await CollectedStore.open(PUNCHES)
  await opened.fillForPunch()
  await opened.store.close()
  const { options, fileSystem } = opened
  const store = await openStore(DIRECTORY, options, {
    fileSystem,
    random: seededRandom(1),
    wrapRunner: (runner) => new PricedRunner(runner, 1000),
  })
  onTestFinished(() => store.close())
  const { actor } = (engineOf(store) as Engine).collector
  const before = actor.askedRules(1.3)
  // It weighs the age of files, too.
  const { nextFileNumber } = engineOf(store).version
  expect(actor.ownRules(1.3)).toEqual({ ...before, nextFileNumber })
  const report = await store.collect({ targetSpaceAmplification: 1.01 })
  expect(report.steps.map(({ action }) => action)).toContain('punch')
  expect(actor.ownRules(1.3).holeCostBytes).toBeGreaterThan(100 * before.holeCostBytes)
  expect(actor.askedRules(1.3)).toEqual(before)
})

test('balanced, by itself, where holes take little: what is half dead it punches', async () => {
  runTimers()
  const opened = await CollectedStore.open(PUNCHES)
  for (let i = 0; i < 100; i++) await opened.put(keyOf(i), 20_000)
  for (let i = 0; i < 100; i += 2) await opened.put(keyOf(i), 100)
  await opened.store.compact()
  await opened.store.close()
  const { options, fileSystem } = opened
  const collector = { targetSpaceAmplification: 1.01 }
  const seams = {
    fileSystem,
    random: seededRandom(1),
    wrapRunner: (runner: JobRunner) => new PricedRunner(runner, 0.01),
  }
  const store = await openStore(DIRECTORY, { ...options, collector }, seams)
  onTestFinished(() => store.close())
  const freed = { punch: 0, rewrite: 0, drop: 0, forget: 0 }
  store.on('collection', (event) => {
    freed[event.action] += event.bytesFreed
  })
  await idle(fileSystem)
  // Of a million bytes that are dead, in blocks.
  expect(freed.punch).toBeGreaterThan(500_000)
})
