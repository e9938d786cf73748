/** A file that is punched again: its heads are known by then, what lives is asked anew. I8, I12. */
import { expect, test, vi } from 'vitest'
import type { Engine } from '#dist/lib/engine/engine.js'
import { JobRate } from '#dist/lib/jobs/job-rate.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import { CollectedStore, keyOf, PUNCHES } from '../../support/store/collected-store.ts'

const COUNT = 24
/** What a dead value leaves at most: its own first and last block. */
const LEFT_BYTES = 2 * 4096
const LENGTH = 20_000

/** Replaces every other large value, and punches the file that holds them. @returns what the job was told */
async function punchHalf(opened: CollectedStore): Promise<{ readonly isKnown: boolean }> {
  const { store } = opened
  const large = [...opened.model].filter(([, { length }]) => length === LENGTH)
  const dead = large.filter((_, i) => i % 2 === 0)
  for (const [key] of dead) await opened.put(key, 100)
  await store.compact()
  const number = store.segments()[0]!.id
  const file = { kind: 'segment', number, referencedBytes: 0, diskBytes: 0 } as const
  const step = { action: 'punch', file, holes: 0, bytesFreed: 0, bytesCopied: 0 } as const
  const control = { signal: new AbortController().signal, rate: new JobRate(undefined) }
  const run = vi.spyOn(opened.runner, 'run')
  const { actor } = (engineOf(store) as Engine).collector
  const { bytesFreed } = await actor.execute({ step, reason: 'asked', output: undefined }, control)
  const heads = run.mock.calls.flatMap(([job]) => (job.kind === 'punch' ? [job.heads] : []))
  run.mockRestore()
  expect(heads.length).toBe(1)
  expect(bytesFreed).toBeGreaterThanOrEqual(dead.length * (LENGTH - LEFT_BYTES))
  await opened.check()
  return { isKnown: heads[0] !== undefined }
}

test('it is walked once as long as the store is open', async () => {
  const opened = await CollectedStore.open({ ...PUNCHES, segmentBytes: 1024 * 1024 })
  for (let i = 0; i < COUNT; i++) await opened.put(keyOf(i), LENGTH)
  await opened.closeAndReopen()
  expect(await punchHalf(opened)).toEqual({ isKnown: false })
  expect(await punchHalf(opened)).toEqual({ isKnown: true })
  await opened.closeAndReopen()
  expect(await punchHalf(opened)).toEqual({ isKnown: false })
  await opened.finish()
})
