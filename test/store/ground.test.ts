/**
 * The ground pulled away: directory, LOCK or files of an open store are removed or replaced. The old handle notices,
 * fails for good, and whatever lies at its path now is not touched (I1, I4, I5 hold for one owner of a directory).
 */
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { nodeFileSystem } from '#dist/lib/base/platform/node-file-system.js'
import { type Options, open, type Store } from '#dist/lib/index.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { runModule } from '../support/processes/child-process.ts'
import { contents } from '../support/store/store-contents.ts'

const OPTIONS: Options = {
  workers: 0,
  controlSocket: false,
  segmentBytes: 4 * 1024 * 1024,
  collector: { enabled: false },
}
const VALUE = Buffer.alloc(5000, 'v')

async function makeStore(db: string, name: string): Promise<Store> {
  const store = await open(db, OPTIONS)
  for (let i = 0; i < 50; i++) await store.put(`${name}${i}`, VALUE)
  await store.flush()
  return store
}

/** What happens to the directory `db`, of which `copy` is an earlier copy. */
const PULLED: Readonly<Record<string, (db: string, copy: string) => void | Promise<void>>> = {
  removed: (db) => fs.rmSync(db, { recursive: true }),
  renamed: (db) => fs.renameSync(db, `${db} elsewhere`),
  'with its parent renamed': (db) => {
    const parent = path.dirname(db)
    fs.renameSync(parent, `${parent} elsewhere`)
    fs.mkdirSync(parent)
  },
  'with its parent replaced by a file': (db) => {
    const parent = path.dirname(db)
    fs.renameSync(parent, `${parent} elsewhere`)
    fs.writeFileSync(parent, '')
  },
  'replaced by an empty one': (db) => {
    fs.renameSync(db, `${db} elsewhere`)
    fs.mkdirSync(db)
  },
  'replaced by a file': (db) => {
    fs.renameSync(db, `${db} elsewhere`)
    fs.writeFileSync(db, '')
  },
  'replaced by another store': async (db) => {
    fs.rmSync(db, { recursive: true })
    await (await makeStore(db, 'new')).close()
  },
  'replaced by its snapshot': (db, copy) => {
    fs.rmSync(db, { recursive: true })
    fs.cpSync(copy, db, { recursive: true })
  },
  'emptied, and its snapshot put there': (db, copy) => {
    for (const name of fs.readdirSync(db)) fs.rmSync(path.join(db, name), { recursive: true })
    fs.cpSync(copy, db, { recursive: true })
  },
  'without its LOCK': (db) => fs.rmSync(path.join(db, 'LOCK')),
  'with another LOCK': (db) => {
    fs.rmSync(path.join(db, 'LOCK'))
    fs.writeFileSync(path.join(db, 'LOCK'), '')
  },
  'written over by its snapshot, LOCK excepted': (db, copy) =>
    fs.cpSync(copy, db, { recursive: true, filter: (name) => !name.endsWith('LOCK') }),
  'written over by its snapshot, LOCK and CURRENT excepted': (db, copy) =>
    fs.cpSync(copy, db, { recursive: true, filter: (name) => !/LOCK|CURRENT/.test(name) }),
}

function identityOf(directory: string): string | undefined {
  return nodeFileSystem.identify(directory)?.id
}

/** What notices; each must, by itself. */
const NOTICES: Readonly<Record<string, (store: Store) => Promise<unknown>>> = {
  'a put with sync': (store) => store.put('more', VALUE, { sync: true }),
  'a sync': async (store) => {
    await store.put('more', VALUE)
    await store.sync()
  },
  'puts of a MiB': async (store) => {
    for (let i = 0; i < 220; i++) await store.put(`more${i}`, VALUE)
  },
  'a flush': async (store) => {
    await store.put('more', VALUE)
    await store.flush()
  },
  'a compaction': (store) => store.compact(),
  'a collection': async (store) => {
    await store.delete('old1')
    await store.collect()
  },
  'a close': async (store) => {
    await store.put('more', VALUE)
    await store.close()
  },
}

async function failureOf(store: Store): Promise<unknown> {
  try {
    return store.stats().backgroundError
  } catch (error) {
    return error
  }
}

const LOST = {
  code: 'WISC_IO',
  errno: 'ESTALE',
  message: expect.stringMatching(/while the store was open: .*close it and open the store again/),
}

describe.each([...Object.keys(PULLED).entries()])('a directory, %i: %s', (index, pulled) => {
  // Every other one: the next way of pulling has the others.
  const notices = Object.keys(NOTICES).filter((_, i) => (i + index) % 2 === 0)
  test.each(notices)('is noticed by %s', async (noticed) => {
    const db = path.join(temporaryDirectory(), 'parent', 'db')
    const store = await makeStore(db, 'old')
    const copy = path.join(temporaryDirectory(), 'copy')
    fs.cpSync(db, copy, { recursive: true })
    // What makes the snapshot an earlier one.
    await store.put('later', VALUE)
    await store.flush()
    const own = identityOf(db)
    await PULLED[pulled]!(db, copy)
    const isOwnDirectory = identityOf(db) === own
    const isThere = fs.existsSync(db) && fs.statSync(db).isDirectory()
    const before = isThere ? contents(db) : undefined

    await expect(NOTICES[noticed]!(store)).rejects.toMatchObject(LOST)
    if (noticed !== 'a close') {
      await expect(store.put('again', VALUE)).rejects.toMatchObject(LOST)
      await expect(store.delete('old1')).rejects.toMatchObject(LOST)
      // Figures need tables; without them it says why.
      expect(await failureOf(store)).toMatchObject(LOST)
      await expect(store.close()).rejects.toMatchObject(LOST)
    }
    const after = isThere ? contents(db) : undefined
    // Where the log still lies, less than a MiB of plain puts has gone to its end.
    const log = [...(before?.keys() ?? [])].find((name) => name.endsWith('.vlog'))
    if (isOwnDirectory) after!.set(log!, before!.get(log!)!)
    expect(after).toEqual(before)
  })
})

test('what the old handle has open is still read, and the store that came after it does its own work', async () => {
  const db = path.join(temporaryDirectory(), 'db')
  const old = await makeStore(db, 'old')
  await old.put('unsynced', 'value')
  fs.rmSync(db, { recursive: true })
  const fresh = await makeStore(db, 'new')
  await expect(old.sync()).rejects.toMatchObject(LOST)
  expect(String(await old.get('unsynced'))).toBe('value')
  expect(await old.get('new1')).toBeUndefined()
  await fresh.put('new', VALUE, { sync: true })
  await expect(old.close()).rejects.toMatchObject(LOST)
  await fresh.put('newer', VALUE, { sync: true })
  expect((await fresh.verify()).damage).toEqual([])
  await fresh.close()
  const again = await open(db, OPTIONS)
  expect((await again.keys().nextMany(100)).length).toBe(52)
  await again.close()
})

test('a read that finds the files of another store says what has happened', async () => {
  const db = path.join(temporaryDirectory(), 'db')
  const old = await open(db, { ...OPTIONS, maxOpenFiles: 16, segmentBytes: 65536 })
  for (let i = 0; i < 200; i++) await old.put(`old${i}`, VALUE)
  fs.rmSync(db, { recursive: true })
  const fresh = await open(db, { ...OPTIONS, segmentBytes: 65536 })
  for (let i = 0; i < 200; i++) await fresh.put(`new${i}`, VALUE)
  const results = await Promise.allSettled(
    Array.from({ length: 200 }, async (_, i) => old.get(`old${i}`)),
  )
  const failed = results.filter(({ status }) => status === 'rejected')
  expect(failed.length).toBeGreaterThan(0)
  for (const { reason } of failed as PromiseRejectedResult[]) expect(reason).toMatchObject(LOST)
  await expect(old.close()).rejects.toMatchObject(LOST)
  expect((await fresh.verify()).damage).toEqual([])
  await fresh.close()
})

test('jobs in worker threads notice, too', async () => {
  const db = path.join(temporaryDirectory(), 'db')
  const old = await open(db, { ...OPTIONS, workers: 1 })
  // More than is flushed on the calling thread.
  for (let i = 0; i < 40_000; i++) void old.put(`old${i}`, `${i}`)
  await old.sync()
  fs.rmSync(db, { recursive: true })
  fs.mkdirSync(db)
  await expect(old.flush()).rejects.toMatchObject(LOST)
  await expect(old.close()).rejects.toMatchObject(LOST)
  expect(fs.readdirSync(db)).toEqual([])
})

test('what changes nothing is not taken for a loss', async () => {
  const db = path.join(temporaryDirectory(), 'db')
  const store = await makeStore(db, 'old')
  for (const name of fs.readdirSync(db)) fs.utimesSync(path.join(db, name), 1e9, 1e9)
  fs.linkSync(path.join(db, 'CURRENT'), path.join(path.dirname(db), 'linked'))
  fs.writeFileSync(path.join(db, 'foreign'), 'x')
  await store.put('a', VALUE, { sync: true })
  await store.compact()
  await store.close()
})

test('a link that is turned and a directory that the process leaves make no difference', async () => {
  const directory = temporaryDirectory()
  const printed = await runModule(
    `const fs = await import('node:fs')
     const { open } = await import(DIST + 'lib/index.js')
     process.chdir(process.argv[1])
     fs.mkdirSync('one'); fs.mkdirSync('two'); fs.symlinkSync('one', 'link')
     const options = { workers: 0 }
     const stores = [await open('relative', options), await open('link/db', options)]
     process.chdir('two')
     fs.unlinkSync('../link'); fs.symlinkSync('two', '../link')
     for (const store of stores) {
       await store.put('a', 'b', { sync: true })
       await store.compact()
       await store.close()
     }
     process.chdir('..')
     for (const name of ['relative', 'one/db']) {
       const store = await open(name, { readOnly: true })
       console.log(String(await store.get('a')))
       await store.close()
     }
     console.log(fs.readdirSync('two').length)`,
    directory,
  )
  expect(printed).toBe('b\nb\n0\n')
})

test('a directory that is held is that one, not what has its path later', () => {
  const directory = path.join(temporaryDirectory(), 'held')
  const openInodes = (): Set<number> => {
    const inodes = fs.readdirSync('/proc/self/fd').map((name) => {
      const stat = fs.statSync(`/proc/self/fd/${name}`, { throwIfNoEntry: false })
      return stat?.isDirectory() ? stat.ino : 0
    })
    return new Set(inodes)
  }
  if (process.platform !== 'linux') return
  fs.mkdirSync(directory)
  const old = nodeFileSystem.holdDirectory(directory)
  fs.rmdirSync(directory)
  fs.mkdirSync(directory)
  const { ino } = fs.statSync(directory)
  expect(openInodes()).not.toContain(ino)
  const held = nodeFileSystem.holdDirectory(directory)
  expect(openInodes()).toContain(ino)
  old.release()
  nodeFileSystem.syncDirectory(directory)
  expect(openInodes()).toContain(ino)
  held.release()
  expect(openInodes()).not.toContain(ino)
})
