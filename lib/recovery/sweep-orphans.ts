/**
 * Removes files with names of ours that the version does not hold: what a crash left unfinished, or what was replaced
 * but not unlinked. By the name alone: a crash may leave anything in a file, and a creation that was cut off another
 * database's id.
 *
 * Called at an open, when the version's own files have all been found, and before anything new is made.
 */

import { CorruptionError } from '../base/errors.ts'
import { CURRENT_NAME, joinPath, parseFileName } from '../base/files/file-names.ts'
import type { StoreDirectory } from '../base/files/store-directory.ts'
import { unlinkIfPossible } from '../base/files/unlink.ts'
import { tableMap } from '../state/tables.ts'
import { readCurrent } from '../tree/version/current.ts'
import { holdsValueLogFile, type Version } from '../tree/version/version.ts'

export function sweepOrphans(context: StoreDirectory, version: Version): void {
  const { fileSystem, directory } = context
  const live = readCurrent(fileSystem, directory)
  if (!live) throw new CorruptionError(CURRENT_NAME, 0, 'CURRENT vanished during the open')
  const tables = tableMap(version)
  for (const name of fileSystem.list(directory)) {
    const file = parseFileName(name)
    if (file === undefined || file.number >= version.nextFileNumber) continue
    const isHeld =
      file.kind === 'table'
        ? tables.has(file.number)
        : file.kind === 'segment'
          ? holdsValueLogFile(version, file.number)
          : file.number === live.manifestNumber
    if (!isHeld) unlinkIfPossible(fileSystem, joinPath(directory, name))
  }
}
