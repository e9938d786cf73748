/** Events: their payloads, at run time and for the compiler, which builds this file: what must not compile says so. */
import { EventEmitter, once } from 'node:events'
import { expect, expectTypeOf, test } from 'vitest'
import type { WiscError } from '#dist/lib/base/errors.js'
import type { CollectionEvent, CompactionEvent, FlushEvent, StallEvent } from '#dist/lib/index.js'
import { openSmallStore } from '../../support/store/fault-store.ts'

const FLUSH = ['bytes', 'ms', 'tables']
const COMPACTION = [
  'inputBytes',
  'inputLevel',
  'inputTables',
  'moved',
  'ms',
  'outputBytes',
  'outputLevel',
  'outputTables',
  'reason',
]

test('each event has its documented payload', async () => {
  const store = await openSmallStore()
  const seen = new Map<string, unknown[]>()
  const note = (name: string, payload: unknown): void => {
    seen.set(name, [...(seen.get(name) ?? []), payload])
  }
  store.on('flush', (event) => {
    expectTypeOf(event).toEqualTypeOf<FlushEvent>()
    note('flush', event)
  })
  store.once('compaction', (event) => {
    expectTypeOf(event).toEqualTypeOf<CompactionEvent>()
    note('compaction', event)
  })
  store.addListener('collection', (event) => {
    expectTypeOf(event).toEqualTypeOf<CollectionEvent>()
    expectTypeOf(event.files).toEqualTypeOf<readonly number[]>()
    note('collection', event)
  })
  store.prependListener('stall', ({ ms }) => note('stall', ms))
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 200; i++) await store.put(`key ${i}`, Buffer.alloc(300, round))
    await store.flush()
  }
  await store.compact()
  await store.collect({ targetSpaceAmplification: 1 })
  for (const event of seen.get('flush') ?? []) expect(Object.keys(event!).sort()).toEqual(FLUSH)
  expect(Object.keys(seen.get('compaction')![0]!).sort()).toEqual(COMPACTION)
  for (const event of seen.get('collection') ?? []) {
    expect(event).toMatchObject({
      reason: expect.stringMatching(/^(space|asked)$/),
      action: expect.any(String),
      files: expect.any(Array),
      bytesFreed: expect.any(Number),
      bytesCopied: expect.any(Number),
      ms: expect.any(Number),
    })
  }
  expect([...seen.keys()]).toEqual(expect.arrayContaining(['flush', 'compaction', 'collection']))
})

test('the compiler knows the names of the events and what listeners are called with', async () => {
  const store = await openSmallStore()
  store.on('warning', (message) => expectTypeOf(message).toEqualTypeOf<string>())
  store.on('error', (error) => expectTypeOf(error).toEqualTypeOf<WiscError>())
  const stalled = (event: StallEvent): unknown => event.ms
  store.on('stall', stalled).off('stall', stalled)
  expect(store.listenerCount('stall')).toBe(0)
  // @ts-expect-error there is no such event
  store.on('typo', () => {})
  // @ts-expect-error there is no such event
  store.once('compactoin', () => {})
  // @ts-expect-error there is no such event
  store.off('warnings', () => {})
  // @ts-expect-error a flush has no such field
  store.on('flush', ({ table }) => table)
  // @ts-expect-error the message is a string
  store.on('warning', (message: number) => message)
  // @ts-expect-error a flush comes with its payload
  const withoutPayload = (): boolean => store.emit('flush')
  expect(withoutPayload).toBeTypeOf('function')
  expect(store).toBeInstanceOf(EventEmitter)
  // What takes any emitter takes a store.
  const emitter: EventEmitter = store
  const flushed = once(emitter, 'flush')
  await store.put('a', '1')
  await store.flush()
  expect(await flushed).toHaveLength(1)
})
