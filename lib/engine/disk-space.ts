/**
 * The state "disk full": puts are refused, what is under way ends with the ballast's room, and when there is
 * space again everything goes on without a restart.
 *
 * Of the room that the ballast gives up deletes may use a half: the other is for the tables of the memtables, for the
 * edits of the collector, which may give back more than all of it, and for the close and the next open.
 */

import { mayPass, toWiscError, WiscError } from '../base/errors.ts'
import type { FileSystem } from '../base/files/file-system.ts'
import type { Ballast, BallastNeed } from './ballast.ts'

/** While full, the free space is looked at this often at most. */
const LOOK_AGAIN_MS = 100
/** Free bytes beyond the ballast before puts are taken again. */
const ROOM_BYTES = 1024 * 1024
/** A store that has grown by such a part of itself may want a larger ballast. */
const GROWN_SHARE = 1 / 8
const GROWN_BYTES_MIN = 256 * 1024
/** Deletes may use such a part of what the ballast held. */
const DELETES_SHARE = 1 / 2
/** What a closing store leaves for the next open: its manifest, CURRENT, and a segment. Less would not do. */
const LEFT_BYTES_MIN = 32 * 1024
const FULL = 'the disk is full: free space, then write again'

export interface DiskSpaceParts {
  readonly fileSystem: FileSystem
  readonly directory: string
  readonly ballast: Ballast
  /** Bytes that the files of the store have on disk. */
  readonly storeBytes: () => number
  /** Of the log, so far: the store grows with it. */
  readonly logBytesWritten: () => number
  /** What the memtables will take as tables. */
  readonly tableBytesToCome: () => number
  /** Lets stopped work go on; rejects if it cannot. */
  readonly resume: () => Promise<void>
}

export class DiskSpace {
  readonly #parts: DiskSpaceParts
  #full: WiscError | undefined
  /** While full: free bytes that deletes leave alone. */
  #keptBytes = 0
  #lookedAt = 0
  /** Settles when it is known whether there is room for all to go on. */
  #resuming: Promise<void> | undefined
  /** The log has so many bytes when the ballast is looked at again. */
  #growAt = 0

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
    this.#giveUpBallast()
    return true
  }

  #giveUpBallast(): void {
    const { ballast } = this.#parts
    this.#keptBytes = Math.max(this.#keptBytes, ballast.bytes * (1 - DELETES_SHARE))
    ballast.release()
  }

  /** Why a write is refused now. Deletes go on with the ballast's room. */
  refusal(deletesOnly: boolean): WiscError | undefined {
    if (!this.#full) {
      if (this.#parts.logBytesWritten() >= this.#growAt) void this.growBallast()
      return undefined
    }
    this.#look()
    return deletesOnly && this.#freeBytes() >= this.#keptBytes ? undefined : this.#full
  }

  /** After work that may have given space back: whoever has waited for it may put again. */
  async lookNow(): Promise<void> {
    if (!this.#full) return
    this.#lookedAt = Number.NEGATIVE_INFINITY
    this.#look()
    await this.#resuming
  }

  #look(): void {
    const now = performance.now()
    if (this.#resuming || now - this.#lookedAt < LOOK_AGAIN_MS) return
    this.#lookedAt = now
    if (!this.#hasRoomAgain()) return
    this.#resuming = this.#resume().finally(() => {
      this.#resuming = undefined
    })
  }

  /** For the reserve and for puts. A disk that cannot be asked has none. */
  #hasRoomAgain(): boolean {
    try {
      return this.#freeBytes() >= this.#parts.ballast.wanted(this.#need()) + ROOM_BYTES
    } catch {
      return false
    }
  }

  /** Free, with the reserve; a disk that cannot be asked may have anything. */
  roomBytes(): number {
    const { fileSystem, directory, ballast } = this.#parts
    try {
      return fileSystem.freeBytes(directory) + ballast.bytes
    } catch (error) {
      if (!mayPass(toWiscError(error))) throw error
      return Number.POSITIVE_INFINITY
    }
  }

  /** A disk that cannot be asked counts as full. */
  #freeBytes(): number {
    const { fileSystem, directory } = this.#parts
    try {
      return fileSystem.freeBytes(directory)
    } catch (error) {
      this.#full = new WiscError('WISC_DISK_FULL', FULL, { cause: error })
      return -1
    }
  }

  async #resume(): Promise<void> {
    try {
      // The reserve comes first: puts may need it at once.
      const missing = await this.#parts.ballast.grow(this.#need())
      if (missing !== undefined) throw missing
      await this.#parts.resume()
      this.#full = undefined
      this.#keptBytes = 0
    } catch (error) {
      this.#full = toWiscError(error)
      this.#giveUpBallast()
    }
  }

  /** Keeps the ballast in step with the store. Never rejects: a store without a reserve still works. */
  async growBallast(): Promise<void> {
    if (this.#full) return
    const { ballast, logBytesWritten } = this.#parts
    this.#growAt = logBytesWritten() + GROWN_BYTES_MIN
    try {
      const need = this.#need()
      const step = Math.max(GROWN_BYTES_MIN, need.storeBytes * GROWN_SHARE)
      this.#growAt = ballast.isWhole ? Number.POSITIVE_INFINITY : logBytesWritten() + step
      const error = await ballast.grow(need)
      if (error !== undefined) this.noteFailure(toWiscError(error))
    } catch (error) {
      this.noteFailure(toWiscError(error))
    }
  }

  /**
   * Does what must be done on a full disk, too: if it is the first that finds it full, it is done once more with the
   * room of the reserve.
   */
  async withReserve<T>(work: () => Promise<T>): Promise<T> {
    const wasFull = this.#full !== undefined
    try {
      return await work()
    } catch (error) {
      this.noteFailure(toWiscError(error))
      if (wasFull || this.#full === undefined) throw error
      return work()
    }
  }

  /** Before the store closes: what is left of the room is the reserve of the next open. Never rejects. */
  async leaveBallast(): Promise<void> {
    if (!this.#full) return
    try {
      await this.#parts.ballast.grow(this.#need(), LEFT_BYTES_MIN)
    } catch (error) {
      // A disk that cannot be asked: the store closes without a reserve.
      void error
    }
  }

  #need(): BallastNeed {
    const { storeBytes, tableBytesToCome } = this.#parts
    return { storeBytes: storeBytes(), tableBytesToCome: tableBytesToCome() }
  }
}
