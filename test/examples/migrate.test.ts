/** examples/migrate.mjs: a database of classic-level and one of lmdb, whole, and none that seems to be. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { ClassicLevel } from 'classic-level'
import * as lmdb from 'lmdb'
import { expect, test } from 'vitest'
import { open } from '#dist/lib/index.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { ROOT } from '../support/pages.ts'

const SCRIPT = path.join(ROOT, 'examples', 'migrate.mjs')

const openLmdb = lmdb.open
/** Its types lack them. */
const { keyValueToBuffer, bufferToKeyValue } = lmdb as unknown as {
  readonly keyValueToBuffer: (key: lmdb.Key) => Buffer
  readonly bufferToKeyValue: (bytes: Buffer) => lmdb.Key
}

function migrate(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [SCRIPT, ...words], { encoding: 'utf8' })
}

/** Short and long ones, of all first bytes: more than one piece. */
const ENTRIES = Array.from({ length: 2600 }, (_, i): [Buffer, Buffer] => [
  Buffer.concat([Buffer.from([i % 256]), Buffer.from(`key ${i}`)]),
  Buffer.alloc(i % 97 === 0 ? 70_000 : i % 50, i),
]).sort(([left], [right]) => Buffer.compare(left, right))
const BYTES = ENTRIES.reduce((sum, [key, value]) => sum + key.length + value.length, 0)
const DONE = {
  status: 0,
  stdout: `${ENTRIES.length} entries, ${BYTES} bytes of keys and values: copied and compared\n`,
  // How far it was, a line a second.
  stderr: expect.stringMatching(/^(?:(?:copied|compared) \d+ entries, \d+ MB, \d+ s\n)*$/),
}

async function expectAll(directory: string): Promise<void> {
  const store = await open(directory, { readOnly: true })
  const found = await store.entries().nextMany(ENTRIES.length + 1)
  await store.close()
  expect(found.length).toBe(ENTRIES.length)
  for (const [i, [key, value]] of found.entries()) {
    expect(Buffer.compare(key, ENTRIES[i]![0]), `key ${i}`).toBe(0)
    expect(Buffer.compare(value, ENTRIES[i]![1]), `value ${i}`).toBe(0)
  }
  expect(fs.existsSync(`${directory}.partial`)).toBe(false)
}

async function makeClassicLevel(directory: string): Promise<void> {
  const encodings = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const
  const database = new ClassicLevel<Buffer, Buffer>(directory, encodings)
  await database.batch(ENTRIES.map(([key, value]) => ({ type: 'put', key, value })))
  await database.close()
}

test('from classic-level', async () => {
  const directory = temporaryDirectory()
  const [from, to] = [path.join(directory, 'old'), path.join(directory, 'new')]
  await makeClassicLevel(from)
  expect(migrate('classic-level', from, to)).toMatchObject(DONE)
  await expectAll(to)
})

test.each([undefined, 'users'])('from lmdb, database %s', async (name) => {
  const directory = temporaryDirectory()
  const [from, to] = [path.join(directory, 'old.mdb'), path.join(directory, 'new')]
  const encodings = { keyEncoding: 'binary', encoding: 'binary' } as const
  const root = openLmdb<Buffer, Buffer>({ path: from, ...encodings })
  const database = name === undefined ? root : root.openDB<Buffer, Buffer>({ name, ...encodings })
  await Promise.all(ENTRIES.map(([key, value]) => database.put(key, value)))
  await root.close()
  const options = name === undefined ? [] : [JSON.stringify({ name })]
  expect(migrate('lmdb', from, to, ...options)).toMatchObject(DONE)
  await expectAll(to)
})

test('what lmdb has encoded can be read with the encodings that the page names', async () => {
  const directory = temporaryDirectory()
  const [from, to] = [path.join(directory, 'old.mdb'), path.join(directory, 'new')]
  const old = openLmdb({ path: from })
  const ann = { name: 'Ann', born: new Date(0), tags: ['a', 'b'] }
  await Promise.all([old.put(['user', 1], ann), old.put(['user', 2], { name: 'Bob' })])
  await old.close()
  expect(migrate('lmdb', from, to)).toMatchObject({ status: 0 })
  const store = await open(to, { readOnly: true })
  const key = {
    encode: keyValueToBuffer,
    decode: bufferToKeyValue,
  }
  const view = store.with({ key, value: 'msgpack' })
  const users = await view.entries().nextMany(9)
  await store.close()
  expect(users).toEqual([
    [['user', 1], ann],
    [['user', 2], { name: 'Bob' }],
  ])
})

test('from a store of wisc, with long values, and moments of expiry', async () => {
  const directory = temporaryDirectory()
  const [from, to] = [path.join(directory, 'old'), path.join(directory, 'new')]
  const old = await open(from, { segmentBytes: 1024 * 1024 })
  const expiresAt = Date.now() + 3_600_000
  await old.write(ENTRIES.map(([key, value]) => ({ type: 'put', key, value })))
  await old.put('lasting', 'value', { expiresAt })
  await old.put('expired', 'value', { ttl: 1 })
  await old.putStream('long', new Blob([Buffer.alloc(3_500_000, 'long')]), { expiresAt })
  await old.delete(ENTRIES[7]![0])
  await old.close()
  const packageName = import.meta.resolve('#dist/lib/index.js')
  const { status, stdout } = migrate('wisc', from, to, JSON.stringify({ package: packageName }))
  expect([status, stdout]).toEqual([0, expect.stringMatching(/^2601 entries, /)])
  const stores = [await open(from, { readOnly: true }), await open(to, { readOnly: true })] as const
  const [expected, found] = await Promise.all(
    stores.map(async (store) => {
      const listed = await store.entries({ values: 'stat' }).nextMany(9999)
      const stats = listed.map(([key, { size, expiresAt: at }]) => [String(key), size, at])
      const values = await store.values().nextMany(9999)
      return { stats, values: Buffer.concat(values) }
    }),
  )
  await Promise.all(stores.map((store) => store.close()))
  expect(found!.stats).toEqual(expected!.stats)
  expect(found!.values.equals(expected!.values)).toBe(true)
  expect(found!.stats).toContainEqual(['long', 3_500_000, expiresAt])
})

test('values that expire one after the other meanwhile are no change', async () => {
  const directory = temporaryDirectory()
  const [from, to] = [path.join(directory, 'old'), path.join(directory, 'new')]
  const old = await open(from)
  await old.put('lasting', 'value')
  for (let i = 0; i < 600; i++) await old.put(`key ${i}`, 'value', { ttl: 1000 + i * 20 })
  await old.close()
  expect(migrate('wisc', from, to)).toMatchObject({ status: 0 })
  const store = await open(to, { readOnly: true })
  expect(store.hasSync('lasting')).toBe(true)
  await store.close()
})

test('what is not whole has not the name of the new store', async () => {
  const directory = temporaryDirectory()
  const [from, to] = [path.join(directory, 'old'), path.join(directory, 'new')]
  expect(migrate('classic-level', from, to)).toMatchObject({ status: 1 })
  expect(fs.readdirSync(directory)).toEqual([])
  await makeClassicLevel(from)
  fs.mkdirSync(to)
  expect(migrate('classic-level', from, to).stderr).toContain('is there already')
  expect(fs.readdirSync(to)).toEqual([])
  fs.rmdirSync(to)
  fs.writeFileSync(path.join(from, 'CURRENT'), 'MANIFEST-999999\n')
  const failed = migrate('classic-level', from, to)
  expect([failed.status, failed.stderr]).toEqual([1, expect.stringContaining('new.partial')])
  expect(fs.existsSync(to)).toBe(false)
  expect(migrate('leveldb', from, to)).toMatchObject({ status: 2, stdout: '' })
})
