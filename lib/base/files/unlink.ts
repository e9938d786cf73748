/** Removals: of files that nothing durable names, and of whatever lies in the way of a name that is ours. */
import { joinPath } from './file-names.ts'
import type { FileSystem } from './file-system.ts'

/**
 * Unlinks, or leaves an orphan that the next open removes: the error that made it necessary counts
 * more.
 * @returns whether it is gone
 */
export function unlinkIfPossible(fileSystem: FileSystem, path: string): boolean {
  try {
    fileSystem.unlink(path)
    return true
  } catch {
    return false
  }
}

/**
 * Makes a name free that this writer is about to use. A file that is no longer needed goes, and so does a link or a
 * FIFO; a directory, which is not ours, is renamed.
 */
export function clearName(fileSystem: FileSystem, directory: string, name: string): void {
  const kind = fileSystem.statPath(joinPath(directory, name))?.kind
  if (kind === 'directory') setAsideEntry(fileSystem, directory, name)
  else if (kind !== undefined) fileSystem.unlink(joinPath(directory, name))
}

/** Renames NAME to NAME.set-aside, or NAME.set-aside.2 and so on. */
export function setAsideEntry(fileSystem: FileSystem, directory: string, name: string): void {
  const base = `${name}.set-aside`
  let target = base
  for (let i = 2; fileSystem.statPath(joinPath(directory, target)); i++) target = `${base}.${i}`
  fileSystem.rename(joinPath(directory, name), joinPath(directory, target))
}
