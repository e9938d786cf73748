/**
 * The directory of a store before it is opened: what lies there, and making it.
 *
 * Nothing is created in a directory that holds anything but an unfinished creation of ours.
 */
import { dirname } from 'node:path'
import { IoError, isMissing, WiscError } from '../base/errors.ts'
import {
  CURRENT_NAME,
  CURRENT_TEMPORARY_NAME,
  joinPath,
  LOCK_GUARD_NAME,
  LOCK_NAME,
  mayBeGiven,
  parseFileName,
  SALVAGE_NAME,
} from '../base/files/file-names.ts'
import type { FileSystem } from '../base/files/file-system.ts'
import type { ResolvedOptions } from '../contract/options.ts'

/** Where somebody wants to open a store, and how. */
export interface StorePlace {
  readonly fileSystem: FileSystem
  readonly directory: string
  readonly options: ResolvedOptions
}

/** The directory that a link leads to; a path that leads nowhere stays what it is. @throws WISC_NO_STORE, IoError */
export function followLink(fileSystem: FileSystem, path: string): string {
  try {
    return fileSystem.realPath(path)
  } catch (error) {
    if (isMissing(error)) return path
    if (!(error instanceof IoError) || error.errno !== 'ENOTDIR') throw error
    throw new WiscError('WISC_NO_STORE', `path leads through a file path=${path}`, { cause: error })
  }
}

/**
 * What lies at the path. Asked before the lock is taken, and once more when nobody else can change it.
 * @throws WISC_NO_STORE if there is no store where the options want one, or something that no store may be made of;
 * WISC_EXISTS if there is one where they want none
 * @param isSalvage a salvage fills it: what a salvage that did not end has left is no hindrance
 */
export function inspectPlace(
  { fileSystem, directory, options }: StorePlace,
  isSalvage: boolean,
): 'missing' | 'empty' | 'store' {
  if (!isSalvage) refuseUnfinished(fileSystem, directory)
  const found = lookAt(fileSystem, directory)
  if (found === 'store' && options.errorIfExists) {
    throw new WiscError('WISC_EXISTS', `there is a store already path=${directory}`)
  }
  if (found !== 'store' && (options.readOnly || !options.createIfMissing)) {
    throw new WiscError('WISC_NO_STORE', `there is no store at this path path=${directory}`)
  }
  return found
}

/** @throws WISC_NO_STORE if a salvage into this directory has not come to its end */
export function refuseUnfinished(fileSystem: FileSystem, directory: string): void {
  if (fileSystem.statPath(directory)?.kind !== 'directory') return
  if (fileSystem.statPath(joinPath(directory, SALVAGE_NAME)) === undefined) return
  const message =
    'a salvage into this directory has not come to its end: remove it, and salvage again'
  throw new WiscError('WISC_NO_STORE', `${message} path=${directory}`)
}

function lookAt(fileSystem: FileSystem, directory: string): 'missing' | 'empty' | 'store' {
  const stat = fileSystem.statPath(directory)
  if (stat === undefined) return 'missing'
  if (stat.kind !== 'directory') {
    throw new WiscError('WISC_NO_STORE', `path is not a directory path=${directory}`)
  }
  // Not the names: a large store has many, and this is asked twice.
  const hasCurrent = (): boolean =>
    fileSystem.statPath(joinPath(directory, CURRENT_NAME)) !== undefined
  if (hasCurrent()) return 'store'
  const foreign = fileSystem.list(directory).find((name) => !isFirstSteps(name))
  if (foreign === undefined) return 'empty'
  // Another process may have created it between the two.
  if (hasCurrent()) return 'store'
  throw new WiscError(
    'WISC_NO_STORE',
    'directory is not empty and holds no store (CURRENT is missing; wisc salvage reads what there may be of one) ' +
      `path=${directory} holds=${foreign}`,
  )
}

/** Files that a creation may leave behind when it is cut off: nothing was ever stored then. */
function isFirstSteps(name: string): boolean {
  return (
    name === LOCK_NAME ||
    name === LOCK_GUARD_NAME ||
    name === SALVAGE_NAME ||
    name === CURRENT_TEMPORARY_NAME ||
    isFirstManifest(name)
  )
}

function isFirstManifest(name: string): boolean {
  const file = parseFileName(name)
  return file?.kind === 'manifest' && mayBeGiven(file.number, 1)
}

/** Makes a directory and what is missing above it; each name is made durable. */
export function makeDirectories(fileSystem: FileSystem, directory: string): void {
  const parent = dirname(directory)
  if (parent !== directory && fileSystem.statPath(parent) === undefined) {
    makeDirectories(fileSystem, parent)
  }
  fileSystem.makeDirectory(directory)
  fileSystem.syncDirectory(parent)
}
