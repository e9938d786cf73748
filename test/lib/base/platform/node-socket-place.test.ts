/** Where the socket of an open store lies: what a crash leaves, what a copy has, and who is not led anywhere. */
import { EventEmitter, once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, expect, test, vi } from 'vitest'
import { formatLockHolder, parseLockHolder } from '#dist/lib/base/platform/lock.js'
import { listenOnSocket } from '#dist/lib/base/platform/node-socket.js'
import {
  chooseSocketPath,
  isHolderGone,
  type SocketPlace,
} from '#dist/lib/base/platform/node-socket-place.js'
import { ControlSocket } from '#dist/lib/control/control-socket.js'
import { open } from '#dist/lib/index.js'
import { ControlClient } from '#dist/lib/inspect/owner/control-client.js'
import { storeOwner } from '#dist/lib/inspect/owner/store-owner.js'
import { eventually } from '../../../support/eventually.ts'
import { temporaryDirectory } from '../../../support/files/temporary-directory.ts'
import {
  connect,
  dieWithStore,
  SMALL,
  socketOf,
  withStore,
} from '../../../support/processes/control-socket.ts'

// Sockets of their own: opens in other tests would remove what a process has left.
beforeEach(() => {
  vi.stubEnv('XDG_RUNTIME_DIR', temporaryDirectory())
  return () => vi.unstubAllEnvs()
})

test('what a killed process left is nobody, and the next writer removes it', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  const stale = await dieWithStore(db)
  expect(fs.lstatSync(stale).isSocket()).toBe(true)
  expect(await ControlClient.connect(db)).toBeUndefined()
  const store = await open(db, SMALL)
  expect(socketOf(db)).not.toBe(stale)
  const client = await connect(db)
  expect((await client.ask('stats')).lastSequence).toBe(0)
  client.close()
  await eventually(() => expect(fs.existsSync(stale)).toBe(false))
  await store.close()
})

test('a socket that refuses proves that its holder is gone; one that answers, or is not there, nothing', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  await dieWithStore(db)
  const left = fs.readFileSync(path.join(db, 'LOCK'), 'utf8')
  expect(await isHolderGone(left)).toBe(true)
  expect(await isHolderGone(left.replace(/[0-9a-f-]{36}/, 'another-boot'))).toBe(false)
  expect(await isHolderGone(left.replace(/\nsocket .*/, ''))).toBe(false)
  expect(await isHolderGone('nobody')).toBe(false)
  // Of another container, so that nothing else is known of it; and without a lock that the kernel knows of.
  const holder = { ...parseLockHolder(left)!, pidNamespace: 'pid:[1]', heldBy: 'text' as const }
  fs.writeFileSync(path.join(db, 'LOCK'), formatLockHolder(holder))
  const store = await open(db, SMALL)
  const own = fs.readFileSync(path.join(db, 'LOCK'), 'utf8')
  expect(await isHolderGone(own)).toBe(false)
  await store.close()
  expect(await isHolderGone(own)).toBe(false)
})

test('what a killed process left goes with the next open of any store', async () => {
  const stale = await dieWithStore(path.join(temporaryDirectory(), 'gone'))
  await withStore(async () => {
    await eventually(() => expect(fs.existsSync(stale)).toBe(false))
  })
})

test('the path of the store may be longer than that of any socket', async () => {
  const db = path.join(temporaryDirectory(), 'x'.repeat(200))
  const store = await open(db, SMALL)
  const client = await connect(db)
  expect((await client.ask('stats')).lastSequence).toBe(0)
  client.close()
  await store.close()
})

test('the directory of an open store is copied like any other, and the copy is a store of its own', async () => {
  await withStore(async (store, db) => {
    await store.put('a', 'original')
    await store.sync()
    const copy = `${db} copy`
    await fs.promises.cp(db, copy, { recursive: true })
    expect(fs.readFileSync(path.join(copy, 'LOCK'))).toEqual(fs.readFileSync(path.join(db, 'LOCK')))
    expect(await ControlClient.connect(copy), 'LOCK of the copy names the original').toBeUndefined()
    expect(await storeOwner(db)).toEqual({ pid: process.pid, isHere: true })
    expect(await storeOwner(copy)).toBeUndefined()
    const other = await open(copy, SMALL)
    expect(String(await other.get('a'))).toBe('original')
    await other.put('b', 'copy')
    const client = await connect(copy)
    expect((await client.ask('stats')).lastSequence).not.toBe(store.stats().lastSequence)
    client.close()
    await other.close()
    expect(await store.get('b')).toBeUndefined()
    const still = await connect(db)
    expect((await still.ask('stats')).lastSequence).toBe(1)
    still.close()
  })
})

test('sockets lie in a directory of the user alone, or in the next one that is, or nowhere', async () => {
  const directory = temporaryDirectory()
  const choose = (...names: string[]): SocketPlace =>
    chooseSocketPath(
      directory,
      names.map((name) => path.join(directory, name)),
    )
  fs.mkdirSync(path.join(directory, 'open'))
  fs.chmodSync(path.join(directory, 'open'), 0o755)
  fs.writeFileSync(path.join(directory, 'file'), '')
  fs.symlinkSync(temporaryDirectory(), path.join(directory, 'link'))
  const refused = ['open', 'file', 'link', 'not/there', 'x'.repeat(100), 'new\nline']
  for (const name of refused) expect(choose(name)).toHaveProperty('refused')
  const own = choose(...refused, 'own') as { path: string }
  expect(path.dirname(own.path)).toBe(path.join(directory, 'own'))
  expect(fs.lstatSync(path.dirname(own.path)).mode & 0o777).toBe(0o700)
  expect(choose('own'), 'each open has another').not.toEqual(own)

  const events = new EventEmitter()
  const warned = once(events, 'warning')
  const control = new ControlSocket({
    directory,
    socket: choose('open'),
    listen: listenOnSocket,
    events,
  })
  control.open({} as never, {} as never)
  expect(await warned).toEqual([expect.stringMatching(/no control socket: .*mode 0700.*\/open$/)])
})

test('a text in LOCK leads nowhere but to a socket of this very directory', async () => {
  await withStore(async (_store, db) => {
    const lock = path.join(db, 'LOCK')
    const text = fs.readFileSync(lock, 'utf8')
    const { base, dir } = path.parse(socketOf(db))
    const elsewhere = temporaryDirectory()
    fs.chmodSync(elsewhere, 0o755)
    for (const socket of [path.join(dir, `x${base}`), path.join(elsewhere, base), '/dev/null']) {
      fs.writeFileSync(lock, text.replace(/socket .*/, `socket ${socket}`))
      expect(() => socketOf(db)).toThrow()
      expect(await ControlClient.connect(db)).toBeUndefined()
    }
    fs.writeFileSync(lock, text)
    expect(socketOf(db)).toBe(path.join(dir, base))
  })
})
