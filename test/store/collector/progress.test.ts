/** What a caller is told of long work while it goes on: compactions, rewrites and punches. */
import { expect, test } from 'vitest'
import type { CollectionProgress } from '#dist/lib/contract/collection.js'
import { eventually } from '../../support/eventually.ts'
import { changeAll, filled, lengthOf } from '../../support/store/collected-store.ts'

const PHASES = { compaction: 'compact', rewrite: 'rewrite', punch: 'punch' } as const

test.each(['compaction', 'rewrite', 'punch'] as const)(
  'a %s says how much of it is done',
  async (kind) => {
    const opened = await filled(kind)
    if (kind === 'compaction') await changeAll(opened, lengthOf(kind))
    opened.runner.hold(kind, 'after')
    const seen: CollectionProgress[] = []
    const collected = opened.store.collect({
      targetSpaceAmplification: 1.01,
      onProgress: (progress) => seen.push(progress),
    })
    await opened.runner.reached(kind)
    // The job has ended, and nobody knows that yet.
    await eventually(() => {
      expect(seen.at(-1)).toMatchObject({ phase: PHASES[kind], share: 1 })
    })
    opened.runner.release(kind)
    await collected
    expect(seen.at(-1)).toMatchObject({ phase: 'done', share: 1 })
    await opened.finish()
  },
)

test('compact says it, too', async () => {
  const opened = await filled('compaction')
  await changeAll(opened, lengthOf('compaction'))
  opened.runner.hold('compaction', 'after')
  const shares: number[] = []
  const compacted = opened.store.compact({}, { onProgress: ({ share }) => shares.push(share) })
  await opened.runner.reached('compaction')
  await eventually(() => expect(shares).toEqual([1]))
  opened.runner.release('compaction')
  await compacted
  await opened.finish()
})

test('what a caller throws while it is told ends its collection when the step has ended', async () => {
  const opened = await filled('rewrite')
  opened.runner.hold('rewrite', 'after')
  let told = 0
  const collected = opened.store.collect({
    targetSpaceAmplification: 1.01,
    onProgress: ({ share }) => {
      if (share === 0) return
      told++
      throw new Error('no more')
    },
  })
  await opened.runner.reached('rewrite')
  await eventually(() => expect(told).toBe(1))
  opened.runner.release('rewrite')
  await expect(collected).rejects.toMatchObject({ cause: { message: 'no more' } })
  await opened.finish()
})
