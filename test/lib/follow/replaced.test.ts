/**
 * An older copy in the place of a store that is followed, and a writer that goes on from there: its manifests, tables
 * and segments have the numbers of those that were there, often their lengths, and other contents.
 */
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import type { Options } from '#dist/lib/contract/options.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import { openStore } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'
import { SMALL_OPTIONS } from '../../support/store/fault-store.ts'
import { stopTimers } from '../../support/store/idle.ts'

const OPTIONS: Options = { ...SMALL_OPTIONS, collector: { enabled: false } }

/** Inline values and pointers, each as long as any other writer's. */
async function write(store: Store, who: string, flushes: number): Promise<void> {
  for (let round = 0; round < flushes; round++) {
    await store.put('all', who)
    await store.put(`${round}/inline`, `${who} ${round}`)
    await store.put(`${round}/large`, Buffer.alloc(5000, `${who} ${round}`))
    await store.flush()
  }
  await store.put('unflushed', who)
  await store.put('unflushed, large', Buffer.alloc(5000, who))
}

function contents(store: Store): Promise<[Buffer, Buffer][]> {
  return store.entries().nextMany(100)
}

const REPLACED: readonly (readonly [string, (directory: string, copy: string) => void])[] = [
  [
    'moved away',
    (directory, copy) => {
      fs.renameSync(directory, `${directory}.away`)
      fs.cpSync(copy, directory, { recursive: true })
    },
  ],
  [
    'emptied',
    (directory, copy) => {
      for (const name of fs.readdirSync(directory)) fs.rmSync(path.join(directory, name))
      fs.cpSync(copy, directory, { recursive: true })
    },
  ],
]

test.each(REPLACED)('a directory that was %s: the copy is followed', async (_, replace) => {
  stopTimers()
  // As many edits as the writer before, and so a manifest of its length; more of them; fewer.
  for (const flushes of [2, 3, 1]) {
    for (const isClosed of [false, true]) {
      const directory = path.join(temporaryDirectory(), 'store')
      const first = await openStore(directory, OPTIONS)
      await write(first, 'first', 2)
      await first.close()
      fs.cpSync(directory, `${directory}.copy`, { recursive: true })
      const second = await openStore(directory, OPTIONS)
      await write(second, 'secnd', 2)
      // Nothing is left behind the checkpoint then.
      if (isClosed) await second.close()
      const follower = await openStore(directory, { readOnly: true, follow: true })
      // What it has open and cached is of this writer.
      for (const [key, value] of await contents(follower))
        expect(follower.getSync(key)?.equals(value)).toBe(true)
      expect(String(follower.getSync('all'))).toBe('secnd')
      await second.close()
      replace(directory, `${directory}.copy`)
      const third = await openStore(directory, OPTIONS)
      for (let step = 0; step < 2; step++) {
        engineOf(follower).moveOn!(undefined)
        const expected = await contents(third)
        expect(await contents(follower), `flushes ${flushes}, step ${step}`).toEqual(expected)
        for (const [key, value] of expected) expect(follower.getSync(key)?.equals(value)).toBe(true)
        if (step === 0) await write(third, 'third', flushes)
      }
      await follower.close()
      await third.close()
    }
  }
})

test('an older copy of the same manifest, which nobody has opened yet, is followed', async () => {
  stopTimers()
  const directory = path.join(temporaryDirectory(), 'store')
  const writer = await openStore(directory, OPTIONS)
  await write(writer, 'first', 1)
  await writer.flush()
  fs.cpSync(directory, `${directory}.copy`, { recursive: true })
  await write(writer, 'secnd', 3)
  await writer.flush()
  const follower = await openStore(directory, { readOnly: true, follow: true })
  expect(String(follower.getSync('all'))).toBe('secnd')
  await writer.close()
  REPLACED[0]![1](directory, `${directory}.copy`)
  engineOf(follower).moveOn!(undefined)
  const reader = await openStore(directory, { readOnly: true })
  expect(await contents(follower)).toEqual(await contents(reader))
  expect(String(follower.getSync('all'))).toBe('first')
  await reader.close()
  await follower.close()
})
