/**
 * The writer's lock: how it is taken, and the text of its file.
 *
 *   pid processStartTime bootId hostName pidNamespace [flock | exclusive]\n
 *   [socket PATH\n]
 *
 * Five words, "-" for what the platform does not tell; the second line is where the holder answers the wisc command.
 * Normally the system holds the lock (native-extensions.ts) and the text only names the holder. Without that package
 * flock(2) is asked for, through the command of that name, and the sixth word says so, since locks of the two kinds do
 * not see each other. Without both the text itself is the lock ("exclusive"). For whoever cannot ask the kernel for
 * the lock of a holder's kind these rules hold: an empty file is free, a holder that is proved dead has lost the lock,
 * and any doubt counts as held. No clock and no modification time takes part. The file is never unlinked and never
 * becomes shorter: release leaves empty lines, so that on a full disk the next text has its place.
 */
import { WiscError } from '../errors.ts'
import type { Lock, LockRefusal } from '../files/file-system.ts'

/** Bytes; more than any text of the file has. */
export const LOCK_TEXT_BYTES_MAX = 1024

export interface LockHolder {
  readonly pid: number
  /** In the kernel's own unit; only compared. */
  readonly startTime: string
  readonly bootId: string
  readonly hostName: string
  /** Process ids mean nothing outside their namespace: containers may share host name and boot id. */
  readonly pidNamespace: string
  readonly heldBy: HeldBy
  /** Where it answers the wisc command, or would. */
  readonly socket: string | undefined
}

/** What holds a lock: the system, which the text only tells of; flock(2); the text itself. */
export type HeldBy = 'system' | 'flock' | 'text'

/**
 * What is known of a process id on this machine now. `startTime` is undefined where it cannot be read. Whoever holds
 * the lock has its file open: `hasFileOpen` is undefined if that cannot be seen.
 */
export type ProcessState =
  | { readonly alive: false }
  | {
      readonly alive: true
      readonly startTime: string | undefined
      readonly hasFileOpen?: boolean | undefined
    }

/** What {@link takeLock} needs of the platform, for one open lock file. */
export interface LockFile {
  /** The asking process. */
  readonly self: LockHolder
  stateOf(pid: number): ProcessState
  /** The system's lock on the file; undefined where there is none. */
  tryLock(): boolean | undefined
  /** flock(2), through its command: some milliseconds. undefined where it cannot be had. */
  tryFlock(): boolean | undefined
  readText(): string
  /** @returns false if the disk has no room for it; the file is empty then */
  writeText(text: string): boolean
  /** Runs `body` while no other process runs one for this file. @returns why it did not */
  guarded<T>(heldBy: HeldBy, body: () => T): T | LockRefusal
  close(): void
}

/**
 * Takes the lock and leaves `text` in its file.
 * @param dead the text of a holder that the caller knows to be gone
 * @returns the lock, or who holds it; then the file is still the caller's to close
 */
export function takeLock(file: LockFile, text: string, dead?: string): Lock | LockRefusal {
  const locked = file.tryLock()
  if (locked === true) {
    return whoHolds(file, 'system', dead) ?? heldLock(file, text, 'system')
  }
  if (locked === false) return refusal(file, file.readText())
  const flocked = file.tryFlock()
  if (flocked === false) return refusal(file, file.readText())
  const heldBy = flocked ? 'flock' : 'text'
  return file.guarded(heldBy, (): Lock | LockRefusal => {
    const socket = parseLockHolder(text)?.socket
    const own = formatLockHolder({ ...file.self, heldBy, socket })
    return whoHolds(file, heldBy, dead) ?? heldLock(file, own, heldBy)
  })
}

/**
 * Takes the lock as far as the system has one, and writes nothing.
 * @param dead as for {@link takeLock}
 * @returns who holds it, or undefined: it is free
 */
export function lockQuietly(file: LockFile, dead?: string): LockRefusal | undefined {
  const locked = file.tryLock()
  if (locked === false) return refusal(file, file.readText())
  if (locked === true) return whoHolds(file, 'system', dead)
  const flocked = file.tryFlock()
  if (flocked === false) return refusal(file, file.readText())
  return whoHolds(file, flocked ? 'flock' : 'text', dead)
}

/** Who has the lock by the text of its file, for one who has it as far as a lock of the kind `mine` goes. */
function whoHolds(file: LockFile, mine: HeldBy, dead: string = ''): LockRefusal | undefined {
  const text = file.readText()
  if (text.trim() === '' || text.trim() === dead) return undefined
  const holder = parseLockHolder(text)
  if (holder === undefined) return mine === 'system' ? undefined : refusal(file, text, true)
  if (holder.heldBy === mine && mine !== 'text') return undefined
  if (mine === 'system') {
    if (holder.heldBy === 'system') return undefined
    const flocked = holder.heldBy === 'flock' ? file.tryFlock() : undefined
    if (flocked !== undefined) return flocked ? undefined : refusal(file, text)
  }
  const state = judgeHolder(holder, file)
  if (state === 'dead') return undefined
  return refusal(file, text, state === 'unknown')
}

function refusal({ self }: LockFile, text: string, inDoubt: boolean = false): LockRefusal {
  const holder = parseLockHolder(text)
  const isSelf =
    holder?.pid === self.pid &&
    holder.startTime === self.startTime &&
    holder.bootId === self.bootId &&
    holder.pidNamespace === self.pidNamespace
  return { holder: text.trim() || 'unknown', inDoubt, isSelf }
}

function heldLock(file: LockFile, text: string, heldBy: HeldBy): Lock {
  // Where the system holds the lock the text only tells of it: a full disk must not keep the store from opening. Any
  // other is a lock for a process with the system's only by its text.
  if (!file.writeText(text) && heldBy !== 'system') {
    throw new WiscError(
      'WISC_DISK_FULL',
      'the disk has no room for the text of LOCK, which keeps others away',
    )
  }
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

/** The words of the two kinds that the system does not hold. */
const HELD_BY_WORD = { system: '', flock: ' flock', text: ' exclusive' } as const

export function formatLockHolder(holder: LockHolder): string {
  const words = [holder.startTime, holder.bootId, holder.hostName, holder.pidNamespace]
  const text = words.map((word) => word.replaceAll(/\s+/g, '_') || '-').join(' ')
  const socket = holder.socket === undefined ? '' : `socket ${holder.socket}\n`
  return `${holder.pid} ${text}${HELD_BY_WORD[holder.heldBy]}\n${socket}`
}

const HOLDER =
  /^([1-9]\d{0,9}) (\S+) (\S+) (\S+) (\S+)(?: (flock|exclusive))?(?:\nsocket (.+))?\n?$/

/** The holder, or undefined for a text that is none. */
export function parseLockHolder(text: string): LockHolder | undefined {
  const match = HOLDER.exec(text.trimEnd())
  if (!match) return undefined
  return {
    pid: Number(match[1]),
    startTime: match[2]!,
    bootId: match[3]!,
    hostName: match[4]!,
    pidNamespace: match[5]!,
    heldBy: match[6] === 'flock' ? 'flock' : match[6] === 'exclusive' ? 'text' : 'system',
    socket: match[7],
  }
}

/** Whether a holder lives, lives no more, or nobody can say from here. */
export function judgeHolder(
  holder: LockHolder,
  here: Pick<LockFile, 'self' | 'stateOf'>,
): 'alive' | 'dead' | 'unknown' {
  const { self } = here
  const isSameBoot = holder.bootId === self.bootId && self.bootId !== '-'
  if (!isSameBoot) {
    if (holder.hostName !== self.hostName) return 'unknown'
    // The same host after a restart; where there are no boot ids, nothing is proved.
    if (holder.bootId !== self.bootId) {
      return holder.bootId === '-' || self.bootId === '-' ? 'unknown' : 'dead'
    }
  }
  // Under one kernel the namespace alone says which process is meant: a container may have been given another name.
  if (holder.pidNamespace !== self.pidNamespace) return 'unknown'
  const state = here.stateOf(holder.pid)
  if (!state.alive) return 'dead'
  // The thread that held it has ended, or this is a copy of the file that is held.
  if (state.hasFileOpen === false) return 'dead'
  if (state.startTime === undefined || holder.startTime === '-') return 'unknown'
  return state.startTime === holder.startTime ? 'alive' : 'dead'
}
