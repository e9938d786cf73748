/**
 * What a store takes on disk, seen from outside: allocated blocks, as `du` counts them.
 */
import fs from 'node:fs'
import path from 'node:path'

/** st_blocks counts in this unit on every platform. */
const BLOCK_BYTES = 512
const WATCH_MS = 100
/** So many times as long as a look took the next one waits. */
const WATCH_REST = 50

export interface DiskUsage {
  /** Without BALLAST; a file with several names in the directory counts for each. */
  readonly diskBytes: number
  readonly ballastBytes: number
}

/** Looks at a directory from time to time, for no more than a fiftieth of it. */
export class DiskWatch {
  readonly #directory: string
  readonly #timer: NodeJS.Timeout
  #diskBytesMax = 0
  #notBefore = 0

  constructor(directory: string) {
    this.#directory = directory
    this.#timer = setInterval(() => this.#lookIfTime(), WATCH_MS)
  }

  /** @returns what is there now, and the most that was seen */
  finish(): { readonly diskBytes: number; readonly diskBytesMax: number } {
    clearInterval(this.#timer)
    const { diskBytes } = readDiskUsage(this.#directory)
    return { diskBytes, diskBytesMax: Math.max(diskBytes, this.#diskBytesMax) }
  }

  #lookIfTime(): void {
    const before = performance.now()
    if (before < this.#notBefore) return
    const { diskBytes } = readDiskUsage(this.#directory)
    this.#diskBytesMax = Math.max(this.#diskBytesMax, diskBytes)
    const now = performance.now()
    this.#notBefore = now + WATCH_REST * (now - before)
  }
}

/** Walks the directory. What is unlinked meanwhile counts as gone. */
export function readDiskUsage(directory: string): DiskUsage {
  let diskBytes = 0
  let ballastBytes = 0
  for (const name of namesIn(directory)) {
    const inner = path.join(directory, name)
    const stat = fs.lstatSync(inner, { throwIfNoEntry: false })
    if (stat === undefined) continue
    if (stat.isDirectory()) diskBytes += readDiskUsage(inner).diskBytes
    else if (name === 'BALLAST') ballastBytes += stat.blocks * BLOCK_BYTES
    else diskBytes += stat.blocks * BLOCK_BYTES
  }
  return { diskBytes, ballastBytes }
}

function namesIn(directory: string): string[] {
  try {
    return fs.readdirSync(directory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
