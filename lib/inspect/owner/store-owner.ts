/** The process that has a store open for writing, by the text that it leaves in LOCK. Nothing is written (I11). */
import { IoError, isMissing } from '../../base/errors.ts'
import { joinPath, LOCK_NAME } from '../../base/files/file-names.ts'
import { LOCK_TEXT_BYTES_MAX, parseLockHolder } from '../../base/platform/lock.ts'
import { nodeFileSystem } from '../../base/platform/node-file-system.ts'
import { stateOfHolder } from '../../base/platform/node-lock-file.ts'

/** Who has a store open. */
export interface StoreOwner {
  /** Undefined if LOCK does not say it, or may not be read. */
  readonly pid: number | undefined
  /** False if the process is one of another machine or container: its number means nothing here. */
  readonly isHere: boolean
}

/** @returns undefined if nobody has the store open, as far as can be seen */
export function storeOwner(directory: string): StoreOwner | undefined {
  const path = joinPath(directory, LOCK_NAME)
  let text: string
  try {
    text = readText(path)
  } catch (error) {
    // A store without the file has never had a writer. What may not be read may name one.
    const isNone = isMissing(error) || (error instanceof IoError && error.errno === 'ENOTDIR')
    return isNone ? undefined : { pid: undefined, isHere: false }
  }
  if (text === '') return undefined
  const holder = parseLockHolder(text)
  if (holder === undefined) return { pid: undefined, isHere: false }
  const state = stateOfHolder(holder, path)
  return state === 'dead' ? undefined : { pid: holder.pid, isHere: state === 'alive' }
}

function readText(path: string): string {
  const file = nodeFileSystem.open(path, 'read')
  try {
    const bytes = Buffer.alloc(LOCK_TEXT_BYTES_MAX)
    return bytes.toString('utf8', 0, file.read(bytes, 0, bytes.length, 0)).trim()
  } finally {
    file.close()
  }
}
