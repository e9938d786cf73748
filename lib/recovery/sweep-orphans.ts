/**
 * Removes orphans, files with names of ours that the version does not hold: what a crash left unfinished, or what was
 * replaced but not unlinked. By the name alone: a crash may leave anything in a file, and a creation that was cut off
 * another database's id.
 *
 * Called at an open, with the names as they were when the version's own files had all been found: what was made since
 * is not among them.
 */

import { CorruptionError } from '../base/errors.ts'
import { CURRENT_NAME, joinPath, parseFileName } from '../base/files/file-names.ts'
import type { StoreDirectory } from '../base/files/store-directory.ts'
import { unlinkIfPossible } from '../base/files/unlink.ts'
import { readCurrent } from '../tree/version/current.ts'
import type { Version } from '../tree/version/version.ts'

/** @returns those of the names that are still there */
export function sweepOrphans(
  { fileSystem, directory }: StoreDirectory,
  version: Version,
  names: readonly string[],
): string[] {
  const live = readCurrent(fileSystem, directory)
  if (!live) throw new CorruptionError(CURRENT_NAME, 0, 'CURRENT vanished during the open')
  const { tables } = version
  const isOrphan = (name: string): boolean => {
    const file = parseFileName(name)
    if (file === undefined || file.number >= version.nextFileNumber) return false
    if (file.kind === 'manifest') return file.number !== live.manifestNumber
    return file.kind === 'table' ? !tables.has(file.number) : !version.files.has(file.number)
  }
  return names.filter((name) => {
    return !isOrphan(name) || !unlinkIfPossible(fileSystem, joinPath(directory, name))
  })
}
