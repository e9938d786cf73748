/** wisc/keyv without Keyv, whose own suite runs in test/consumers: what it writes, deletes, and holds open. */
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { open } from 'wisc'
import { KeyvWisc } from 'wisc/keyv'
import { eventually } from '../support/eventually.ts'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'

test('values come back after a restart, and say whether they were there when they are deleted', async () => {
  const keyv = new KeyvWisc(temporaryDirectory())
  await keyv.set('a', 'of a')
  await keyv.setMany([
    { key: 'b', value: 'of b' },
    { key: 'c', value: 'of c' },
  ])
  await keyv.disconnect()
  expect(await keyv.getMany(['a', 'b', 'c', 'd'])).toEqual(['of a', 'of b', 'of c', undefined])
  expect([await keyv.has('a'), await keyv.has('d')]).toEqual([true, false])
  expect([await keyv.delete('a'), await keyv.delete('a')]).toEqual([true, false])
  expect([await keyv.deleteMany(['a', 'b']), await keyv.deleteMany(['a', 'b'])]).toEqual([
    true,
    false,
  ])
  expect(await keyv.get('a')).toBeUndefined()
  await keyv.disconnect()
  await keyv.disconnect()
})

test('namespaces of one store are apart: clear is one record, iterators see their own', async () => {
  const store = await open(temporaryDirectory())
  const [cats, dogs] = ['cats', 'dogs'].map((namespace) => {
    const keyv = new KeyvWisc(store)
    keyv.namespace = namespace
    return keyv
  })
  await cats!.set('cats:tom', '9')
  await dogs!.set('dogs:rex', '1')
  const before = store.stats().lastSequence
  await cats!.clear()
  expect(store.stats().lastSequence).toBe(before + 1)
  const seen: unknown[] = []
  for await (const entry of cats!.iterator('cats')) seen.push(entry)
  for await (const entry of dogs!.iterator('dogs')) seen.push(entry)
  expect(seen).toEqual([['dogs:rex', '1']])
  await cats!.disconnect()
  expect(store.hasSync('dogs:rex')).toBe(true)
  const all = new KeyvWisc(store)
  await all.clear()
  expect(await dogs!.has('dogs:rex')).toBe(false)
  await store.close()
})

test('what expires is gone from the store, too', async () => {
  const store = await open(temporaryDirectory())
  const keyv = new KeyvWisc(store)
  await keyv.set('soon', 'v', 0.5)
  await keyv.setMany([{ key: 'later', value: 'v', ttl: 60_000 }])
  await keyv.set('never', 'v', 0)
  await eventually(() => expect(store.hasSync('soon')).toBe(false))
  expect((await store.stat('later'))?.expiresAt).toBeGreaterThan(Date.now())
  expect((await store.stat('never'))?.expiresAt).toBeUndefined()
  await store.close()
})

test('a store that could not be opened is tried again by the next call', async () => {
  const directory = path.join(temporaryDirectory(), 'db')
  fs.writeFileSync(directory, 'a file')
  const keyv = new KeyvWisc(directory)
  await expect(keyv.get('a')).rejects.toMatchObject({ code: 'WISC_NO_STORE' })
  fs.unlinkSync(directory)
  await keyv.set('a', 'v')
  expect(await keyv.get('a')).toBe('v')
  await keyv.disconnect()
})
