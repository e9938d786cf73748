/**
 * The state "disk full": puts are refused, what is under way ends with the ballast's room, and when there is
 * space again everything goes on without a restart.
 */

import type { Ballast } from './ballast.ts'
import { toWiscError, WiscError } from './base/errors.ts'
import { joinPath } from './base/file-names.ts'
import type { FileSystem } from './base/file-system.ts'

/** While full, the free space is looked at this often at most. */
const LOOK_AGAIN_MS = 100
/** Free bytes beyond the ballast before puts are taken again. */
const ROOM_BYTES = 1024 * 1024
const FULL = 'the disk is full: free space, then write again'

export interface DiskSpaceParts {
  readonly fileSystem: FileSystem
  readonly directory: string
  readonly ballast: Ballast
  /** Lets stopped work go on; rejects if it cannot. */
  readonly resume: () => Promise<void>
}

export class DiskSpace {
  readonly #parts: DiskSpaceParts
  #full: WiscError | undefined
  #lookedAt = 0
  #resuming = false

  constructor(parts: DiskSpaceParts) {
    this.#parts = parts
  }

  /** Set while the disk is full. */
  get error(): WiscError | undefined {
    return this.#full
  }

  /** Looks at a failure; if it says that the disk is full, the ballast is given up. @returns true if it is now */
  noteFailure(error: WiscError): boolean {
    if (error.code !== 'WISC_DISK_FULL' || this.#full) return false
    this.#full = new WiscError('WISC_DISK_FULL', FULL, { cause: error })
    this.#lookedAt = performance.now()
    this.#parts.ballast.release()
    return true
  }

  /** Why a write is refused now. Deletes go on with the ballast's room. */
  refusal(deletesOnly: boolean): WiscError | undefined {
    if (!this.#full) return undefined
    this.#look()
    return deletesOnly ? undefined : this.#full
  }

  #look(): void {
    const now = performance.now()
    if (this.#resuming || now - this.#lookedAt < LOOK_AGAIN_MS) return
    this.#lookedAt = now
    if (!this.#hasRoom()) return
    this.#resuming = true
    void this.#resume().finally(() => {
      this.#resuming = false
    })
  }

  /** A disk that cannot be asked counts as full. */
  #hasRoom(): boolean {
    const { fileSystem, directory, ballast } = this.#parts
    try {
      return fileSystem.freeBytes(directory) >= ballast.wanted(this.storeBytes()) + ROOM_BYTES
    } catch (error) {
      this.#full = new WiscError('WISC_DISK_FULL', FULL, { cause: error })
      return false
    }
  }

  async #resume(): Promise<void> {
    try {
      // The reserve comes first: puts may need it at once.
      const missing = await this.#parts.ballast.grow(this.storeBytes())
      if (missing !== undefined) throw missing
      await this.#parts.resume()
      this.#full = undefined
    } catch (error) {
      this.#full = toWiscError(error)
      this.#parts.ballast.release()
    }
  }

  /** Keeps the ballast in step with the store. Never rejects: a store without a reserve still works. */
  async growBallast(): Promise<void> {
    if (this.#full) return
    try {
      const error = await this.#parts.ballast.grow(this.storeBytes())
      if (error !== undefined) this.noteFailure(toWiscError(error))
    } catch (error) {
      this.noteFailure(toWiscError(error))
    }
  }

  /** Bytes that the files of the store have on disk. */
  storeBytes(): number {
    const { fileSystem, directory } = this.#parts
    let bytes = 0
    for (const name of fileSystem.list(directory)) {
      bytes += fileSystem.statPath(joinPath(directory, name))?.allocated ?? 0
    }
    return bytes
  }
}
