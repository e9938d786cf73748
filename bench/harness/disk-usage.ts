/**
 * What a store takes on disk, seen from outside: allocated blocks, as `du` counts them.
 */
import fs from 'node:fs'
import path from 'node:path'

/** st_blocks counts in this unit on every platform. */
const BLOCK_BYTES = 512

export interface DiskUsage {
  /** Without BALLAST; a file with several names in the directory counts for each. */
  readonly diskBytes: number
  readonly ballastBytes: number
}

/** Walks the directory. A file that is unlinked meanwhile counts as gone. */
export function readDiskUsage(directory: string): DiskUsage {
  let diskBytes = 0
  let ballastBytes = 0
  for (const name of fs.readdirSync(directory)) {
    const inner = path.join(directory, name)
    const stat = fs.lstatSync(inner, { throwIfNoEntry: false })
    if (stat === undefined) continue
    if (stat.isDirectory()) diskBytes += readDiskUsage(inner).diskBytes
    else if (name === 'BALLAST') ballastBytes += stat.blocks * BLOCK_BYTES
    else diskBytes += stat.blocks * BLOCK_BYTES
  }
  return { diskBytes, ballastBytes }
}
