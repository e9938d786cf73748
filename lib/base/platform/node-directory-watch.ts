/** Changes in directories, as the system tells of them: where it is sure to tell of what any process does there. */
import fs from 'node:fs'
import type { DirectoryWatch } from '../files/file-system.ts'

/**
 * File systems of one machine alone, as statfs(2) of Linux numbers them: ext, XFS, Btrfs, tmpfs, F2FS, ZFS. Of a
 * network file system inotify(7) does not tell what other machines write, of one on top of others not what goes past.
 */
const LOCAL_TYPES: ReadonlySet<number> = new Set([
  0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0xf2f5_2010, 0x2fc1_2fc1,
])

/**
 * @param changed called for each change, until the watch is closed
 * @returns undefined where nobody tells
 */
export function watchDirectory(path: string, changed: () => void): DirectoryWatch | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    if (!LOCAL_TYPES.has(fs.statfsSync(path).type)) return undefined
    const watcher = fs.watch(path, { persistent: false }, changed)
    // What it cannot go on with is a change, too: whoever watches looks.
    watcher.on('error', changed)
    return watcher
  } catch (error) {
    // Where the system has no watch left, for example: whoever asks looks by itself.
    void error
    return undefined
  }
}
