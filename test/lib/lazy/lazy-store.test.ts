/** Stores that are opened when they are used, and closed by several callers. */
import path from 'node:path'
import { expect, test } from 'vitest'
import { LazyStore } from '#dist/lib/lazy/lazy-store.js'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'

test('what is being closed is opened again, and every close waits until it is closed', async () => {
  const directory = path.join(temporaryDirectory(), 'db')
  const lazy = new LazyStore(directory)
  const first = await lazy.get()
  const closing = lazy.close()
  const second = lazy.close()
  const again = lazy.get()
  await second
  await expect(first.get('key')).rejects.toMatchObject({ code: 'WISC_NOT_OPEN' })
  await closing
  const store = await again
  expect(store).not.toBe(first)
  await store.put('key', 'value')
  await lazy.close()
  await expect(store.get('key')).rejects.toMatchObject({ code: 'WISC_NOT_OPEN' })
})

test('a close of what cannot be opened is no error, and the next use tries again', async () => {
  const lazy = new LazyStore(path.join(temporaryDirectory(), 'db'), { createIfMissing: false })
  const got = lazy.get()
  const closed = lazy.close()
  await expect(got).rejects.toMatchObject({ code: 'WISC_NO_STORE' })
  await closed
  await expect(lazy.get()).rejects.toMatchObject({ code: 'WISC_NO_STORE' })
})
