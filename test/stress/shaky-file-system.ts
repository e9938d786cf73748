/**
 * The real file system, shaken: calls that fail now and then, or that take their time.
 *
 * Faults are those that a healthy machine knows: no descriptor left, no space, a read or a sync that fails. Pauses stop
 * the whole thread, as a stop signal would, between any two calls.
 */
import { statSync } from 'node:fs'
import { IoError } from '#dist/lib/base/errors.js'
import type { File, FileSystem, OpenMode } from '#dist/lib/base/files/file-system.js'
import { nodeFileSystem } from '#dist/lib/base/platform/node-file-system.js'
import type { Prng } from '../support/random.ts'

export interface Shakes {
  /** Asked before each call. It may throw. */
  readonly before: (call: string, path: string) => void
}

/** A call may fail: on average one of so many. A failed sync ends a life of the store, so it is rare. */
const CALLS_PER_FAULT = 800
const SYNCS_PER_FAULT = 150

const ERRNOS: Readonly<Record<string, readonly string[]>> = {
  open: ['EMFILE', 'ENFILE'],
  create: ['EMFILE', 'ENOSPC'],
  write: ['ENOSPC', 'EIO'],
  read: ['EIO'],
  unlink: ['EIO'],
  list: ['EMFILE'],
  sync: ['EIO', 'ENOSPC'],
}

/** @param syncFails called when a sync is about to fail */
export function faults(prng: Prng, isActive: () => boolean, syncFails: () => void): Shakes {
  return {
    before: (call, path) => {
      const errnos = ERRNOS[call]
      if (!errnos || !isActive()) return
      if (!prng.chance(1 / (call === 'sync' ? SYNCS_PER_FAULT : CALLS_PER_FAULT))) return
      if (call === 'sync') syncFails()
      throw new IoError(call, path, prng.pick(errnos))
    },
  }
}

const sleeper = new Int32Array(new SharedArrayBuffer(4))

/**
 * The thread stands still now and then for a moment, and once for long, where a file is opened again: what was proved
 * before and what is used now lie far apart then. It goes on when the file has lost some of its blocks.
 */
export function pauses(prng: Prng): Shakes {
  const opened = new Set<string>()
  let isRested = false
  return {
    before: (call, path) => {
      const isAgain = call === 'open' && opened.has(path)
      if (call === 'open') opened.add(path)
      if (isAgain && !isRested && prng.chance(0.3)) {
        isRested = true
        standUntilPunched(path)
      } else if (prng.chance(1 / 150)) Atomics.wait(sleeper, 0, 0, 1 + prng.below(15))
    },
  }
}

/** For a second at most. */
function standUntilPunched(path: string): void {
  const blocks = statSync(path, { throwIfNoEntry: false })?.blocks ?? 0
  for (let turns = 0; turns < 50; turns++) {
    const now = statSync(path, { throwIfNoEntry: false })?.blocks ?? 0
    if (now < blocks) return
    Atomics.wait(sleeper, 0, 0, 20)
  }
}

const FILE_CALLS: Readonly<Record<string, string>> = {
  read: 'read',
  readAsync: 'read',
  write: 'write',
  writev: 'write',
  writevAsync: 'write',
  dataSync: 'sync',
  dataSyncAsync: 'sync',
  sync: 'sync',
}

const SYSTEM_CALLS: Readonly<Record<string, string>> = {
  list: 'list',
  statPath: 'stat',
  rename: 'rename',
  unlink: 'unlink',
  unlinkAsync: 'unlink',
  syncDirectory: 'sync',
  syncDirectoryAsync: 'sync',
  freeBytes: 'stat',
}

export function shakyFileSystem(shakes: Shakes): FileSystem {
  return around(nodeFileSystem, SYSTEM_CALLS, shakes, {
    open: (path: string, mode: OpenMode) => {
      shakes.before(mode === 'create' ? 'create' : 'open', path)
      return around<File>(nodeFileSystem.open(path, mode), FILE_CALLS, shakes, {})
    },
  })
}

/** An object that asks the shakes before each of these calls. Promises are rejected, not thrown past. */
function around<T extends object>(
  target: T,
  calls: Readonly<Record<string, string>>,
  shakes: Shakes,
  own: Partial<T>,
): T {
  return new Proxy(target, {
    get: (_, name) => {
      if (Object.hasOwn(own, name)) return own[name as keyof T]
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      const call = calls[String(name)]
      return (...given: unknown[]): unknown => {
        if (call !== undefined) {
          try {
            shakes.before(call, (target as { path?: string }).path ?? String(given[0]))
          } catch (error) {
            if (String(name).endsWith('Async')) return Promise.reject(error)
            throw error
          }
        }
        return Reflect.apply(value, target, given)
      }
    },
  })
}
