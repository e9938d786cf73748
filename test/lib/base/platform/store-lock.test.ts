/** Each taker of the writer's lock brings the same proofs: to open, to remove orphans, to salvage. */
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { tryFlock } from '#dist/lib/base/platform/flock.js'
import { formatLockHolder, parseLockHolder } from '#dist/lib/base/platform/lock.js'
import { lockText } from '#dist/lib/base/platform/node-file-system.js'
import { lockStoreQuietly } from '#dist/lib/base/platform/store-lock.js'
import { open } from '#dist/lib/index.js'
import { refuseInUse, removeOrphans } from '#dist/lib/inspect/orphans.js'
import { storeOwner } from '#dist/lib/inspect/owner/store-owner.js'
import { keepWritersAway } from '#dist/lib/inspect/salvage/salvage-files.js'
import { temporaryDirectory } from '../../../support/files/temporary-directory.ts'
import { dieWithStore } from '../../../support/processes/control-socket.ts'

// Sockets of their own: opens in other tests would remove what a process has left.
beforeEach(() => {
  vi.stubEnv('XDG_RUNTIME_DIR', temporaryDirectory())
  return () => vi.unstubAllEnvs()
})

/** A store whose process was killed in another container: only the socket that it has left tells. */
async function storeOfDoubtful(): Promise<{ db: string; socket: string; text: string }> {
  const db = path.join(temporaryDirectory(), 'store')
  const socket = await dieWithStore(db)
  const left = parseLockHolder(fs.readFileSync(path.join(db, 'LOCK'), 'utf8'))!
  const text = formatLockHolder({ ...left, pidNamespace: 'pid:[1]', heldBy: 'text' })
  fs.writeFileSync(path.join(db, 'LOCK'), text)
  return { db, socket, text }
}

/** Each leaves the lock as free as it was. */
const TAKERS: Readonly<Record<string, (db: string) => Promise<unknown>>> = {
  open: async (db) => (await open(db, { workers: 0, createIfMissing: false })).close(),
  'orphans --delete': (db) => removeOrphans(db, []),
  'orphans, before it asks': refuseInUse,
  salvage: async (db) => (await keepWritersAway(db)).release(),
}

describe.each(Object.keys(TAKERS))('%s', (name) => {
  const take = TAKERS[name]!

  test('takes the lock of a holder in doubt whose socket refuses', async () => {
    const { db } = await storeOfDoubtful()
    await take(db)
  })

  test('leaves it to one that listens, and to one whose socket is not to be seen', async () => {
    const { db, socket, text } = await storeOfDoubtful()
    fs.unlinkSync(socket)
    const refused = { code: 'WISC_LOCKED', message: expect.stringMatching(/nobody can prove/) }
    await expect(take(db), 'not to be seen').rejects.toMatchObject(refused)
    const server = net.createServer((connection) => connection.destroy())
    await new Promise<void>((resolve) => server.listen(socket, resolve))
    await expect(take(db), 'listens').rejects.toMatchObject(refused)
    await new Promise((resolve) => server.close(resolve))
    expect(fs.readFileSync(path.join(db, 'LOCK'), 'utf8')).toBe(text)
  })
})

test('the owner of a store is nobody when its socket refuses, and somebody in any doubt', async () => {
  const { db, socket, text } = await storeOfDoubtful()
  expect(await storeOwner(db)).toBeUndefined()
  fs.unlinkSync(socket)
  expect(await storeOwner(db)).toEqual({ pid: parseLockHolder(text)!.pid, isHere: false })
})

test.each([
  ["the system's", undefined],
  ["the flock command's", { tryLock: () => undefined, tryFlock }],
  ["the text's", { tryLock: () => undefined, tryFlock: () => undefined }],
])('%s quiet lock writes nothing and keeps to the same proof', async (_, kinds) => {
  const { db, text } = await storeOfDoubtful()
  const lock = await lockStoreQuietly(db, 'later', kinds)
  lock.release()
  expect(fs.readFileSync(path.join(db, 'LOCK'), 'utf8')).toBe(text)
  const file = fs.openSync(path.join(db, 'LOCK'), 'r')
  const alive = formatLockHolder({ ...parseLockHolder(lockText())!, heldBy: 'text' })
  fs.writeFileSync(path.join(db, 'LOCK'), alive)
  await expect(lockStoreQuietly(db, 'later', kinds)).rejects.toMatchObject({ code: 'WISC_LOCKED' })
  fs.closeSync(file)
})
