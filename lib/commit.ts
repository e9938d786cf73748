/**
 * The commit queue: batches of all callers become groups, groups go to the log and then to the memtable.
 *
 *   put, delete, write -> queue -> (microtask) group -> log.write -> memtable.insert -> visible -> settled
 *                                                        \ sync asked for: settled when the log is durable
 *
 * Everything happens in the order of the queue, in one place, so log order, sequence order and the order in
 * which writes become visible are the same (I2). A group is written synchronously in a microtask; while
 * something has to be waited for (a flush, the next segment, a write in the pool) the queue only grows, and its
 * values stay where their callers keep them.
 */

import { GROUP_BYTES_MAX, Group, stagedBytes } from '../vlog/group.ts'
import type { Log } from '../vlog/log.ts'
import { type RecordKind, recordBytes } from '../vlog/record.ts'
import { invalidArgument, toWiscError, WiscError } from './base/errors.ts'
import { FRAME_HEADER_BYTES } from './base/frame.ts'
import type { LogPosition } from './base/log-position.ts'
import { SEQUENCE_MAX } from './base/log-position.ts'
import { type Batch, isDeletes, type Write, writesOf } from './batch.ts'
import type { EventLoopTurn } from './event-loop-turn.ts'
import type { Memtables } from './memtables.ts'
import { entryBytesMax, entryKind } from './placement.ts'
import { ARENA_BYTES_MAX } from './tree/arena.ts'
import { KIND } from './tree/entry.ts'

export interface CommitParts {
  readonly log: Log
  readonly memtables: Memtables
  readonly turn: EventLoopTurn
  readonly valueThreshold: number
  readonly segmentBytes: number
  readonly maxUnflushedLogBytes: number
  readonly maxPendingBytes: number
  /** Sequence of the last record in the log. */
  readonly lastSequence: number
  /** Sequence of the next one. */
  readonly nextSequence: number
  /** What makes a write of so many bytes impossible now, if anything does. Deletes may be possible all the same. */
  readonly refusal: (deletesOnly: boolean, bytes: number) => WiscError | undefined
  /** A promise to wait for before the next group, if background work is too far behind. */
  readonly pace: (deletesOnly: boolean, bytes: number) => Promise<void> | undefined
  /** A memtable was frozen: it wants to be flushed. */
  readonly frozen: () => void
  /** Resolves when an arena may be free. */
  readonly flushed: () => Promise<void>
  /** Why no flush will end, if that is so. */
  readonly stuck: () => WiscError | undefined
  /** A wait for background work has ended. */
  readonly stalled: (ms: number) => void
  /** A write to the log failed; its group has been rejected. */
  readonly writeFailed: (error: WiscError) => void
}

export interface StallCounts {
  count: number
  ms: number
}

export class CommitQueue {
  readonly #parts: CommitParts
  readonly #group: Group = new Group()
  #queue: Batch[] = []
  #head = 0
  #queuedBytes = 0
  #armed = false
  /** Something is being waited for: `#run` comes back by itself. */
  #waiting = false
  /** The rest of the queue is left to the next turn of the event loop. */
  #yielding = false
  #lastSequence: number
  #nextSequence: number
  #userBytes = 0
  /** Batches that were queued, and those that have left the queue, so far. */
  #accepted = 0
  #taken = 0
  #writing: Promise<void> | undefined
  #idle: (() => void)[] = []
  readonly stalls: StallCounts = { count: 0, ms: 0 }

  constructor(parts: CommitParts) {
    this.#parts = parts
    this.#lastSequence = parts.lastSequence
    this.#nextSequence = parts.nextSequence
  }

  /** The newest visible sequence. */
  get lastSequence(): number {
    return this.#lastSequence
  }

  /** Bytes of keys and values that have been written. */
  get userBytes(): number {
    return this.#userBytes
  }

  /** The next sequence that is given: above every one that was ever written, failed groups included. */
  get nextSequence(): number {
    return this.#nextSequence
  }

  /** Queues one put or delete. */
  submit(kind: RecordKind, key: Uint8Array, value: Uint8Array, sync: boolean): Promise<void> {
    const write = { kind, key, value }
    const bytes = recordBytes(key.length, value.length)
    return this.#enqueue(write, bytes, this.#arenaBytes(write), sync)
  }

  /** Queues a batch. @throws WISC_INVALID_ARGUMENT if no memtable could hold it */
  submitBatch(writes: readonly Write[], sync: boolean): Promise<void> {
    let bytes = 0
    let arena = 0
    for (const write of writes) {
      bytes += recordBytes(write.key.length, write.value.length)
      arena += this.#arenaBytes(write)
    }
    if (arena > ARENA_BYTES_MAX) {
      throw invalidArgument(
        `batch is too large for a memtable bytes=${arena} max=${ARENA_BYTES_MAX}`,
      )
    }
    return this.#enqueue(writes, bytes, arena, sync)
  }

  #enqueue(
    writes: Batch['writes'],
    bytes: number,
    arenaBytes: number,
    sync: boolean,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ writes, sync, bytes, arenaBytes, resolve, reject })
      this.#accepted++
      this.#queuedBytes += bytes
      if (this.#waiting) return
      // A caller that never awaits would queue without end: its own call writes what has gathered.
      if (this.#queuedBytes > this.#parts.maxPendingBytes) this.#run(true)
      else if (!this.#armed && !this.#yielding) {
        this.#armed = true
        queueMicrotask(this.#runArmed)
      }
    })
  }

  readonly #runArmed = (): void => {
    this.#armed = false
    this.#run()
  }

  /** Resolves when every batch that is queued now has been written or refused. Later ones are not waited for. */
  async drain(): Promise<void> {
    const last = this.#accepted
    while (this.#taken < last) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  /** Set while the thread pool writes a group, which was promised room in the active memtable: do not freeze it. */
  get writing(): Promise<void> | undefined {
    return this.#writing
  }

  /** @param whole the event loop cannot turn before the caller ends: leave nothing to its next turn */
  #run(whole: boolean = false): void {
    if (this.#waiting || (this.#yielding && !whole)) return
    const { turn } = this.#parts
    while (this.#head < this.#queue.length) {
      if (!this.#commitGroupOrFail()) return
      if (!whole && this.#head < this.#queue.length && turn.isOld()) {
        this.#yielding = true
        turn.later(this.#resume)
        return
      }
    }
    this.#queue.length = 0
    this.#head = 0
  }

  readonly #resume = (): void => {
    this.#yielding = false
    this.#run()
  }

  readonly #wakeIdle = (): void => {
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** Nothing unexpected, such as memory that is used up, may leave the queue standing still. */
  #commitGroupOrFail(): boolean {
    try {
      return this.#commitGroup()
    } catch (error) {
      return this.#failGroup(Math.min(1, this.#queue.length - this.#head), toWiscError(error))
    }
  }

  /** Commits what is next. @returns false if it has to wait; then it comes back by itself */
  #commitGroup(): boolean {
    const first = this.#queue[this.#head]!
    const deletes = isDeletes(first)
    const groupBytes = Math.max(first.bytes, Math.min(this.#queuedBytes, GROUP_BYTES_MAX))
    const refusal = this.#parts.refusal(deletes, groupBytes)
    if (refusal) {
      this.#take(1)
      first.reject(refusal)
      return true
    }
    // While only deletes are taken, a group must not carry puts along.
    const alone = deletes && this.#parts.refusal(false, groupBytes) !== undefined
    const pace = this.#parts.pace(deletes, groupBytes)
    if (pace) return this.#wait(pace)
    const { log, memtables } = this.#parts
    const memtable = memtables.active
    let bytes = FRAME_HEADER_BYTES
    let arena = 0
    let count = 0
    for (let i = this.#head; i < this.#queue.length && !(alone && count > 0); i++) {
      const batch = this.#queue[i]!
      const more = batch.arenaBytes
      if (count > 0 && (bytes + batch.bytes > GROUP_BYTES_MAX || !memtable.hasRoom(arena + more))) {
        break
      }
      bytes += batch.bytes
      arena += more
      count++
    }
    if (!memtable.hasRoom(arena) || this.#logPartIsFull(bytes)) {
      if (!memtables.freeze(log.end, arena)) {
        const stuck = this.#parts.stuck()
        return stuck ? this.#failGroup(1, stuck) : this.#wait(this.#parts.flushed())
      }
      this.#parts.frozen()
    }
    const place = log.reserve(bytes)
    if (place === undefined) {
      const failure = log.takeFailure()
      return failure ? this.#failGroup(1, failure) : this.#wait(log.ready())
    }
    return this.#writeGroup(count, place)
  }

  /** The active memtable covers its share of the log. Segment ends are preferred: a flush needs them synced anyway. */
  #logPartIsFull(frameBytes: number): boolean {
    const { log, memtables, maxUnflushedLogBytes, segmentBytes } = this.#parts
    const share = maxUnflushedLogBytes / 4
    const covered = memtables.logBytes
    if (memtables.active.entries === 0) return false
    if (covered >= share) return true
    return log.wouldRotate(frameBytes) && covered + segmentBytes / 2 > share
  }

  #writeGroup(count: number, place: LogPosition): boolean {
    const group = this.#group
    const batches = this.#queue
    const from = this.#head
    const to = from + count
    let staged = 0
    let records = 0
    for (let i = from; i < to; i++) {
      for (const write of writesOf(batches[i]!)) {
        staged += stagedBytes(write.key.length, write.value.length)
        records++
      }
    }
    const firstSequence = this.#nextSequence
    if (firstSequence + records > SEQUENCE_MAX) {
      return this.#failGroup(count, new WiscError('WISC_INTERNAL', 'sequences are used up'))
    }
    group.begin(firstSequence, staged)
    for (let i = from; i < to; i++) {
      for (const { kind, key, value } of writesOf(batches[i]!)) group.add(kind, key, value)
    }
    // A failed group's sequences are not used again: perhaps its bytes are on disk.
    this.#nextSequence = firstSequence + records
    let writing: Promise<void> | undefined
    try {
      writing = this.#parts.log.write(group)
    } catch (error) {
      return this.#failGroup(count, toWiscError(error))
    }
    if (writing === undefined) {
      this.#publish(count, place, firstSequence)
      return true
    }
    const done = writing.then(
      () => {
        this.#writing = undefined
        this.#publish(count, place, firstSequence)
      },
      (error: unknown) => {
        this.#writing = undefined
        this.#failGroup(count, toWiscError(error))
      },
    )
    this.#writing = done
    return this.#wait(done, false)
  }

  /** The group is in the log: make it visible, then settle its batches. */
  #publish(count: number, place: LogPosition, firstSequence: number): void {
    const { memtables, log } = this.#parts
    const batches = this.#take(count)
    let sequence = firstSequence
    let offset = place.offset + FRAME_HEADER_BYTES
    try {
      for (const batch of batches) {
        for (const write of writesOf(batch)) {
          offset = this.#insert(write, sequence++, place.segment, offset)
        }
      }
    } catch (error) {
      // Written but not visible: a broken invariant. The log is right, so the next open finds it.
      for (const batch of batches) batch.reject(toWiscError(error))
      this.#parts.writeFailed(toWiscError(error))
      return
    }
    memtables.logBytes += offset - place.offset
    this.#lastSequence = sequence - 1
    this.#settle(batches, log)
  }

  /** @returns the offset behind the record */
  #insert(write: Write, sequence: number, segment: number, offset: number): number {
    const { key, value } = write
    const length = recordBytes(key.length, value.length)
    const kind = entryKind(write.kind, value.length, this.#parts.valueThreshold)
    const inline = kind === KIND.inline ? value : undefined
    this.#parts.memtables.active.insert(key, sequence, kind, inline, segment, offset, length)
    this.#userBytes += key.length + value.length
    return offset + length
  }

  #settle(batches: readonly Batch[], log: Log): void {
    const { turn } = this.#parts
    if (turn.isOld()) {
      turn.later(() => {
        for (const batch of batches) if (!batch.sync) batch.resolve()
      })
    } else for (const batch of batches) if (!batch.sync) batch.resolve()
    if (!batches.some((batch) => batch.sync)) return
    // I1: the position is that of the log now, and the sync that answers it begins later.
    const settle = (error: WiscError | undefined): void => {
      for (const batch of batches) {
        if (!batch.sync) continue
        if (error) batch.reject(error)
        else batch.resolve()
      }
    }
    log.sync().then(
      () => settle(undefined),
      (error: unknown) => settle(toWiscError(error)),
    )
  }

  #failGroup(count: number, error: WiscError): boolean {
    for (const batch of this.#take(count)) batch.reject(error)
    this.#parts.writeFailed(error)
    return true
  }

  #take(count: number): Batch[] {
    const to = this.#head + count
    const batches = this.#queue.slice(this.#head, to)
    this.#taken += count
    if (this.#idle.length > 0) queueMicrotask(this.#wakeIdle)
    for (const batch of batches) this.#queuedBytes -= batch.bytes
    this.#head = to
    // Keep the consumed front short without moving the rest for every group.
    if (to > 1024 && to * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(to)
      this.#head = 0
    }
    return batches
  }

  #wait(promise: Promise<void>, stall: boolean = true): false {
    this.#waiting = true
    const began = performance.now()
    if (stall) this.stalls.count++
    void promise.finally(() => {
      this.#waiting = false
      if (stall) {
        const ms = performance.now() - began
        this.stalls.ms += ms
        this.#parts.stalled(ms)
      }
      this.#run()
    })
    return false
  }

  #arenaBytes({ kind, key, value }: Write): number {
    const entry = entryKind(kind, value.length, this.#parts.valueThreshold)
    return entryBytesMax(entry, key.length, value.length)
  }
}
