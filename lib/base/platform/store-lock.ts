/**
 * The writer's lock of a store, as everybody takes it: to write, to remove what nobody needs, or only to keep writers
 * away. The rules are lock.ts's. One proof more is brought here: who is refused because nobody can say whether the
 * holder lives asks on its socket, and takes the lock when that refuses (isHolderGone in node-socket-place.ts).
 */
import { setTimeout } from 'node:timers/promises'
import { IoError, WiscError } from '../errors.ts'
import { joinPath, LOCK_NAME } from '../files/file-names.ts'
import type { FileSystem, Lock, LockRefusal } from '../files/file-system.ts'
import { lockQuietly, parseLockHolder } from './lock.ts'
import { FILE_MODE } from './node-file.ts'
import { LOCK_KINDS, lockText, nodeFileSystem } from './node-file-system.ts'
import { type LockKinds, NodeLockFile } from './node-lock-file.ts'
import { isHolderGone } from './node-socket-place.ts'

/** Nobody who may not open the file for writing could be kept away by it, nor read the files of another user. */
const NOT_OURS: ReadonlySet<unknown> = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOENT'])
const NOTHING_HELD: Lock = { release: () => {} }

/** How long somebody waits for a lock. */
interface Patience {
  /** Milliseconds. */
  readonly ms: number
  readonly signal: AbortSignal | undefined
}

const NO_PATIENCE: Patience = { ms: 0, signal: undefined }
/** Between two attempts to take a lock that somebody has: where flock(1) is asked, each starts a process. */
const ATTEMPT_MS = 50

/**
 * Takes the lock, and leaves in its file who has it.
 * @param socket where the holder answers the wisc command
 * @param advice what cannot be done meanwhile, or what can, for the error
 * @throws WISC_LOCKED, WISC_ABORTED, IoError, WISC_DISK_FULL
 */
export async function lockStore(
  fileSystem: FileSystem,
  directory: string,
  advice: string,
  socket?: string,
  { ms, signal }: Patience = NO_PATIENCE,
): Promise<Lock> {
  const path = joinPath(directory, LOCK_NAME)
  const text = lockText(socket)
  const began = performance.now()
  for (;;) {
    if (signal?.aborted) throw aborted(signal)
    const taken = await proved((dead) => fileSystem.lock(path, text, dead))
    const left = began + ms - performance.now()
    if ('release' in taken || left <= 0) return orLocked(path, advice, taken, ms)
    await pause(Math.min(left, ATTEMPT_MS), signal)
  }
}

/** @throws WISC_ABORTED */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await setTimeout(ms, undefined, signal && { signal })
  } catch (error) {
    throw signal?.aborted ? aborted(signal) : error
  }
}

function aborted(signal: AbortSignal): WiscError {
  const message = 'the wait for the lock of the store was aborted'
  return new WiscError('WISC_ABORTED', message, { cause: signal.reason })
}

/**
 * Keeps writers away until it is released, and writes not a byte: for those who only read, but for whom files that a
 * writer is just changing would look damaged, and for a first look before a question is asked. A store without a lock
 * file has never had a writer. Where the system has no locks, the text of the lock file is one (lock.ts): that is
 * looked at, not taken.
 * @param advice what cannot be done meanwhile, for the error
 * @throws WISC_LOCKED, WISC_NO_STORE
 */
export async function lockStoreQuietly(
  directory: string,
  advice: string,
  kinds: LockKinds = LOCK_KINDS,
): Promise<Lock> {
  if (nodeFileSystem.statPath(directory)?.kind === 'file') {
    throw new WiscError('WISC_NO_STORE', `path is not a directory path=${directory}`)
  }
  const path = joinPath(directory, LOCK_NAME)
  if (nodeFileSystem.statPath(path)?.kind !== 'file') return NOTHING_HELD
  return orLocked(path, advice, await proved((dead) => tryQuietly(path, kinds, dead)))
}

/** What taking the lock comes to, with the text of a holder that is proved to be gone if there is one. */
async function proved(
  take: (dead: string | undefined) => Lock | LockRefusal,
): Promise<Lock | LockRefusal> {
  const taken = take(undefined)
  const isProved = 'holder' in taken && taken.inDoubt && (await isHolderGone(taken.holder))
  return isProved ? take(taken.holder) : taken
}

function tryQuietly(path: string, kinds: LockKinds, dead: string | undefined): Lock | LockRefusal {
  const file = openLockFile(path, kinds)
  if (!file) return NOTHING_HELD
  let isHeld = false
  try {
    const refusal = lockQuietly(file, dead)
    if (refusal) return { ...refusal, since: file.writtenAt() }
    isHeld = true
    return { release: () => file.close() }
  } finally {
    if (!isHeld) file.close()
  }
}

function openLockFile(path: string, kinds: LockKinds): NodeLockFile | undefined {
  try {
    return new NodeLockFile(path, kinds, FILE_MODE)
  } catch (error) {
    const errno = error instanceof IoError ? error.errno : (error as { code?: unknown }).code
    if (NOT_OURS.has(errno)) return undefined
    throw error
  }
}

/** @throws WISC_LOCKED: who has the store, where and since when, and what to do about it */
function orLocked(
  path: string,
  advice: string,
  taken: Lock | LockRefusal,
  waitedMs: number = 0,
): Lock {
  if ('release' in taken) return taken
  const holder = parseLockHolder(taken.holder)
  const who = taken.isSelf ? 'this process' : 'another process'
  const doubt = taken.inDoubt
    ? ', or had it and is gone, which nobody can prove from here: if you know it, empty or remove the named file'
    : ''
  const since = holder && taken.since ? ` since=${taken.since}` : ''
  const waited = waitedMs > 0 ? ` waitedMs=${waitedMs}` : ''
  const variables = holder
    ? `host=${holder.hostName}${since} pid=${holder.pid}`
    : `holder=${JSON.stringify(taken.holder)}`
  throw new WiscError(
    'WISC_LOCKED',
    `${who} has the store open already${doubt}: ${advice} lock=${path} ${variables}${waited}`,
  )
}
