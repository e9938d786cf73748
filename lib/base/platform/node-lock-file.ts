/**
 * The lock file on the real file system, and what the platform tells of processes. The rules are lock.ts's.
 */
import fs from 'node:fs'
import { hostname } from 'node:os'
import { assert } from '../errors.ts'
import type { LockRefusal } from '../files/file-system.ts'
import type { TryFlock } from './flock.ts'
import {
  formatLockHolder,
  type HeldBy,
  judgeHolder,
  LOCK_TEXT_BYTES_MAX,
  type LockFile,
  type LockHolder,
  type ProcessState,
  parseLockHolder,
} from './lock.ts'
import type { TryLock } from './native-extensions.ts'
import {
  attempt,
  CREATE_FLAGS,
  FILE_MODE,
  OPEN_FLAGS,
  openRegular,
  READ_WRITE_FLAGS,
} from './node-file.ts'

/** Which locks there are: the system's; a test passes functions that answer undefined to have the fallbacks. */
export interface LockKinds {
  readonly tryLock: TryLock
  readonly tryFlock: TryFlock
}

export class NodeLockFile implements LockFile {
  readonly self: LockHolder = processIdentity()
  readonly #path: string
  readonly #descriptor: number
  readonly #kinds: LockKinds
  readonly #fileMode: number

  constructor(path: string, kinds: LockKinds, fileMode: number) {
    this.#path = path
    this.#fileMode = fileMode
    this.#descriptor = openRegular(path, READ_WRITE_FLAGS, fileMode)
    assert(this.#descriptor > 2, 'descriptor is none of the standard streams')
    this.#kinds = kinds
  }

  stateOf(pid: number): ProcessState {
    return processState(pid, fs.fstatSync(this.#descriptor), this.#descriptor)
  }

  tryLock(): boolean | undefined {
    return this.#kinds.tryLock(this.#descriptor)
  }

  tryFlock(): boolean | undefined {
    return this.#kinds.tryFlock(this.#descriptor)
  }

  /** Whether the path still names this file. */
  isInPlace(): boolean {
    const there = fs.lstatSync(this.#path, { throwIfNoEntry: false })
    return there !== undefined && isSameFile(there, fs.fstatSync(this.#descriptor))
  }

  /** When it was last written, for people. */
  writtenAt(): string {
    return fs.fstatSync(this.#descriptor).mtime.toISOString()
  }

  readText(): string {
    return readText(this.#descriptor)
  }

  /** In place, and never shorter: what the file has on a full disk is enough for the next text, too. */
  writeText(text: string): boolean {
    const size = Math.min(fs.fstatSync(this.#descriptor).size, LOCK_TEXT_BYTES_MAX)
    const bytes = Buffer.alloc(Math.max(size, Buffer.byteLength(text)), '\n')
    bytes.write(text)
    if (writeIfRoom(this.#descriptor, bytes)) return true
    fs.ftruncateSync(this.#descriptor, 0)
    return false
  }

  /**
   * A process that dies inside leaves the guard. Who holds flock(2) may remove one of that kind; else the lock is
   * refused until somebody does.
   */
  guarded<T>(heldBy: HeldBy, body: () => T): T | LockRefusal {
    const guard = `${this.#path}.guard`
    const text = formatLockHolder({ ...this.self, heldBy })
    const mode = this.#fileMode
    const isMade =
      createExclusively(guard, text, mode) ||
      (heldBy === 'flock' && replaceOwnKind(guard, text, mode))
    if (!isMade) {
      const holder = `a process that is opening it, or died while it did and left ${guard}`
      return { holder, inDoubt: true }
    }
    try {
      return body()
    } finally {
      fs.unlinkSync(guard)
    }
  }

  close(): void {
    fs.closeSync(this.#descriptor)
  }
}

/** @returns false if the name exists */
function createExclusively(path: string, text: string, fileMode: number): boolean {
  let descriptor: number
  try {
    descriptor = fs.openSync(path, CREATE_FLAGS, fileMode)
  } catch (error) {
    if ((error as { code?: unknown }).code === 'EEXIST') return false
    throw error
  }
  try {
    // Without room for it there is no text: the name alone is the guard, and lasts as long as its process looks.
    writeIfRoom(descriptor, Buffer.from(text))
  } finally {
    fs.closeSync(descriptor)
  }
  return true
}

/** Writes to the beginning of a file. @returns false if the disk has no room for all of it */
function writeIfRoom(descriptor: number, bytes: Uint8Array): boolean {
  try {
    return fs.writeSync(descriptor, bytes, 0, bytes.length, 0) === bytes.length
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (code === 'ENOSPC' || code === 'EDQUOT') return false
    throw error
  }
}

/** Requires: flock(2) is held, so whoever made a guard of this kind is gone. */
function replaceOwnKind(guard: string, text: string, fileMode: number): boolean {
  const found = readOrElse(() => fs.readFileSync(guard, 'utf8'), '')
  if (parseLockHolder(found)?.heldBy !== 'flock') return false
  fs.unlinkSync(guard)
  return createExclusively(guard, text, fileMode)
}

function readText(descriptor: number): string {
  const bytes = Buffer.alloc(LOCK_TEXT_BYTES_MAX)
  return bytes.toString('utf8', 0, fs.readSync(descriptor, bytes, 0, bytes.length, 0))
}

/**
 * The text of a lock file that is only looked at, and whose file it is.
 * @throws IoError, for what is no regular file, too
 */
export function readLockFile(path: string): { readonly text: string; readonly userId: number } {
  return attempt('open', path, () => {
    const descriptor = openRegular(path, OPEN_FLAGS.read, FILE_MODE)
    try {
      return { text: readText(descriptor), userId: fs.fstatSync(descriptor).uid }
    } finally {
      fs.closeSync(descriptor)
    }
  })
}

/** The text that the running process leaves in the lock file. @param socket where it answers the command */
export function lockText(socket?: string): string {
  return formatLockHolder({ ...processIdentity(), socket })
}

/** Whether the holder that the text of a lock file names lives, and holds that very file, as far as can be seen. */
export function stateOfHolder(holder: LockHolder, path: string): ReturnType<typeof judgeHolder> {
  const lock = readOrElse(() => fs.statSync(path), undefined)
  return judgeHolder(holder, {
    self: processIdentity(),
    stateOf: (pid) => processState(pid, lock, undefined),
  })
}

/** What the running process calls itself. */
export function processIdentity(): LockHolder {
  return {
    pid: process.pid,
    startTime: ofProcess.startTime() ?? '-',
    bootId: ofProcess.bootId() ?? '-',
    hostName: hostname(),
    pidNamespace: ofProcess.pidNamespace() ?? '-',
    heldBy: 'system',
    socket: undefined,
  }
}

/** What stays the same as long as a process lives is read once: each of these files costs as much as a small write. */
const ofProcess = {
  startTime: once(() => processStartTime(process.pid)),
  bootId: once(() =>
    readOrElse(
      () => fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(),
      undefined,
    ),
  ),
  pidNamespace: once(() => readOrElse(() => fs.readlinkSync('/proc/self/ns/pid'), undefined)),
}

/** Keeps what was read; what could not be read is asked for again. */
function once(read: () => string | undefined): () => string | undefined {
  let known: string | undefined
  return () => (known ??= read())
}

/** False only if there is no process of this number: any other error, such as EPERM, says that there is one. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as { code?: unknown }).code !== 'ESRCH'
  }
}

/**
 * @param lock what the lock file is, as far as it is known
 * @param ours our own descriptor of it
 */
function processState(
  pid: number,
  lock: fs.Stats | undefined,
  ours: number | undefined,
): ProcessState {
  if (!isAlive(pid)) return { alive: false }
  const hasFileOpen = lock && readOrElse(() => hasOpen(pid, lock, ours), undefined)
  return { alive: true, startTime: processStartTime(pid), hasFileOpen }
}

/**
 * Whether a process has a file open under another descriptor than ours. It tells of threads, which share the id of
 * their process: the descriptors of one that was terminated are closed.
 * @throws where it cannot be seen
 */
function hasOpen(pid: number, wanted: fs.Stats, ours: number | undefined): boolean {
  return fs.readdirSync(`/proc/${pid}/fd`).some((name) => {
    if (pid === process.pid && name === String(ours)) return false
    const stat = fs.statSync(`/proc/${pid}/fd/${name}`, { throwIfNoEntry: false })
    return stat !== undefined && isSameFile(stat, wanted)
  })
}

function isSameFile(one: fs.Stats, other: fs.Stats): boolean {
  return one.ino === other.ino && one.dev === other.dev
}

/** Field 22 of /proc/PID/stat. The second field, a name in parentheses, may hold spaces and parentheses. */
function processStartTime(pid: number): string | undefined {
  const stat = readOrElse(() => fs.readFileSync(`/proc/${pid}/stat`, 'latin1'), '')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[22 - 3]
}

/** What /proc tells, where there is one. */
function readOrElse<T>(read: () => T, otherwise: T): T {
  try {
    return read()
  } catch {
    return otherwise
  }
}
