/** The process that has a store open for writing, by the text that it leaves in LOCK. Nothing is written (I11). */
import { IoError, isMissing } from '../../base/errors.ts'
import { joinPath, LOCK_NAME } from '../../base/files/file-names.ts'
import { parseLockHolder } from '../../base/platform/lock.ts'
import { readLockFile, stateOfHolder } from '../../base/platform/node-lock-file.ts'
import { isHolderGone } from '../../base/platform/node-socket-place.ts'

/** Who has a store open. */
export interface StoreOwner {
  /** Undefined if LOCK does not say it, or may not be read. */
  readonly pid: number | undefined
  /** False if the process is one of another machine or container: its number means nothing here. */
  readonly isHere: boolean
}

/** @returns undefined if nobody has the store open, as far as can be seen */
export async function storeOwner(directory: string): Promise<StoreOwner | undefined> {
  const path = joinPath(directory, LOCK_NAME)
  let text: string
  try {
    text = readLockFile(path).text.trim()
  } catch (error) {
    // A store without the file has never had a writer. What may not be read may name one.
    const isNone = isMissing(error) || (error instanceof IoError && error.errno === 'ENOTDIR')
    return isNone ? undefined : { pid: undefined, isHere: false }
  }
  if (text === '') return undefined
  const holder = parseLockHolder(text)
  if (holder === undefined) return { pid: undefined, isHere: false }
  const state = stateOfHolder(holder, path)
  const isGone = state === 'dead' || (state === 'unknown' && (await isHolderGone(text)))
  return isGone ? undefined : { pid: holder.pid, isHere: state === 'alive' }
}
