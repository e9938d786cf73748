/**
 * The lock file on the real file system, and what the platform tells of processes. The rules are lock.ts's.
 */
import fs from 'node:fs'
import { hostname } from 'node:os'
import { assert, IoError } from './errors.ts'
import {
  formatLockHolder,
  judgeHolder,
  type LockFile,
  type LockHolder,
  type ProcessState,
} from './lock.ts'
import type { TryLock } from './native-extensions.ts'
import { CREATE_FLAGS, FILE_MODE, openRegular, READ_WRITE_FLAGS } from './node-file.ts'

const TEXT_BYTES_MAX = 1024

export class NodeLockFile implements LockFile {
  readonly self: LockHolder = processIdentity()
  readonly #path: string
  readonly #descriptor: number
  readonly #tryLock: TryLock

  constructor(path: string, tryLock: TryLock) {
    this.#path = path
    this.#descriptor = openRegular(path, READ_WRITE_FLAGS)
    assert(this.#descriptor > 2, 'descriptor is none of the standard streams')
    this.#tryLock = tryLock
  }

  stateOf(pid: number): ProcessState {
    return processState(pid)
  }

  tryLock(): boolean | undefined {
    return this.#tryLock(this.#descriptor)
  }

  readText(): string {
    const bytes = Buffer.alloc(TEXT_BYTES_MAX)
    return bytes.toString('utf8', 0, fs.readSync(this.#descriptor, bytes, 0, bytes.length, 0))
  }

  writeText(text: string): void {
    fs.ftruncateSync(this.#descriptor, 0)
    const bytes = Buffer.from(text)
    if (fs.writeSync(this.#descriptor, bytes, 0, bytes.length, 0) !== bytes.length) {
      throw new IoError('lock', this.#path, 'ENOSPC')
    }
  }

  /** A process that dies inside leaves the guard, and the lock is refused until somebody removes it. */
  guarded<T>(body: () => T): T | undefined {
    const guard = `${this.#path}.guard`
    try {
      fs.closeSync(fs.openSync(guard, CREATE_FLAGS, FILE_MODE))
    } catch (error) {
      if ((error as { code?: unknown }).code === 'EEXIST') return undefined
      throw error
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

/** The line that the running process leaves in the lock file. */
export function lockText(): string {
  return formatLockHolder(processIdentity())
}

/** Whether the holder that a lock file names still lives, as far as can be said from here. */
export function stateOfHolder(holder: LockHolder): ReturnType<typeof judgeHolder> {
  return judgeHolder(holder, { self: processIdentity(), stateOf: processState })
}

function processIdentity(): LockHolder {
  return {
    pid: process.pid,
    startTime: processStartTime(process.pid) ?? '-',
    bootId: readOrElse(
      () => fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(),
      '-',
    ),
    hostName: hostname(),
    pidNamespace: readOrElse(() => fs.readlinkSync('/proc/self/ns/pid'), '-'),
    exclusive: false,
  }
}

function processState(pid: number): ProcessState {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // Anything else, such as EPERM, says that the process is there.
    if ((error as { code?: unknown }).code === 'ESRCH') return { alive: false }
  }
  return { alive: true, startTime: processStartTime(pid) }
}

/** Field 22 of /proc/PID/stat. The second field, a name in parentheses, may hold spaces and parentheses. */
function processStartTime(pid: number): string | undefined {
  const stat = readOrElse(() => fs.readFileSync(`/proc/${pid}/stat`, 'latin1'), '')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[22 - 3]
}

/** What /proc tells, where there is one. */
function readOrElse(read: () => string, otherwise: string): string {
  try {
    return read()
  } catch {
    return otherwise
  }
}
