/** The writer's lock, the system's and the fallback: one holder, dropped when its process dies, refused on doubt. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { FileSystem, Lock } from '#dist/lib/base/file-system.js'
import {
  formatLockHolder,
  judgeHolder,
  type LockHolder,
  parseLockHolder,
} from '#dist/lib/base/lock.js'
import { lockText, NodeFileSystem } from '#dist/lib/base/node-file-system.js'
import { nextLine, startModule } from '../../support/child-process.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const SYSTEM = new NodeFileSystem()
const FALLBACK = new NodeFileSystem(() => undefined)
const KINDS: readonly (readonly [string, FileSystem, string])[] = [
  ["the system's", SYSTEM, 'new NodeFileSystem()'],
  ['the fallback', FALLBACK, 'new NodeFileSystem(() => undefined)'],
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
    `const { NodeFileSystem, lockText } = await import(DIST + 'lib/base/node-file-system.js')
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
    expect(fs.readFileSync(file, 'utf8')).toBe('')
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
    expect(fs.readFileSync(file, 'utf8')).not.toBe('')
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

test('each kind respects the other one', () => {
  const file = lockPath()
  for (const [first, second] of [
    [SYSTEM, FALLBACK],
    [FALLBACK, SYSTEM],
  ] as const) {
    const lock = taken(first.lock(file, lockText()))
    expect(second.lock(file, lockText())).toHaveProperty('holder')
    lock.release()
    taken(second.lock(file, lockText())).release()
  }
})

describe('the fallback lock is refused', () => {
  test('for a text that nobody understands', () => {
    const file = lockPath()
    fs.writeFileSync(file, 'somebody\n')
    expect(FALLBACK.lock(file, lockText())).toEqual({ holder: 'somebody' })
    expect(fs.readFileSync(file, 'utf8')).toBe('somebody\n')
  })

  test('while another process takes it, and when one died while it did', () => {
    const file = lockPath()
    fs.writeFileSync(`${file}.guard`, '')
    expect(FALLBACK.lock(file, lockText())).toHaveProperty('holder')
    fs.unlinkSync(`${file}.guard`)
    taken(FALLBACK.lock(file, lockText())).release()
  })

  test('for a holder on another host, not for one from before a restart of this host', () => {
    const file = lockPath()
    const self = parseLockHolder(lockText())!
    fs.writeFileSync(file, formatLockHolder({ ...self, hostName: 'elsewhere', exclusive: true }))
    expect(FALLBACK.lock(file, lockText())).toHaveProperty('holder')
    expect(SYSTEM.lock(file, lockText())).toHaveProperty('holder')
    fs.writeFileSync(file, formatLockHolder({ ...self, bootId: 'earlier', exclusive: true }))
    taken(FALLBACK.lock(file, lockText())).release()
  })
})

describe('holders', () => {
  const self: LockHolder = {
    pid: 100,
    startTime: '5000',
    bootId: 'boot',
    hostName: 'host',
    pidNamespace: 'pid:[1]',
    exclusive: true,
  }

  test.each<[Partial<LockHolder>, { alive: boolean; startTime?: string }, string]>([
    [{}, { alive: true, startTime: '5000' }, 'alive'],
    [{}, { alive: true, startTime: '5001' }, 'dead'],
    [{}, { alive: true }, 'unknown'],
    [{}, { alive: false }, 'dead'],
    [{ startTime: '-' }, { alive: true, startTime: '5000' }, 'unknown'],
    [{ startTime: '-' }, { alive: false }, 'dead'],
    [{ bootId: 'other' }, { alive: true, startTime: '5000' }, 'dead'],
    [{ bootId: '-' }, { alive: false }, 'unknown'],
    [{ hostName: 'other' }, { alive: false }, 'unknown'],
    [{ pidNamespace: 'pid:[2]' }, { alive: false }, 'unknown'],
  ])('%j with %j is %s', (change, state, expected) => {
    const stateOf = (): never => ({ startTime: undefined, ...state }) as never
    expect(judgeHolder({ ...self, ...change }, { self, stateOf })).toBe(expected)
  })

  test('the text is read back; anything else is none', () => {
    expect(parseLockHolder(formatLockHolder(self))).toEqual(self)
    const odd = { ...self, hostName: 'my host', startTime: '', exclusive: false }
    const read = { ...odd, hostName: 'my_host', startTime: '-' }
    expect(parseLockHolder(formatLockHolder(odd))).toEqual(read)
    for (const text of [
      '',
      '\n',
      '0 1 b h n',
      '-1 1 b h n',
      '1 2 3 4',
      '1 2 3 4 5 6',
      '1 2 3 4 5\n\n',
    ]) {
      expect(parseLockHolder(text), JSON.stringify(text)).toBeUndefined()
    }
    const mine = parseLockHolder(lockText())
    expect(mine).toMatchObject({ pid: process.pid, exclusive: false })
  })
})
