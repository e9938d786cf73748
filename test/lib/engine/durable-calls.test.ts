/** I1: what a call promises to be durable is, whatever else was called before it, or keeps it from more. */
import { expect, test } from 'vitest'
import { CorruptionError, IoError } from '#dist/lib/base/errors.js'
import type { Engine } from '#dist/lib/engine/engine.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import { crashStatesNow } from '../../support/crash/crash-states.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { openSmallStore } from '../../support/store/fault-store.ts'

const OPTIONS = { collector: { enabled: false } }

/** What a power cut leaves of which nothing has reached the disk but what was synced. */
async function keysBehindPowerCut({ model }: FaultFileSystem): Promise<string[]> {
  for (const { choice, image } of crashStatesNow(model, { seed: 1 })) {
    if (choice !== 'nothing') continue
    const store = await openSmallStore(OPTIONS, new FaultFileSystem({}, image()))
    return (await store.keys().nextMany(100)).map(String)
  }
  throw new Error('there is no such state')
}

test('an empty batch with sync has its turn behind the writes that were called before it', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore(OPTIONS, fileSystem)
  const puts = ['a', 'b'].map((key) => store.put(key, 'value'))
  await store.write([], { sync: true })
  expect(await keysBehindPowerCut(fileSystem)).toEqual(['a', 'b'])
  await Promise.all(puts)
})

test('an empty batch with sync makes the log durable where no write is taken', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore(OPTIONS, fileSystem)
  for (const key of ['a', 'b']) await store.put(key, 'value')
  const { health } = engineOf(store) as Engine
  health.workFailed(new CorruptionError('000009.sst', 100, 'for the test'))
  await expect(store.put('c', 'value')).rejects.toMatchObject({ code: 'WISC_CORRUPTION' })
  await store.write([], { sync: true })
  expect(await keysBehindPowerCut(fileSystem)).toEqual(['a', 'b'])
})

test.each([
  ['damage', new CorruptionError('000009.sst', 100, 'for the test')],
  ['a refused call', new IoError('open', '/db/000009.sst', 'EMFILE')],
])('a close that %s keeps from its order makes the log durable', async (_, error) => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore(OPTIONS, fileSystem)
  for (const key of ['a', 'b', 'c']) await store.put(key, 'value')
  const { flushes } = engineOf(store) as Engine
  flushes.flushWritten = () => Promise.reject(error)
  await expect(store.close()).rejects.toBe(error)
  expect(fileSystem.openFiles).toBe(0)
  expect(await keysBehindPowerCut(fileSystem)).toEqual(['a', 'b', 'c'])
})
