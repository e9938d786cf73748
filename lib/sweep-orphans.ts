/**
 * Removes files that the version does not hold: what a crash left unfinished, or what was replaced but not unlinked.
 *
 * Called at an open, when the version's own files have all been found, and before anything new is made. What no crash
 * of this store can have left stays: a file whose header names another database or number, or that has none.
 */
import type { LogContext } from '../vlog/recovery.ts'
import { CorruptionError } from './base/errors.ts'
import { FILE_HEADER_BYTES, mayBeFileOf } from './base/file-header.ts'
import { CURRENT_NAME, joinPath, parseFileName } from './base/file-names.ts'
import { unlinkIfPossible } from './base/unlink.ts'
import { tablesOf } from './tables.ts'
import { readCurrent } from './tree/current.ts'
import { holdsValueLogFile, type Version } from './tree/version.ts'

export function sweepOrphans(context: LogContext, version: Version): void {
  const { fileSystem, directory } = context
  const live = readCurrent(fileSystem, directory)
  if (!live) throw new CorruptionError(CURRENT_NAME, 0, 'CURRENT vanished during the open')
  const tables = new Set(tablesOf(version).map((table) => table.number))
  for (const name of fileSystem.list(directory)) {
    const file = parseFileName(name)
    if (file === undefined || file.number >= version.nextFileNumber) continue
    const isHeld =
      file.kind === 'table'
        ? tables.has(file.number)
        : file.kind === 'segment'
          ? holdsValueLogFile(version, file.number)
          : file.number === live.manifestNumber
    if (!isHeld && mayBeOurs(context, name, file.number)) {
      unlinkIfPossible(fileSystem, joinPath(directory, name))
    }
  }
}

function mayBeOurs(
  { fileSystem, directory, databaseId }: LogContext,
  name: string,
  number: number,
): boolean {
  const path = joinPath(directory, name)
  if (fileSystem.statPath(path)?.kind !== 'file') return false
  const file = fileSystem.open(path, 'read')
  try {
    const head = new Uint8Array(FILE_HEADER_BYTES)
    const length = file.read(head, 0, head.length, 0)
    return mayBeFileOf(head.subarray(0, length), databaseId, number)
  } finally {
    file.close()
  }
}
