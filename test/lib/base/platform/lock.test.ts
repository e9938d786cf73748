/** The writer's lock, the system's and the fallback: one holder, dropped when its process dies, refused on doubt. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import type { FileSystem, Lock, LockRefusal } from '#dist/lib/base/files/file-system.js'
import { tryFlock } from '#dist/lib/base/platform/flock.js'
import {
  formatLockHolder,
  judgeHolder,
  type LockHolder,
  parseLockHolder,
} from '#dist/lib/base/platform/lock.js'
import { lockText, NodeFileSystem } from '#dist/lib/base/platform/node-file-system.js'
import { lockStore } from '#dist/lib/base/platform/store-lock.js'
import { temporaryDirectory } from '../../../support/files/temporary-directory.ts'
import { nextLine, startModule } from '../../../support/processes/child-process.ts'

const SYSTEM = new NodeFileSystem()
const NONE = (): undefined => undefined
const FLOCK = new NodeFileSystem({ tryLock: NONE, tryFlock })
const TEXT = new NodeFileSystem({ tryLock: NONE, tryFlock: NONE })
const FLOCK_CODE = `new NodeFileSystem({
  tryLock: () => undefined,
  tryFlock: (await import(DIST + 'lib/base/platform/flock.js')).tryFlock,
})`
const TEXT_CODE = 'new NodeFileSystem({ tryLock: () => undefined, tryFlock: () => undefined })'
const KINDS: readonly (readonly [string, FileSystem, string])[] = [
  ["the system's", SYSTEM, 'new NodeFileSystem()'],
  ["the flock command's", FLOCK, FLOCK_CODE],
  ["the text's", TEXT, TEXT_CODE],
]

function lockPath(): string {
  return path.join(temporaryDirectory(), 'LOCK')
}

function taken(result: ReturnType<FileSystem['lock']>): Lock {
  if ('holder' in result) expect.fail(`held by ${result.holder}`)
  return result
}

/** Starts a process that takes the lock, says so, and waits. */
async function startHolder(file: string, fileSystem: string): Promise<ChildProcess> {
  const child = startModule(
    `const { NodeFileSystem, lockText } = await import(DIST + 'lib/base/platform/node-file-system.js')
    const lock = ${fileSystem}.lock(process.argv[1], lockText())
    console.log('holder' in lock ? 'refused' : 'held')
    process.stdin.resume()
    process.stdin.on('end', () => { lock.release(); process.exit() })`,
    file,
  )
  expect(await nextLine(child)).toBe('held')
  return child
}

describe.each(KINDS)('%s lock', (_, fileSystem, construct) => {
  test('is exclusive in one process and free after its release', () => {
    const file = lockPath()
    const lock = taken(fileSystem.lock(file, lockText()))
    expect(fileSystem.lock(file, lockText())).toMatchObject({
      holder: expect.stringContaining(`${process.pid} `),
    })
    lock.release()
    lock.release()
    expect(fs.readFileSync(file, 'utf8').trim()).toBe('')
    taken(fileSystem.lock(file, lockText())).release()
    expect(fs.readdirSync(path.dirname(file))).toEqual(['LOCK'])
  })

  test('is exclusive between processes and dropped on kill -9', async () => {
    const file = lockPath()
    const child = await startHolder(file, construct)
    expect(fileSystem.lock(file, lockText())).toMatchObject({
      holder: expect.stringContaining(`${child.pid} `),
    })
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(fs.readFileSync(file, 'utf8').trim()).not.toBe('')
    taken(fileSystem.lock(file, lockText())).release()
  })

  test('is free when its process has released it and ended', async () => {
    const file = lockPath()
    const child = await startHolder(file, construct)
    child.stdin?.end()
    await once(child, 'exit')
    taken(fileSystem.lock(file, lockText())).release()
  })
})

test('each kind respects the others', () => {
  const file = lockPath()
  for (const first of [SYSTEM, FLOCK, TEXT]) {
    for (const second of [SYSTEM, FLOCK, TEXT]) {
      const lock = taken(first.lock(file, lockText()))
      expect(second.lock(file, lockText())).toMatchObject({ isSelf: true, inDoubt: false })
      lock.release()
      taken(second.lock(file, lockText())).release()
    }
  }
})

test('a file that was put in the place of a locked one is another lock', () => {
  for (const fileSystem of [SYSTEM, FLOCK, TEXT]) {
    const file = lockPath()
    const lock = taken(fileSystem.lock(file, lockText()))
    const text = fs.readFileSync(file)
    fs.rmSync(file)
    // As a restored snapshot or a copy has it: the text of somebody who lives, and who has another file open.
    fs.writeFileSync(file, text)
    const next = taken(fileSystem.lock(file, lockText()))
    lock.release()
    const left = fs.readFileSync(file, 'utf8').trim()
    expect(left, 'the old one leaves the new one alone').not.toBe('')
    next.release()
  }
})

test.each([
  ["the system's", 'new NodeFileSystem()'],
  ["the flock command's", FLOCK_CODE],
  ["the text's", TEXT_CODE],
])('a thread of this process that was terminated has lost %s lock', async (_, construct) => {
  const file = lockPath()
  const DIST = new URL('../../../../dist/', import.meta.url).href
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    const { DIST, file } = workerData
    import(DIST + 'lib/base/platform/node-file-system.js').then(async ({ NodeFileSystem, lockText }) => {
      const taken = (${construct}).lock(file, lockText())
      parentPort.postMessage('release' in taken)
      setInterval(() => taken, 1000)
    })`
  const worker = new Worker(code, { eval: true, workerData: { DIST, file } })
  expect(await new Promise((resolve) => worker.once('message', resolve))).toBe(true)
  for (const fileSystem of [SYSTEM, FLOCK, TEXT]) {
    expect(fileSystem.lock(file, lockText())).toMatchObject({ isSelf: true })
  }
  await worker.terminate()
  for (const fileSystem of [TEXT, FLOCK, SYSTEM]) {
    const text = fs.readFileSync(file)
    taken(fileSystem.lock(file, lockText())).release()
    fs.writeFileSync(file, text)
  }
})

describe('the lock of the text is refused', () => {
  test('for a text that nobody understands', () => {
    const file = lockPath()
    fs.writeFileSync(file, 'somebody\n')
    expect(TEXT.lock(file, lockText())).toMatchObject({ holder: 'somebody', inDoubt: true })
    expect(fs.readFileSync(file, 'utf8')).toBe('somebody\n')
  })

  test('while another process takes it, and when one died while it did', () => {
    const file = lockPath()
    fs.writeFileSync(`${file}.guard`, '')
    for (const fileSystem of [TEXT, FLOCK]) {
      expect(fileSystem.lock(file, lockText())).toMatchObject({
        holder: expect.stringContaining(`${file}.guard`),
        inDoubt: true,
      })
    }
    // The kernel says that nobody is doing so now.
    const self = parseLockHolder(lockText())!
    fs.writeFileSync(`${file}.guard`, formatLockHolder({ ...self, heldBy: 'flock' }))
    expect(TEXT.lock(file, lockText())).toHaveProperty('holder')
    taken(FLOCK.lock(file, lockText())).release()
    taken(TEXT.lock(file, lockText())).release()
  })

  test('for a holder on another host, not for one from before a restart of this host', () => {
    const file = lockPath()
    const self: LockHolder = { ...parseLockHolder(lockText())!, heldBy: 'text' }
    const elsewhere = { ...self, hostName: 'elsewhere', bootId: 'other' }
    fs.writeFileSync(file, formatLockHolder(elsewhere))
    for (const fileSystem of [TEXT, FLOCK, SYSTEM]) {
      expect(fileSystem.lock(file, lockText())).toMatchObject({ inDoubt: true, isSelf: false })
    }
    // What flock(2) held is free when flock(2) gives it.
    fs.writeFileSync(file, formatLockHolder({ ...elsewhere, heldBy: 'flock' }))
    expect(TEXT.lock(file, lockText())).toHaveProperty('holder')
    for (const fileSystem of [FLOCK, SYSTEM]) {
      fs.writeFileSync(file, formatLockHolder({ ...elsewhere, heldBy: 'flock' }))
      taken(fileSystem.lock(file, lockText())).release()
    }
    fs.writeFileSync(file, formatLockHolder({ ...self, bootId: 'earlier' }))
    taken(TEXT.lock(file, lockText())).release()
  })

  test('of a container that is killed and made anew under another name', async () => {
    const file = lockPath()
    const child = await startHolder(file, TEXT_CODE)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const left = parseLockHolder(fs.readFileSync(file, 'utf8'))!
    for (const fileSystem of [TEXT, FLOCK, SYSTEM]) {
      fs.writeFileSync(file, formatLockHolder({ ...left, hostName: 'former' }))
      taken(fileSystem.lock(file, lockText())).release()
      // With process ids of its own nothing is proved, and only a kernel's lock would be.
      fs.writeFileSync(file, formatLockHolder({ ...left, pidNamespace: 'pid:[1]' }))
      const refused = fileSystem.lock(file, lockText()) as LockRefusal
      expect(refused).toMatchObject({ inDoubt: true })
      // Somebody else knows it.
      taken(fileSystem.lock(file, lockText(), refused.holder)).release()
      fs.writeFileSync(file, formatLockHolder({ ...left, pidNamespace: 'pid:[2]' }))
      expect(fileSystem.lock(file, lockText(), refused.holder)).toHaveProperty('holder')
    }
  })
})

test('the error says who, where, since when, and what to do', async () => {
  const holder = formatLockHolder({ ...parseLockHolder(lockText())!, pid: 7, hostName: 'c1' })
  const refusedBy = (refusal: LockRefusal): Promise<unknown> =>
    lockStore({ lock: () => refusal } as unknown as FileSystem, '/db', 'close it there')
  const refusal = { holder, inDoubt: true, since: '2026-11-29T10:00:00.000Z' }
  await expect(refusedBy(refusal)).rejects.toMatchObject({
    code: 'WISC_LOCKED',
    message:
      'another process has the store open already, or had it and is gone, which nobody can prove from here: ' +
      'if you know it, empty or remove the named file: close it there ' +
      'lock=/db/LOCK host=c1 since=2026-11-29T10:00:00.000Z pid=7',
  })
  await expect(refusedBy({ holder: 'x', isSelf: true })).rejects.toThrow(
    'this process has the store open already: close it there lock=/db/LOCK holder="x"',
  )
})

describe('holders', () => {
  const self: LockHolder = {
    pid: 100,
    startTime: '5000',
    bootId: 'boot',
    hostName: 'host',
    pidNamespace: 'pid:[1]',
    heldBy: 'text',
    socket: undefined,
  }

  test.each<
    [Partial<LockHolder>, { alive: boolean; startTime?: string; hasFileOpen?: boolean }, string]
  >([
    [{}, { alive: true, startTime: '5000' }, 'alive'],
    [{}, { alive: true, startTime: '5001' }, 'dead'],
    [{}, { alive: true }, 'unknown'],
    [{}, { alive: false }, 'dead'],
    [{ startTime: '-' }, { alive: true, startTime: '5000' }, 'unknown'],
    [{ startTime: '-' }, { alive: false }, 'dead'],
    [{ bootId: 'other' }, { alive: true, startTime: '5000' }, 'dead'],
    [{ bootId: '-' }, { alive: false }, 'unknown'],
    [{ bootId: 'other', hostName: 'other' }, { alive: false }, 'unknown'],
    [{ hostName: 'other' }, { alive: false }, 'dead'],
    [{}, { alive: true, startTime: '5000', hasFileOpen: true }, 'alive'],
    [{}, { alive: true, startTime: '5000', hasFileOpen: false }, 'dead'],
    [{ startTime: '-' }, { alive: true, hasFileOpen: false }, 'dead'],
    [{ pidNamespace: 'pid:[2]' }, { alive: false }, 'unknown'],
  ])('%j with %j is %s', (change, state, expected) => {
    const stateOf = (): never => ({ startTime: undefined, ...state }) as never
    expect(judgeHolder({ ...self, ...change }, { self, stateOf })).toBe(expected)
  })

  test('the text is read back; anything else is none', () => {
    expect(parseLockHolder(formatLockHolder(self))).toEqual(self)
    const odd: LockHolder = {
      ...self,
      hostName: 'my host',
      startTime: '',
      heldBy: 'flock',
      socket: '/run/my user/1.sock',
    }
    const read = { ...odd, hostName: 'my_host', startTime: '-' }
    expect(parseLockHolder(formatLockHolder(odd))).toEqual(read)
    for (const text of ['', '\n', '0 1 b h n', '-1 1 b h n', '1 2 3 4', '1 2 3 4 5 6']) {
      expect(parseLockHolder(text), JSON.stringify(text)).toBeUndefined()
    }
    // Empty lines are what a longer text has left.
    expect(parseLockHolder('1 2 3 4 5\n\n')).toMatchObject({ pid: 1, pidNamespace: '5' })
    const mine = parseLockHolder(lockText())
    expect(mine).toMatchObject({ pid: process.pid, heldBy: 'system' })
    expect(parseLockHolder(lockText('/a/b'))).toMatchObject({ socket: '/a/b' })
  })
})
