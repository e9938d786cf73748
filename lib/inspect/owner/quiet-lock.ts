/**
 * The writer's lock of a store, looked at and held without a byte being written: for those who only read, but for whom
 * files that a writer is just changing would look damaged (salvage), and for a first look before a question is asked.
 *
 * Where the system has no locks, the text of the lock file is one (lib/base/platform/lock.ts). That is looked at, not
 * taken.
 */
import { IoError, WiscError } from '../../base/errors.ts'
import { joinPath, LOCK_NAME } from '../../base/files/file-names.ts'
import type { Lock } from '../../base/files/file-system.ts'
import { lockQuietly } from '../../base/platform/lock.ts'
import { lockedError } from '../../base/platform/locked-error.ts'
import { FILE_MODE } from '../../base/platform/node-file.ts'
import { LOCK_KINDS, nodeFileSystem } from '../../base/platform/node-file-system.ts'
import { NodeLockFile } from '../../base/platform/node-lock-file.ts'

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
  let isHeld = false
  try {
    const refusal = lockQuietly(file)
    isHeld = refusal === undefined
    if (refusal) throw lockedError(path, { ...refusal, since: file.writtenAt() }, why)
    return { release: () => file.close() }
  } finally {
    if (!isHeld) file.close()
  }
}

function openLockFile(path: string): NodeLockFile | undefined {
  try {
    return new NodeLockFile(path, LOCK_KINDS, FILE_MODE)
  } catch (error) {
    const errno = error instanceof IoError ? error.errno : (error as { code?: unknown }).code
    if (NOT_OURS.has(errno)) return undefined
    throw error
  }
}
