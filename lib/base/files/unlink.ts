/** Takes back a file that was created and that nothing durable names. */
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
