/**
 * A full disk: puts are refused, and the ballast is given up, so that what must be done can be: flushes, deletes, the
 * close. Who comes to a full disk asks it for room, ten times a second at most; when it has enough for a ballast and
 * for puts, the ballast is taken back first, what has failed is tried again, and puts go on.
 */
import type { Log } from '../../vlog/log/log.ts'
import { toWiscError, WiscError } from '../base/errors.ts'
import type { DiskLack } from '../collector/plan/decide.ts'
import type { Refusal } from '../writes/admission.ts'
import type { DiskRoom } from './disk-room.ts'

/** It is asked this often at most. */
const ASK_AGAIN_MS = 100

export interface FullDiskParts {
  readonly room: DiskRoom
  readonly log: Pick<Log, 'failure'>
  /** Gives back what it would not without need. */
  readonly collector: { wake(): void }
}

export class FullDisk {
  readonly #parts: FullDiskParts
  readonly #failed: { tryNow(): Promise<void> }
  /** Set while the disk is full. */
  #error: WiscError | undefined
  #askedAt = 0
  /** Settles when it is known whether there is room for all to go on. */
  #resuming: Promise<void> | undefined

  /** @param failed what has failed for want of room, to be tried again */
  constructor(parts: FullDiskParts, failed: { tryNow(): Promise<void> }) {
    this.#parts = parts
    this.#failed = failed
  }

  /** That it is full. */
  get error(): WiscError | undefined {
    return this.#error
  }

  /** If an error says that the disk is full, the ballast is given up. @returns true if it was not known before */
  note(error: WiscError): boolean {
    if (error.code !== 'WISC_DISK_FULL' || this.#error) return false
    this.#error = fullDisk(error)
    this.#askedAt = performance.now()
    this.#parts.room.giveUpBallast()
    this.#parts.collector.wake()
    return true
  }

  /** Of each group: puts are refused while it is full, deletes when they have used their share of its room. */
  refusal(): Refusal | undefined {
    if (!this.#error) {
      if (this.#parts.room.isBallastDue) void this.growBallast()
      return undefined
    }
    this.#askForRoom()
    const sparesDeletes = this.#hasRoomForDeletes()
    return { error: this.#error, sparesDeletes }
  }

  #hasRoomForDeletes(): boolean {
    try {
      return this.#parts.room.hasEnoughForDeletes()
    } catch (error) {
      // A disk that cannot be asked counts as full.
      this.#error = fullDisk(error)
      return false
    }
  }

  /** The ballast's room is about to be free. */
  get roomToCome(): Promise<void> | undefined {
    return this.#error && this.#parts.room.releasing
  }

  /** What it lacks until puts go on; undefined if it is not full, or lacks nothing any more. */
  lack(): DiskLack | undefined {
    return this.#error && this.#parts.room.lack()
  }

  /** After work that may have given room back: whoever has waited for it may put again. */
  async roomMayBeBack(): Promise<void> {
    if (!this.#error) return
    this.#askedAt = Number.NEGATIVE_INFINITY
    this.#askForRoom()
    await this.#resuming
  }

  #askForRoom(): void {
    const now = performance.now()
    if (this.#resuming || now - this.#askedAt < ASK_AGAIN_MS) return
    this.#askedAt = now
    if (!this.#parts.room.hasEnoughForPuts()) return
    this.#resuming = this.#resume().finally(() => {
      this.#resuming = undefined
    })
  }

  async #resume(): Promise<void> {
    const { room, log } = this.#parts
    try {
      await room.takeBallastBack()
      await this.#failed.tryNow()
      if (log.failure) throw log.failure
      this.#error = undefined
      room.forgetKept()
    } catch (error) {
      this.#error = toWiscError(error)
      room.giveUpBallast()
    }
  }

  /** Keeps the ballast in step with the store. Never rejects: a store without one still works. */
  async growBallast(): Promise<void> {
    if (this.#error) return
    const error = await this.#parts.room.growBallast()
    if (error) this.note(error)
  }

  /**
   * Does what must be done on a full disk, too: if it finds it full, and has begun before the ballast's room was there,
   * it is done once more.
   */
  async withBallast<T>(work: () => Promise<T>): Promise<T> {
    const { room } = this.#parts
    const hadRoom = this.#error !== undefined && room.releasing === undefined
    try {
      return await work()
    } catch (cause) {
      const error = toWiscError(cause)
      if (hadRoom || error.code !== 'WISC_DISK_FULL') throw cause
      this.note(error)
      await room.releasing
      return work()
    }
  }
}

function fullDisk(cause: unknown): WiscError {
  return new WiscError('WISC_DISK_FULL', 'the disk is full: free space, then write again', {
    cause,
  })
}
