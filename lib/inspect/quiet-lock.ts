/**
 * The writer's lock of a store, looked at and held without a byte being written: for those who only read, but for whom
 * files that a writer is just changing would look damaged (salvage), and for a first look before a question is asked.
 *
 * Where the system has no locks, the text of the lock file is one (lib/base/lock.ts). It is looked at then, not taken.
 */
import { IoError, WiscError } from '../base/errors.ts'
import { joinPath, LOCK_NAME } from '../base/file-names.ts'
import type { Lock } from '../base/file-system.ts'
import { isFreeByText, parseLockHolder } from '../base/lock.ts'
import { tryNativeLock } from '../base/native-extensions.ts'
import { nodeFileSystem } from '../base/node-file-system.ts'
import { NodeLockFile } from '../base/node-lock-file.ts'

/** Nobody who may not open the file for writing could be kept away by it, nor read the files of another user. */
const NOT_OURS: ReadonlySet<unknown> = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOENT'])
const NOTHING_HELD: Lock = { release: () => {} }

/**
 * Keeps writers away until it is released. A store without a lock file has never had one.
 * @param why what cannot be done meanwhile, for the error
 * @throws WISC_LOCKED, WISC_NO_STORE
 */
export function holdQuietly(directory: string, why: string): Lock {
  if (nodeFileSystem.statPath(directory)?.kind === 'file') {
    throw new WiscError('WISC_NO_STORE', `path is not a directory path=${directory}`)
  }
  const path = joinPath(directory, LOCK_NAME)
  if (nodeFileSystem.statPath(path)?.kind !== 'file') return NOTHING_HELD
  const file = openLockFile(path)
  if (!file) return NOTHING_HELD
  let isFree = false
  try {
    const locked = file.tryLock()
    const text = file.readText().trim()
    isFree = locked !== false && isFreeByText(text, locked === true, file)
    if (isFree) return { release: () => file.close() }
    const pid = parseLockHolder(text)?.pid ?? 'unknown'
    throw new WiscError('WISC_LOCKED', `another process has the store open: ${why} pid=${pid}`)
  } finally {
    if (!isFree) file.close()
  }
}

function openLockFile(path: string): NodeLockFile | undefined {
  try {
    return new NodeLockFile(path, tryNativeLock)
  } catch (error) {
    const errno = error instanceof IoError ? error.errno : (error as { code?: unknown }).code
    if (NOT_OURS.has(errno)) return undefined
    throw error
  }
}
