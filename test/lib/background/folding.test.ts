/** Too many old segments are known: tables that name them are written anew, until none does. */
import { expect, test } from 'vitest'
import type { CompactionEvent } from '#dist/lib/contract/events.js'
import type { Engine } from '#dist/lib/engine/engine.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import { countSegments } from '#dist/lib/tree/compaction/fold.js'
import { CollectedStore, collectAll, keyOf } from '../../support/store/collected-store.ts'

/** Segments with one record each that stays, and more garbage than that. */
const SEGMENTS = 240

async function storeOfOldSegments(): Promise<CollectedStore> {
  const opened = await CollectedStore.open({ segmentBytes: 16_384, valueThreshold: 32 })
  for (let i = 0; i < SEGMENTS; i++) {
    await opened.put(keyOf(i), 40)
    // Values of most of a segment: the next key goes to the next one.
    for (let n = 0; n < 4; n++) await opened.put('dead', 3800)
  }
  await opened.delete('dead')
  await opened.store.compact()
  return opened
}

function known(opened: CollectedStore): { old: number; files: number } {
  return countSegments(engineOf(opened.store).version)
}

test('when too many old segments are known, a compaction for their addresses forgets them', async () => {
  const opened = await storeOfOldSegments()
  const { store } = opened
  const events: CompactionEvent[] = []
  store.on('compaction', (event) => events.push(event))
  let most = 0
  store.on('collection', () => {
    most = Math.max(most, known(opened).old - 4 * known(opened).files)
  })
  await collectAll(opened)
  const { compactions, work } = engineOf(store) as Engine
  while (compactions.isRunning) await new Promise((resolve) => setImmediate(resolve))
  // There were more than there may be, and the collection itself is not what forgot them.
  expect(most).toBeGreaterThan(64)
  expect(events.map(({ reason }) => reason)).toContain('addresses')
  expect(work.counts.foldedPointers).toBeGreaterThan(SEGMENTS / 2)
  const { old, files } = known(opened)
  expect(old).toBeLessThanOrEqual(4 * files + 64)
  for (const event of events.filter(({ reason }) => reason === 'addresses')) {
    // Where it is, and nothing but it.
    expect(event).toMatchObject({ inputTables: 1, moved: false, outputLevel: event.inputLevel })
  }
  // I8: what was folded leads to its record, also after the next open.
  await opened.finish()
})
