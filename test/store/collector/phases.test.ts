/**
 * Close, abort and pause in every phase of a collection: before and after each of its jobs, and during the edit. What
 * was done stays done, what was not leaves no trace (I4, I5), and the next collection does its work.
 */
import { describe, expect, test } from 'vitest'
import type { Options } from '#dist/lib/contract/options.js'
import type { Job } from '#dist/lib/jobs/messages.js'
import { eventually } from '../../support/eventually.ts'
import {
  CollectedStore,
  collectAll,
  filled,
  keyOf,
  PUNCHES,
} from '../../support/store/collected-store.ts'
import { codeOf } from '../../support/store/fault-store.ts'
import { settled } from '../../support/store/settled.ts'

/** Where a collection can be stopped. */
const PHASES: readonly { readonly kind: Job['kind']; readonly point: 'before' | 'after' }[] = (
  ['walk', 'mark', 'rewrite', 'punch'] as const
).flatMap((kind) => [
  { kind, point: 'before' as const },
  { kind, point: 'after' as const },
])

describe.each(PHASES)('$point the $kind', ({ kind, point }) => {
  async function stopped(options: Options = {}) {
    const opened = await filled(kind, options)
    if (kind === 'walk') {
      await opened.put(keyOf(1), 900)
      await opened.store.flush()
    }
    opened.runner.hold(kind, point)
    return opened
  }

  test('close ends the collection, and the store is whole', async () => {
    const opened = await stopped()
    const collected = codeOf(() => collectAll(opened))
    await opened.runner.reached(kind)
    const closed = opened.store.close()
    opened.runner.release(kind)
    await closed
    expect(['no error', 'WISC_ABORTED', 'WISC_NOT_OPEN']).toContain(await collected)
    opened.checkClosed()
    await opened.reopen()
    await opened.check()
    await collectAll(opened)
    await opened.finish()
  })

  test('abort ends the collection, and the next one does its work', async () => {
    const opened = await stopped()
    const abort = new AbortController()
    const { signal } = abort
    const collected = codeOf(() => opened.store.collect({ targetSpaceAmplification: 1.01, signal }))
    await opened.runner.reached(kind)
    abort.abort()
    opened.runner.release(kind)
    expect(await collected).toBe('WISC_ABORTED')
    await opened.check()
    expect((await collectAll(opened)).bytesFreed).toBeGreaterThan(0)
    await opened.finish()
  })

  // The collector itself walks and marks for no plan: it estimates what is hidden, and a punch marks as its first part.
  test.skipIf(kind === 'walk' || kind === 'mark')(
    'a pause ends the step, and it is done after the resume',
    async () => {
      const collector = { targetSpaceAmplification: 1.01, punchHoles: kind === 'punch' }
      const opened = await CollectedStore.open({
        ...(kind === 'rewrite' ? {} : PUNCHES),
        segmentBytes: kind === 'rewrite' ? 16384 : 65536,
        collector,
      })
      opened.store.pauseCollector()
      if (kind === 'rewrite') await opened.fillForRewrite()
      else await opened.fillForPunch()
      let steps = 0
      opened.store.on('collection', () => steps++)
      opened.runner.hold(kind, point)
      opened.store.resumeCollector()
      await opened.runner.reached(kind)
      opened.store.pauseCollector()
      opened.runner.release(kind)
      await settled(opened.fileSystem)
      const stepsAtPause = steps
      await opened.check()
      await settled(opened.fileSystem)
      expect(steps, 'steps while it was paused').toBe(stepsAtPause)
      opened.store.resumeCollector()
      // The holes of a punch whose result is held back are there already.
      const isDone = kind === 'punch' && point === 'after'
      // The next look comes later if one took long.
      await eventually(() => expect(steps).toBeGreaterThan(isDone ? 0 : stepsAtPause))
      await settled(opened.fileSystem)
      await opened.finish()
    },
  )
})

test.each(['syncDirectory', 'write', 'sync'] as const)(
  'I4: close during the edit of a rewrite, at its %s',
  async (call) => {
    const opened = await filled('rewrite')
    let closed: Promise<void> | undefined
    let isAfterJob = false
    opened.runner.hold('rewrite', 'after')
    const collected = codeOf(() => collectAll(opened))
    await opened.runner.reached('rewrite')
    opened.fileSystem.onCall = ({ kind, path }) => {
      if (!isAfterJob || closed || kind !== call) return
      if (kind === 'syncDirectory' || path.includes('MANIFEST')) closed = opened.store.close()
    }
    isAfterJob = true
    opened.runner.release('rewrite')
    await collected
    expect(closed).toBeDefined()
    await closed
    opened.fileSystem.onCall = undefined
    opened.checkClosed()
    await opened.reopen()
    await opened.finish()
  },
)
