/**
 * What a long life leaves behind is bounded: of hundreds of segments one record each lives on, in relocations. Some are
 * folded as compactions pass by the tables that point to them, the others by compactions for that alone.
 */
import { expect, test } from 'vitest'
import type { CompactionEvent } from '#dist/lib/contract/events.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import { countSegments } from '#dist/lib/tree/compaction/fold.js'
import { CollectedStore, keyOf } from '../../support/store/collected-store.ts'
import { settled } from '../../support/store/settled.ts'

const ROUNDS = 320
const HOT_KEYS = 8

/** Steps alone, without the compaction that `collect` begins with. */
async function collectSteps({ store, fileSystem }: CollectedStore): Promise<void> {
  await store.collect({ plan: await store.planCollection({ targetSpaceAmplification: 1.01 }) })
  await settled(fileSystem)
}

test.each([
  ['', false],
  [', also beside a snapshot', true],
])('known segments are at most a small multiple of the files%s', async (_, isSeen) => {
  const opened = await CollectedStore.open({ collector: { enabled: false, punchHoles: false } })
  const reasons = new Map<string, number>()
  opened.store.on('compaction', ({ reason }: CompactionEvent) => {
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  })
  const counts = () => countSegments(engineOf(opened.store).version)
  for (let round = 0; round < ROUNDS; round++) {
    // The keys of a round lie behind those of all before: tables below are never merged with what comes.
    await opened.put(`${keyOf(round)} cold`, 300)
    for (let i = 0; i < HOT_KEYS; i++) await opened.put(`hot${i}`, 1900)
    await opened.store.flush()
    if (round % 4 > 0) continue
    await collectSteps(opened)
    if (round % 40 > 0) continue
    const { old, files } = counts()
    expect(old, `round ${round}, ${files} files`).toBeLessThanOrEqual(4 * files + 64)
  }
  const snapshot = isSeen ? opened.store.snapshot() : undefined
  const seen = opened.copyModel()
  for (let i = 0; i < HOT_KEYS; i++) await opened.put(`hot${i}`, 1900)
  await opened.store.flush()
  await collectSteps(opened)
  await collectSteps(opened)
  const { old, files } = counts()
  expect(old).toBeLessThanOrEqual(4 * files + 64)
  expect(ROUNDS, 'there was more to be known').toBeGreaterThan(4 * files + 64)
  // It has come to rest: nothing is written for ever.
  expect(reasons.get('addresses') ?? 0).toBeLessThan(ROUNDS)
  if (snapshot) await opened.check(seen, snapshot)
  snapshot?.close()
  await opened.finish()
})
