/** What a store emits has exactly the fields that its types promise. */
import { expect, test } from 'vitest'
import type { StoreEvents } from '#dist/lib/contract/events.js'
import { fieldsOf } from '../support/sources.ts'
import { openSmallStore } from '../support/store/fault-store.ts'

test('payloads have the fields of their types, no more and no fewer', async () => {
  const store = await openSmallStore({ collector: { enabled: false } })
  const seen = new Map<string, object[]>()
  for (const name of [
    'flush',
    'compaction',
    'collection',
  ] as const satisfies (keyof StoreEvents)[]) {
    store.on(name, (event: object) => seen.set(name, [...(seen.get(name) ?? []), event]))
  }
  // Moves, and then merges.
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 12; i++) await store.put(`key${i}`, Buffer.alloc(9000 + round, i))
    await store.compact()
  }
  await store.put('dead in part', Buffer.alloc(40_000))
  await store.put('dead in part', Buffer.alloc(200))
  const { steps, bytesWritten } = await store.collect({ targetSpaceAmplification: 1 })
  expect(new Set(steps.map(({ action }) => action)).size).toBeGreaterThan(1)
  expect(bytesWritten).toBe(steps.reduce((sum, step) => sum + step.bytesWritten, 0))
  expect(bytesWritten).toBeGreaterThan(0)
  for (const [name, type] of [
    ['flush', 'FlushEvent'],
    ['compaction', 'CompactionEvent'],
    ['collection', 'CollectionEvent'],
  ] as const) {
    const events = seen.get(name) ?? []
    expect(events.length, name).toBeGreaterThan(0)
    for (const event of events) expect(Object.keys(event).sort(), name).toEqual(fieldsOf(type))
  }
  for (const step of steps) expect(Object.keys(step).sort()).toEqual(fieldsOf('CollectedStep'))
  const stats: object = store.stats()
  expect(Object.keys(stats).sort()).toEqual(fieldsOf('Stats'))
})
