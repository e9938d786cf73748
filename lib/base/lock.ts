/**
 * The writer's lock: how it is taken, and the text of its file.
 *
 *   pid processStartTime bootId hostName pidNamespace [exclusive]\n
 *
 * Five words, "-" for what the platform does not tell. Normally the system holds the lock
 * (native-extensions.ts) and the text only names the holder for people. Where there is no such lock the text
 * itself is the lock, says so with its sixth word, and these rules hold: an empty file is free, a holder
 * that is proved dead has lost the lock, and any doubt counts as held. Both kinds respect the sixth word.
 * No clock and no modification time takes part. The file is never unlinked; release empties it.
 */
import type { Lock } from './file-system.ts'

export interface LockHolder {
  readonly pid: number
  /** In the kernel's own unit; only compared. */
  readonly startTime: string
  readonly bootId: string
  readonly hostName: string
  /** Process ids mean nothing outside their namespace: containers may share host name and boot id. */
  readonly pidNamespace: string
  /** The text is the lock; without it the system holds one, and the text only tells of it. */
  readonly exclusive: boolean
}

/** What is known of a process id on this machine now. `startTime` is undefined where it cannot be read. */
export type ProcessState =
  | { readonly alive: false }
  | { readonly alive: true; readonly startTime: string | undefined }

/** What {@link takeLock} needs of the platform, for one open lock file. */
export interface LockFile {
  /** The asking process. */
  readonly self: LockHolder
  stateOf(pid: number): ProcessState
  /** The system's lock on the file; undefined where there is none. */
  tryLock(): boolean | undefined
  readText(): string
  writeText(text: string): void
  /** Runs `body` while no other process runs one for this file. @returns undefined if another does */
  guarded<T>(body: () => T): T | undefined
  close(): void
}

/**
 * Takes the lock and leaves `text` in its file.
 * @returns the lock, or the text of the one who holds it; then the file is still the caller's to close
 */
export function takeLock(file: LockFile, text: string): Lock | { readonly holder: string } {
  const locked = file.tryLock()
  if (locked === false) return { holder: file.readText().trim() || 'unknown' }
  if (locked === undefined) {
    return file.guarded(() => takeExclusively(file)) ?? { holder: 'a process that is opening it' }
  }
  const found = file.readText()
  return isFreeByText(found, true, file) ? heldLock(file, text) : { holder: found.trim() }
}

function takeExclusively(file: LockFile): Lock | { readonly holder: string } {
  const found = file.readText()
  if (!isFreeByText(found, false, file)) return { holder: found.trim() }
  return heldLock(file, formatLockHolder({ ...file.self, exclusive: true }))
}

/**
 * Whether the text of a lock file lets somebody take the lock. Under the system's lock only an exclusive holder counts,
 * for that one may have had no such lock; without it everyone who is not proved dead.
 */
export function isFreeByText(
  text: string,
  hasSystemLock: boolean,
  here: Parameters<typeof judgeHolder>[1],
): boolean {
  if (text === '') return true
  const holder = parseLockHolder(text)
  if (hasSystemLock && !holder?.exclusive) return true
  return holder !== undefined && judgeHolder(holder, here) === 'dead'
}

function heldLock(file: LockFile, text: string): Lock {
  file.writeText(text)
  let held = true
  return {
    release: () => {
      if (!held) return
      held = false
      try {
        file.writeText('')
      } finally {
        file.close()
      }
    },
  }
}

export function formatLockHolder(holder: LockHolder): string {
  const words = [holder.startTime, holder.bootId, holder.hostName, holder.pidNamespace]
  const text = words.map((word) => word.replaceAll(/\s+/g, '_') || '-').join(' ')
  return `${holder.pid} ${text}${holder.exclusive ? ' exclusive' : ''}\n`
}

/** The holder, or undefined for a text that is none. */
export function parseLockHolder(text: string): LockHolder | undefined {
  const match = /^([1-9]\d{0,9}) (\S+) (\S+) (\S+) (\S+)( exclusive)?\n?$/.exec(text)
  if (!match) return undefined
  return {
    pid: Number(match[1]),
    startTime: match[2]!,
    bootId: match[3]!,
    hostName: match[4]!,
    pidNamespace: match[5]!,
    exclusive: match[6] !== undefined,
  }
}

/** Whether a holder lives, lives no more, or nobody can say from here. */
export function judgeHolder(
  holder: LockHolder,
  here: Pick<LockFile, 'self' | 'stateOf'>,
): 'alive' | 'dead' | 'unknown' {
  const { self } = here
  if (holder.hostName !== self.hostName) return 'unknown'
  if (holder.bootId !== self.bootId) {
    // The same host after a restart; where there are no boot ids, nothing is proved.
    return holder.bootId === '-' || self.bootId === '-' ? 'unknown' : 'dead'
  }
  if (holder.pidNamespace !== self.pidNamespace) return 'unknown'
  const state = here.stateOf(holder.pid)
  if (!state.alive) return 'dead'
  if (state.startTime === undefined || holder.startTime === '-') return 'unknown'
  return state.startTime === holder.startTime ? 'alive' : 'dead'
}
