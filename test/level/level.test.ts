/** What wisc/level promises beyond abstract-level's own suite: errors, what is read and written, and what is held. */
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect, test, vi } from 'vitest'
import { WiscError } from 'wisc'
import { WiscLevel } from 'wisc/level'
import { eventually } from '../support/eventually.ts'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { failure, withLevel } from './with-level.ts'

const ROOT = path.join(import.meta.dirname, '../..')

function letters(text: string): { type: 'put'; key: string; value: string }[] {
  return [...text].map((key) => ({ type: 'put', key, value: `value of ${key}` }))
}

/** Flips bytes of every value that lies in the value log. */
function damageValues(directory: string, value: string): void {
  for (const name of fs.readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const file = path.join(directory, name)
    if (!fs.statSync(file).isFile()) continue
    const bytes = fs.readFileSync(file)
    const at = bytes.indexOf(value)
    if (at < 0) continue
    bytes.fill('!', at, at + 10)
    fs.writeFileSync(file, bytes)
  }
}

test('what reads keys alone never touches the value log', async () => {
  const directory = temporaryDirectory()
  const value = 'separated'.repeat(1000)
  await withLevel((db) => db.put('a', value), directory)
  damageValues(directory, value)
  await withLevel(async (db) => {
    expect(await db.keys().all()).toEqual(['a'])
    expect(await db.iterator({ values: false }).all()).toEqual([['a', undefined]])
    expect(await db.has('a')).toBe(true)
    expect(await db.hasMany(['a', 'b'])).toEqual([true, false])
    for (const read of [
      () => db.get('a'),
      async () => db.getSync('a'),
      () => db.getMany(['a']),
      () => db.values().all(),
      () => db.iterator().next(),
      () => db.iterator({ keys: false }).nextv(1),
    ]) {
      expect(await failure(read())).toEqual(['LEVEL_CORRUPTION', 'WISC_CORRUPTION'])
    }
  }, directory)
})

test('errors have a code of abstract-level and ours as the cause', async () => {
  const directory = temporaryDirectory()
  await withLevel(async (db) => {
    const long = 'k'.repeat(65_537)
    expect(await failure(db.put(long, 'v'))).toEqual(['LEVEL_INVALID_KEY', 'WISC_INVALID_ARGUMENT'])
    expect(await failure(db.getMany(['a', long]))).toEqual([
      'LEVEL_INVALID_KEY',
      'WISC_INVALID_ARGUMENT',
    ])
    expect(await failure(db.get(long))).toEqual(['LEVEL_INVALID_KEY', 'WISC_INVALID_ARGUMENT'])
    const batch = [{ type: 'put', key: long, value: 'v' } as const]
    expect(await failure(db.batch(batch))).toEqual(['LEVEL_INVALID_KEY', 'WISC_INVALID_ARGUMENT'])
    const gone = Buffer.from(new ArrayBuffer(8))
    structuredClone(gone, { transfer: [gone.buffer] })
    const putting = db.put('k', gone, { valueEncoding: 'buffer' })
    expect(await failure(putting)).toEqual(['LEVEL_INVALID_VALUE', 'WISC_INVALID_ARGUMENT'])

    const second = new WiscLevel(directory)
    expect(await failure(second.open())).toEqual([
      'LEVEL_DATABASE_NOT_OPEN',
      'LEVEL_LOCKED',
      'WISC_LOCKED',
    ])
    expect(() => second.store).toThrow(expect.objectContaining({ code: 'LEVEL_DATABASE_NOT_OPEN' }))
    const reader = new WiscLevel(directory, { readOnly: true })
    expect(await failure(reader.put('k', 'v'))).toEqual(['LEVEL_READONLY', 'WISC_READ_ONLY'])
    await reader.close()
    const snapshot = { ref() {}, unref() {}, close: async () => {} } as never
    for (const reading of [
      db.get('a', { snapshot }),
      db.hasMany(['a'], { snapshot }),
      db.clear({ snapshot }),
    ]) {
      await expect(reading).rejects.toThrow(TypeError)
    }
  }, directory)
  expect(() => new WiscLevel('')).toThrow(TypeError)
})

test('options of classic-level, which libraries set for any database, change nothing', async () => {
  const options = { compression: false, cacheSize: 8, writeBufferSize: 4 } as object
  const db = new WiscLevel(temporaryDirectory(), options)
  await db.open(options)
  await db.put('a', 'v')
  await db.close()
  const unknown = new WiscLevel(temporaryDirectory(), { workers: -1 })
  expect(await failure(unknown.open())).toEqual([
    'LEVEL_DATABASE_NOT_OPEN',
    'WISC_INVALID_ARGUMENT',
    'WISC_INVALID_ARGUMENT',
  ])
})

test('a database that fails to close can be closed again: what it held is released', async () => {
  const db = new WiscLevel(temporaryDirectory())
  await db.open()
  const { store } = db
  const close = store.close.bind(store)
  vi.spyOn(store, 'close').mockImplementation(async () => {
    await close()
    throw new WiscError('WISC_SYNC_FAILED', 'a sync failed, reopen the store')
  })
  expect(await failure(db.close())).toEqual([
    'LEVEL_DATABASE_NOT_CLOSED',
    'LEVEL_IO_ERROR',
    'WISC_SYNC_FAILED',
  ])
  expect(await failure(db.get('a'))).toEqual(['LEVEL_DATABASE_NOT_OPEN'])
  await db.close()
  await db.open()
  await db.close()
})

test('an iterator keeps its view when it seeks after its end, and gives it up when it is closed', async () => {
  await withLevel(async (db) => {
    await db.batch(letters('abc'))
    for (const options of [{}, { reverse: true }, { values: false }]) {
      const iterator = db.iterator(options)
      await db.put('d', 'later')
      const all = (await iterator.nextv(10)).map(([key]) => key)
      expect(await iterator.nextv(10)).toEqual([])
      iterator.seek('b')
      const rest = (await iterator.nextv(10)).map(([key]) => key)
      expect(rest).toEqual(all.slice(all.indexOf('b')))
      expect(await iterator.next()).toBeUndefined()
      iterator.seek('a')
      expect((await iterator.next())?.[0]).toBe('a')
      await iterator.close()
      await db.del('d')
    }
    const { iterators, snapshots } = db.store.stats()
    expect([iterators.open, snapshots.open]).toEqual([0, 0])
  })
})

test('next and nextv give the same, however they are mixed', async () => {
  await withLevel(async (db) => {
    const keys = Array.from({ length: 100 }, (_, i) => String(i).padStart(3, '0'))
    await db.batch(keys.map((key) => ({ type: 'put', key, value: key })))
    const iterator = db.iterator({ limit: 95 })
    const seen: string[] = []
    for (let i = 0; seen.length < 95; i++) {
      const some = i % 2 ? await iterator.nextv(i) : [(await iterator.next())!]
      for (const [key] of some) seen.push(key)
    }
    expect(seen).toEqual(keys.slice(0, 95))
    expect(await iterator.next()).toBeUndefined()
    expect(iterator.count).toBe(95)
    await iterator.close()
  })
})

test('nextv reads ahead no more than highWaterMarkBytes, however many entries are asked for', async () => {
  await withLevel(async (db) => {
    const value = 'v'.repeat(100_000)
    await db.batch(letters('abcdefghij').map((operation) => ({ ...operation, value })))
    const iterator = db.values({ highWaterMarkBytes: 250_000 })
    const sizes: number[] = []
    for (let some = await iterator.nextv(10); some.length > 0; some = await iterator.nextv(10)) {
      sizes.push(some.length)
    }
    expect(Math.max(...sizes)).toBeLessThanOrEqual(3)
    expect(sizes.reduce((sum, size) => sum + size)).toBe(10)
    await iterator.close()
  })
})

test('a signal ends a read that has begun, and gives up what the iterator held', async () => {
  await withLevel(async (db) => {
    await db.batch(letters('abc'))
    for (const method of ['next', 'all'] as const) {
      const controller = new AbortController()
      const iterator = db.iterator({ signal: controller.signal })
      const reading = iterator[method]()
      controller.abort()
      await expect(reading).rejects.toMatchObject({ code: 'LEVEL_ABORTED', name: 'AbortError' })
      await iterator.close()
    }
    expect(db.store.stats().iterators.open).toBe(0)
  })
})

const ALL = 'abcdefgh'

test.each([
  [{}, ''],
  [{ gt: 'b' }, 'ab'],
  [{ gte: 'b', gt: 'f' }, 'a'],
  [{ lte: 'f', lt: 'b' }, 'gh'],
  [{ gt: 'b', lt: 'e' }, 'abefgh'],
  [{ gte: 'e', lte: 'e' }, 'abcdfgh'],
  [{ gt: 'e', lt: 'e' }, ALL],
  [{ gte: 'e', lt: 'e' }, ALL],
  [{ gt: 'f', lt: 'c' }, ALL],
  [{ gt: 'c', lt: 'c\0' }, ALL],
  [{ lt: '' }, ALL],
  [{ gte: 'c', reverse: true }, 'ab'],
  [{ gte: 'c', limit: 2 }, 'abefgh'],
  [{ lt: 'g', limit: 2, reverse: true }, 'abcdgh'],
  [{ limit: 0 }, ALL],
])('clear(%j) leaves %s', async (range, left) => {
  await withLevel(async (db) => {
    await db.batch(letters(ALL))
    await db.clear(range)
    expect((await db.keys().all()).join('')).toBe(left)
  })
})

test('clear is one record, of a sublevel, too; of a snapshot it takes what that saw', async () => {
  await withLevel(async (db) => {
    const sublevel = db.sublevel('some')
    await sublevel.batch(letters(ALL))
    await db.batch(letters('xyz'))
    const before = db.store.stats().lastSequence
    await sublevel.clear()
    expect(db.store.stats().lastSequence).toBe(before + 1)
    expect(await db.keys().all()).toEqual(['x', 'y', 'z'])

    await using snapshot = db.snapshot()
    await db.put('w', 'later')
    await db.clear({ snapshot })
    expect(await db.keys().all()).toEqual(['w'])
  })
})

test('hasMany of many keys is of one moment, and lets the event loop turn', async () => {
  await withLevel(async (db) => {
    await db.batch(letters('abc'))
    const keys = Array.from({ length: 5000 }, (_, i) => (i % 2 ? 'c' : 'none'))
    let turns = 0
    const turning = setInterval(() => turns++, 0)
    const asking = db.hasMany(keys)
    const deleting = db.del('c')
    expect(await asking).toEqual(keys.map((key) => key === 'c'))
    await deleting
    const snapshot = db.snapshot()
    const seen = db.hasMany(keys, { snapshot })
    const closing = snapshot.close()
    expect(await seen).toEqual(keys.map(() => false))
    await closing
    clearInterval(turning)
    expect(turns).toBeGreaterThan(0)
    expect(db.store.stats().snapshots.open).toBe(0)
  })
})

test('sync is an option of writes', async () => {
  await withLevel(async (db) => {
    const { store } = db
    for (const write of [
      () => db.put('a', 'v', { sync: true }),
      () => db.del('a', { sync: true }),
      () => db.batch(letters('ab'), { sync: true }),
      () => db.batch().put('c', 'v').write({ sync: true }),
      () => db.clear({ sync: true }),
    ]) {
      await write()
      const { durableSequence, lastSequence } = store.stats()
      expect(durableSequence).toBe(lastSequence)
    }
    await db.put('a', 'v')
    expect(store.stats().durableSequence).toBeLessThan(store.stats().lastSequence)
  })
})

test('values are gone when their time has come, however they were put', async () => {
  await withLevel(async (db) => {
    const soon = Date.now() + 60_000
    await db.put('a', 'v', { ttl: 1 })
    await db.batch([{ type: 'put', key: 'b', value: 'v' }, ...letters('c')], { ttl: 1 })
    await db.batch([{ type: 'put', key: 'g', value: 'v', ttl: 1 }])
    await db.batch().put('d', 'v', { ttl: 1 }).put('e', 'v', { expiresAt: soon }).write()
    await db.batch(
      [
        { type: 'put', key: 'f', value: 'v' },
        { type: 'del', key: 'f' },
      ],
      { ttl: 1 },
    )
    await eventually(async () => expect(await db.keys().all()).toEqual(['e']))
    expect(await db.getMany([...'abcde'])).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      'v',
    ])
    expect(db.store.getSync('e')?.toString()).toBe('v')
    expect((await db.store.stat('e'))?.expiresAt).toBe(soon)

    // What an operation says itself counts, also where its batch says it in the other way.
    const put = { type: 'put', key: 'h', value: 'v' } as const
    await db.batch([{ ...put, expiresAt: soon }], { ttl: 1 })
    expect((await db.store.stat('h'))?.expiresAt).toBe(soon)
    await db.sublevel('s').batch([put, { ...put, expiresAt: soon }], { ttl: 1 })
    expect((await db.store.stat('!s!h'))?.expiresAt).toBe(soon)
    await db.batch([{ ...put, ttl: 600_000 }], { expiresAt: soon })
    expect((await db.store.stat('h'))?.expiresAt).toBeGreaterThan(soon)
    const both = { ...put, ttl: 1, expiresAt: soon }
    await expect(db.batch([both as never])).rejects.toThrow('both expiresAt and ttl')
  })
})

test('require gives what import gives, and a build for loaders of CommonJS', () => {
  const same =
    "import('wisc/level').then((level) => console.log(level.WiscLevel === require('wisc/level').WiscLevel))"
  const print = execFileSync(process.execPath, ['-e', same], { cwd: ROOT, encoding: 'utf8' })
  expect(print.trim()).toBe('true')
  const program = `
    const { WiscLevel } = require(${JSON.stringify(path.join(ROOT, 'dist/lib/bundle/level.cjs'))})
    const db = new WiscLevel(process.argv[1], { valueEncoding: 'json' })
    db.put('a', [1]).then(() => db.get('a')).then(console.log).then(() => db.close())`
  const directory = temporaryDirectory()
  const out = execFileSync(process.execPath, ['-e', program, directory], { encoding: 'utf8' })
  expect(out.trim()).toBe('[ 1 ]')
})

test('without abstract-level the error names it, and the store itself needs none', () => {
  const directory = temporaryDirectory()
  fs.mkdirSync(path.join(directory, 'node_modules'))
  const addon = 'node_modules/xxhash-addon'
  fs.symlinkSync(path.join(ROOT, addon), path.join(directory, addon))
  for (const part of ['index.js', 'bundle', 'base/errors.js']) {
    const to = path.join(directory, 'lib', part)
    fs.cpSync(path.join(ROOT, 'dist/lib', part), to, { recursive: true })
  }
  fs.writeFileSync(path.join(directory, 'package.json'), '{ "type": "module" }')
  const run = (file: string): string => {
    const program = `import './lib/${file}'\nconsole.log('loaded')`
    const options = { cwd: directory, input: program, encoding: 'utf8' } as const
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module'], options)
    return stdout + stderr
  }
  expect(run('index.js')).toBe('loaded\n')
  expect(run('bundle/level.js')).toContain("Cannot find package 'abstract-level'")
})
