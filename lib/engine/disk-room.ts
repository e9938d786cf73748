/**
 * The room that the disk has for the store, and the ballast that the store keeps of it. What is done about a disk that
 * is full, and when, says full-disk.ts.
 *
 * Of the room that the ballast gives up deletes may use a half: the other is for the tables of the memtables, for the
 * edits of the collector, which may give back more than all of it, and for the close and the next open.
 */
import type { Log } from '../../vlog/log/log.ts'
import { toWiscError, type WiscError } from '../base/errors.ts'
import type { FileSystem } from '../base/files/file-system.ts'
import type { DiskLack } from '../collector/plan/decide.ts'
import type { SpaceAccount } from '../space/space.ts'
import type { Memtables } from '../state/memtables.ts'
import type { Ballast, BallastNeed } from './ballast.ts'

/** Free bytes beyond the ballast before puts are taken again. */
const FREE_BYTES_FOR_PUTS = 1024 * 1024
/** A store that has grown by such a part of itself may want a larger ballast. */
const GROWN_SHARE = 1 / 8
const GROWN_BYTES_MIN = 256 * 1024
/** Deletes may use such a part of what the ballast held. */
const DELETES_SHARE = 1 / 2
/** ... and what gives room back such a part of that. */
const SPARE_SHARE = 1 / 2
/** What a closing store leaves for the next open: its manifest, CURRENT, and a segment. Less would not do. */
const LEFT_BYTES_MIN = 32 * 1024

export interface DiskRoomParts {
  readonly context: { readonly fileSystem: FileSystem; readonly directory: string }
  readonly ballast: Ballast
  readonly space: SpaceAccount
  readonly memtables: Memtables
  /** The store grows with it. */
  readonly log: Pick<Log, 'bytesWritten'>
}

export class DiskRoom {
  readonly #parts: DiskRoomParts
  /** While the disk is full: free bytes that deletes leave alone. */
  #keptBytes = 0
  /** The log has so many bytes when the ballast is looked at again. */
  #growAt = 0

  constructor(parts: DiskRoomParts) {
    this.#parts = parts
  }

  /** Free, with what the ballast holds; a disk that cannot be asked may have anything. */
  roomBytes(): number {
    try {
      return this.#freeBytes() + this.ballastBytes
    } catch {
      return Number.POSITIVE_INFINITY
    }
  }

  get ballastBytes(): number {
    return this.#parts.ballast.bytes
  }

  /** By so much the ballast may still grow. */
  get ballastBytesToCome(): number {
    return this.#parts.ballast.bytesToCome
  }

  /** For the ballast and for puts. A disk that cannot be asked has none. */
  hasEnoughForPuts(): boolean {
    try {
      return this.#freeBytes() >= this.#bytesForPuts()
    } catch {
      return false
    }
  }

  #bytesForPuts(): number {
    return this.#parts.ballast.wanted(this.#need()) + FREE_BYTES_FOR_PUTS
  }

  /**
   * What a full disk lacks for them, and what of its room may be used to give back more: a part of what deletes may
   * use, so that they go on beside it. Undefined if there is enough, or the disk cannot be asked.
   */
  lack(): DiskLack | undefined {
    try {
      const free = this.#freeBytes()
      const missingBytes = this.#bytesForPuts() - free
      const spareBytes = Math.max(0, free - this.#keptBytes) * SPARE_SHARE
      return missingBytes > 0 ? { missingBytes, spareBytes } : undefined
    } catch {
      return undefined
    }
  }

  /** While the disk is full. @throws IoError if it cannot be asked */
  hasEnoughForDeletes(): boolean {
    return this.#freeBytes() >= this.#keptBytes
  }

  /** The ballast's room is about to be free. */
  get releasing(): Promise<void> | undefined {
    return this.#parts.ballast.releasing
  }

  /** The disk is full: what the ballast holds is for what must be done. */
  giveUpBallast(): void {
    const { ballast } = this.#parts
    this.#keptBytes = Math.max(this.#keptBytes, ballast.bytes * (1 - DELETES_SHARE))
    ballast.release()
  }

  /** The disk was full, and is no more: the ballast comes first, for puts may need it at once. @throws IoError */
  async takeBallastBack(): Promise<void> {
    const missing = await this.#parts.ballast.grow(this.#need())
    if (missing !== undefined) throw missing
  }

  /** Deletes need leave nothing any more. */
  forgetKept(): void {
    this.#keptBytes = 0
  }

  /** The store has grown so much that it may want a larger ballast. */
  get isBallastDue(): boolean {
    return this.#parts.log.bytesWritten >= this.#growAt
  }

  /** Keeps the ballast in step with the store. Never rejects. @returns why it could not, if so */
  async growBallast(): Promise<WiscError | undefined> {
    const { ballast, log } = this.#parts
    this.#growAt = log.bytesWritten + GROWN_BYTES_MIN
    try {
      const need = this.#need()
      const step = Math.max(GROWN_BYTES_MIN, need.storeBytes * GROWN_SHARE)
      this.#growAt = ballast.isWhole ? Number.POSITIVE_INFINITY : log.bytesWritten + step
      const error = await ballast.grow(need)
      return error === undefined ? undefined : toWiscError(error)
    } catch (error) {
      return toWiscError(error)
    }
  }

  /** Before a store closes on a full disk: what is left of the room is the ballast of the next open. Never rejects. */
  async leaveBallast(): Promise<void> {
    try {
      await this.#parts.ballast.grow(this.#need(), LEFT_BYTES_MIN)
    } catch (error) {
      // A disk that cannot be asked: the store closes without a ballast.
      void error
    }
  }

  #need(): BallastNeed {
    const { space, memtables } = this.#parts
    return { storeBytes: space.measureDisk(), tableBytesToCome: memtables.tableBytesMax }
  }

  #freeBytes(): number {
    const { fileSystem, directory } = this.#parts.context
    return fileSystem.freeBytes(directory)
  }
}
