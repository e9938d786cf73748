/**
 * wisc/unstorage as unstorage calls it: what all drivers have to do, and what is its own. unstorage's own suite of
 * drivers is not published; test/consumers runs it where there is a clone.
 */
import fs from 'node:fs'
import path from 'node:path'
import { createStorage, type Driver, type Storage } from 'unstorage'
import memory from 'unstorage/drivers/memory'
import { expect, onTestFinished, test } from 'vitest'
import { open } from 'wisc'
import wiscDriver, { type WiscDriver } from 'wisc/unstorage'
import { eventually } from '../support/eventually.ts'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { Prng, replayHint, testSeed } from '../support/random.ts'

/** A storage on a new store, and its driver. */
function newStorage(): { storage: Storage; driver: WiscDriver } {
  const driver = wiscDriver({ path: temporaryDirectory() })
  // That the compiler takes one for the other is a part of the test.
  const storage = createStorage({ driver: driver satisfies Driver })
  onTestFinished(() => storage.dispose())
  return { storage, driver }
}

test('values are what they were, and those that are missing null', async () => {
  const { storage } = newStorage()
  const values = {
    text: 'a text',
    empty: '',
    zero: 0,
    no: false,
    list: [1, { a: null }],
    none: null,
  }
  for (const [name, value] of Object.entries(values)) await storage.setItem(`of/${name}`, value)
  for (const [name, value] of Object.entries(values)) {
    expect(await storage.getItem(`of:${name}`), name).toEqual(value)
    expect(await storage.hasItem(`of:${name}`), name).toBe(true)
  }
  expect([await storage.getItem('of:all'), await storage.getItemRaw('of:all')]).toEqual([
    null,
    null,
  ])
  expect(await storage.hasItem('of:all')).toBe(false)
  await storage.removeItem('of:text')
  await storage.removeItem('of:all')
  expect(await storage.hasItem('of:text')).toBe(false)
})

test('bytes come back as bytes, whatever they were given as', async () => {
  const { storage } = newStorage()
  const bytes = Buffer.from([0, 255, 1, 254])
  const arrayBuffer = new Uint8Array(bytes).buffer
  const streams = [new Blob([bytes]), new Blob([bytes]).stream()]
  for (const given of [bytes, new Uint8Array(bytes), arrayBuffer, ...streams]) {
    await storage.setItemRaw('raw', given)
    expect(await storage.getItemRaw('raw')).toEqual(bytes)
    await storage.removeItem('raw')
  }
  await storage.setItemRaw('raw', 'a text')
  expect(String(await storage.getItemRaw('raw'))).toBe('a text')
  await expect(storage.setItemRaw('raw', 7)).rejects.toMatchObject({
    code: 'WISC_INVALID_ARGUMENT',
  })
  expect(await storage.getItem('raw')).toBe('a text')
})

test('a stream is read as one if that is wanted', async () => {
  const { storage } = newStorage()
  await storage.setItemRaw('film', new Blob([Buffer.alloc(3_000_000, 'film')]))
  const film = (await storage.getItemRaw('film', { type: 'stream' })) as ReadableStream
  expect((await new Response(film).arrayBuffer()).byteLength).toBe(3_000_000)
  expect(await storage.getItemRaw('none', { type: 'stream' })).toBeNull()
})

test('several are written together or not at all, and read as of one moment', async () => {
  const { storage, driver } = newStorage()
  await storage.setItem('a', 'old')
  const items = (ttl: number) => [
    { key: 'a', value: 'new' },
    { key: 'b', value: 'other', options: { ttl } },
  ]
  await expect(storage.setItems(items(-1))).rejects.toMatchObject({ code: 'WISC_INVALID_ARGUMENT' })
  expect(await storage.getItem('a')).toBe('old')
  await storage.setItems(items(1000))
  await storage.setItems([])
  expect(await storage.getItems(['b', { key: 'none' }, 'a'])).toEqual([
    { key: 'b', value: 'other' },
    { key: 'none', value: null },
    { key: 'a', value: 'new' },
  ])
  expect((await driver.getMeta('b'))?.expiresAt?.getTime()).toBeGreaterThan(Date.now() + 900_000)
  expect(await driver.getMeta('a')).toEqual({ size: 3 })
})

test('keys are those below a base, and not deeper than is wanted', async () => {
  const { storage, driver } = newStorage()
  for (const key of ['foo', 'foo:a', 'foo:b:c', 'foo:b:d:e', 'foobar', 'foo;z'])
    await storage.setItem(key, 1)
  expect(await storage.getKeys('foo')).toEqual(['foo:a', 'foo:b:c', 'foo:b:d:e'])
  expect(await storage.getKeys('', { maxDepth: 0 })).toEqual(['foo', 'foo;z', 'foobar'])
  // The driver itself has left them out.
  expect(await driver.getKeys('', { maxDepth: 0 })).toEqual(['foo', 'foo;z', 'foobar'])
  expect(await driver.getKeys('foo:', { maxDepth: 1 })).toEqual(['foo:a'])
  expect(await driver.getKeys('foo:', { maxDepth: 2 })).toEqual(['foo:a', 'foo:b:c'])
})

test('clear takes what is below a base, by one record', async () => {
  const { storage, driver } = newStorage()
  const store = await driver.getInstance()
  for (const key of ['foo', 'foo:a', 'foo:b', 'foobar']) await storage.setItem(key, 1)
  const before = store.stats().lastSequence
  await driver.clear('foo:')
  expect(store.stats().lastSequence).toBe(before + 1)
  expect(await storage.getKeys()).toEqual(['foo', 'foobar'])
  await storage.clear()
  await storage.clear()
  expect(await storage.getKeys()).toEqual([])
})

test('what was set for some seconds is gone by itself', async () => {
  const { storage, driver } = newStorage()
  await storage.setItem('soon', 'v', { ttl: 0.001 })
  await storage.setItemRaw('soon raw', Buffer.from('v'), { ttl: 0.001 })
  await storage.setItem('never', 'v', { ttl: 0 })
  await eventually(async () => expect(await storage.getKeys()).toEqual(['never']))
  expect(await driver.getMeta('soon')).toBeNull()
})

test('drivers share an open store, which its owner closes', async () => {
  const store = await open(temporaryDirectory())
  const storage = createStorage({ driver: wiscDriver({ store }) })
  storage.mount('cache', wiscDriver({ store }))
  await storage.setItem('cache:a', 1)
  await storage.dispose()
  expect(String(store.getSync('a'))).toBe('1')
  await store.close()
})

test('drivers of one store with bases of their own read, list and clear nothing of each other', async () => {
  const store = await open(temporaryDirectory())
  const storage = createStorage({ driver: wiscDriver({ store, base: 'root' }) })
  storage.mount('a', wiscDriver({ store, base: 'of:a' }))
  storage.mount('ab', wiscDriver({ store, base: 'of:ab:' }))
  await store.put('foreign', '1')
  for (const key of ['x', 'a:x', 'a:y:z', 'ab:x']) await storage.setItem(key, key)
  await storage.setItems([{ key: 'a:many', value: 1 }])
  await storage.setItemRaw('a:raw', Buffer.from('raw'))
  const keys = await store.keys().nextMany(9)
  const expected = ['foreign', 'of:a:many', 'of:a:raw', 'of:a:x', 'of:a:y:z', 'of:ab:x', 'root:x']
  expect(keys.map(String)).toEqual(expected)
  expect(await storage.getKeys('a')).toEqual(['a:many', 'a:raw', 'a:x', 'a:y:z'])
  expect(await storage.getKeys('a', { maxDepth: 1 })).toEqual(['a:many', 'a:raw', 'a:x'])
  expect(await storage.getItems(['a:x', 'ab:x', 'x'])).toEqual(
    ['a:x', 'ab:x', 'x'].map((key) => ({ key, value: key })),
  )
  expect([await storage.hasItem('a:raw'), await storage.hasItem('a:none')]).toEqual([true, false])
  expect(await storage.getMeta('a:raw')).toEqual({ size: 3 })
  expect(await storage.getItemRaw('a:raw')).toEqual(Buffer.from('raw'))
  await storage.removeItem('a:x')
  await storage.clear('a:y')
  await storage.clear('a')
  expect(await storage.getKeys()).toEqual(['ab:x', 'x'])
  expect(String(store.getSync('foreign'))).toBe('1')
  await storage.dispose()
  await store.close()
})

test('dispose lets the store go, the next call opens it again', async () => {
  const directory = path.join(temporaryDirectory(), 'db')
  // As configurations of Nitro are handed on.
  const driver = wiscDriver({ path: directory, driver: 'wisc/unstorage', valueThreshold: 0 })
  expect(fs.existsSync(directory)).toBe(false)
  await driver.setItem('a', '1')
  await driver.dispose()
  await driver.dispose()
  await (await open(directory)).close()
  expect(await driver.getItem('a')).toBe('1')
  await driver.dispose()
  const misspelt = wiscDriver({ place: directory } as never)
  await expect(misspelt.getItem('a')).rejects.toMatchObject({ code: 'WISC_INVALID_ARGUMENT' })
})

const seed = testSeed()
test(`it does what the driver for memory does (${replayHint(seed)})`, async () => {
  const prng = new Prng(seed)
  const { storage } = newStorage()
  const model = createStorage()
  storage.mount('m', wiscDriver({ path: temporaryDirectory() }))
  onTestFinished(() => storage.unmount('m'))
  model.mount('m', memory())
  const key = (): string =>
    Array.from({ length: 1 + prng.below(4) }, () => prng.pick(['a', 'b', 'ab', 'm', '~'])).join(':')
  const both = async <T>(call: (one: Storage) => Promise<T>): Promise<void> => {
    const [found, expected] = [await call(storage), await call(model)]
    expect(found).toEqual(expected)
  }
  const steps: (() => Promise<void>)[] = [
    () => ((name, value) => both((one) => one.setItem(name, value)))(key(), prng.below(1000)),
    () => ((name) => both((one) => one.removeItem(name)))(key()),
    () => ((name) => both((one) => one.getItem(name)))(key()),
    () => ((name) => both((one) => one.hasItem(name)))(key()),
    () => ((names) => both((one) => one.getItems(names)))([key(), key(), key()]),
    () =>
      ((items) => both((one) => one.setItems(items)))(
        Array.from({ length: prng.below(5) }, () => ({ key: key(), value: key() })),
      ),
    () =>
      ((base, options) => both(async (one) => (await one.getKeys(base, options)).toSorted()))(
        prng.pick(['', 'a', 'm', 'm:a', 'a:b', 'none']),
        prng.pick([{}, { maxDepth: 0 }, { maxDepth: 1 }, { maxDepth: 2 }]),
      ),
  ]
  for (let step = 0; step < 300; step++) {
    // Seldom, so that there is something to be found.
    if (prng.chance(0.01)) await both((one) => one.clear())
    else await prng.pick(steps)()
  }
})
