/**
 * The commit queue: batches of all callers become groups, groups go to the log and then to the memtable.
 *
 *   put, delete, write -> queue -> (microtask, or the call) group -> log.write -> memtable.insert -> visible -> settled
 *                                                                  \ sync asked for: settled when the log is durable
 *
 * Everything happens in the order of the queue, in one place, so log order, sequence order and the order in
 * which writes become visible are the same (I2). A group is written synchronously, in a microtask, or by the call
 * with which much has gathered; while something has to be waited for (a flush, the next segment, a write in the
 * pool) the queue only grows.
 *
 * Callers may do what they like with what they passed: keys, and values up to TAKEN_VALUE_BYTES_MAX, are copied at the
 * call (taken-bytes.ts), once for the frame and the memtable alike. Larger values stay with their callers (borrowed).
 * They are written at the call, before it returns; if they have to wait, their checksums are taken there, and a batch
 * whose value is another one when its turn comes is refused, alone.
 */

import { Group } from '../../vlog/log/group.ts'
import type { Log } from '../../vlog/log/log.ts'
import type { FramePlace } from '../../vlog/log/log-parts.ts'
import { ChangedValueError } from '../../vlog/log/piece-writer.ts'
import { toWiscError, WiscError } from '../base/errors.ts'
import type { EventLoopTurn } from '../base/event-loop-turn.ts'
import { FRAME_HEADER_BYTES } from '../base/files/frame.ts'
import { SEQUENCE_MAX, type Sequence } from '../base/ids.ts'
import type { Given } from '../contract/arguments.ts'
import type { ResolvedOptions } from '../contract/options.ts'
import type { Memtables } from '../state/memtables.ts'
import type { ReadableSequences } from '../state/readable-sequences.ts'
import type { Admission, AdmittingHealth, Verdict } from './admission.ts'
import {
  type Batch,
  type BatchCondition,
  type CommitWatcher,
  type Compose,
  isDeletes,
  type LastWrites,
  makeBatch,
  resolveWith,
  seal,
  settleWritten,
  tellWatchers,
  writesOf,
} from './batch.ts'
import { BatchQueue } from './batch-queue.ts'
import { compose, Footing } from './composed.ts'
import { Compression, type PackCompressor } from './compression.ts'
import { coversItsShare, judge, NOTHING, planGroup } from './group-plan.ts'
import { addRecords, frameContent } from './group-records.ts'
import { insertWrite, type TakeDefaults, takeWrite, userBytes, type Write } from './write.ts'

/**
 * So much is written at once, by the call that passes it: the copies are still in the processor's cache when they are
 * hashed and written, and the same memory takes the next ones. 64 values of 4 KiB are a group yet.
 */
const GATHERED_BYTES_MAX: number = 320 * 1024

export interface CommitParts {
  readonly options: ResolvedOptions
  readonly log: Log
  readonly memtables: Memtables
  readonly readers: ReadableSequences
  readonly turn: EventLoopTurn
  readonly admission: Admission
  readonly compressor: PackCompressor
  readonly flushes: { wake(): void }
  readonly health: Pick<AdmittingHealth, 'writeFailed' | 'end'>
}

export class CommitQueue {
  readonly #parts: CommitParts
  readonly #options: ResolvedOptions
  readonly #defaults: TakeDefaults
  readonly #group: Group = new Group()
  readonly #queue: BatchQueue = new BatchQueue()
  readonly watchers: Set<CommitWatcher> = new Set()
  readonly #compression: Compression
  #armed = false
  #running = false
  /** Something is being waited for: `#run` comes back by itself. */
  #waiting = false
  /** The rest of the queue is left to the next turn of the event loop. */
  #yielding = false
  /** What the batches stand on that were composed behind others and wait yet. */
  #footing: Footing = new Footing()
  #nextSequence: Sequence
  #userBytes = 0

  constructor(parts: CommitParts, nextSequence: Sequence) {
    this.#parts = parts
    this.#options = parts.options
    const { valueThreshold, compression, compressionLevel } = parts.options
    this.#defaults = { valueThreshold, compresses: compression !== 'none' }
    this.#compression = new Compression(compressionLevel, parts.compressor, this.#queue)
    this.#nextSequence = nextSequence
  }

  /** Bytes of keys and values that have been written. */
  get userBytes(): number {
    return this.#userBytes
  }

  /** The next sequence that is given: above every one that was ever written, failed groups included. */
  get nextSequence(): Sequence {
    return this.#nextSequence
  }

  /** Queues a batch of one write. @param tell says what its caller gets when it is written */
  submit<T = void>(
    given: Given,
    sync: boolean,
    condition: BatchCondition | undefined,
    tell?: (written: Batch) => T,
  ): Promise<T> {
    const write = takeWrite(this.#queue.taken, given, this.#defaults)
    return this.#enqueue(write, sync, condition, write.compresses, undefined, tell)
  }

  /** Queues the record of a stream, of which file and edit are durable. */
  submitStream(write: Write, sync: boolean, condition: BatchCondition | undefined): Promise<void> {
    return this.#enqueue(write, sync, condition, false, undefined)
  }

  /** Queues a batch; one without writes asks its condition alone. What no memtable could hold is refused. */
  submitBatch(
    given: readonly Given[],
    sync: boolean,
    condition: BatchCondition | undefined,
  ): Promise<void> {
    const { taken } = this.#queue
    const writes = given.map((one) => takeWrite(taken, one, this.#defaults))
    const compresses = writes.some((write) => write.compresses)
    return this.#enqueue(writes, sync, condition, compresses, undefined)
  }

  /** Queues a batch that says what it writes when its turn has come. What that throws is the batch's own. */
  submitComposed<T>(compose: Compose<T>, sync: boolean): Promise<T> {
    return this.#enqueue([], sync, undefined, this.#defaults.compresses, compose)
  }

  #enqueue<T>(
    writes: Batch['writes'],
    sync: boolean,
    condition: BatchCondition | undefined,
    compresses: boolean,
    compose: Compose<T> | undefined,
    tell?: (written: Batch) => T,
  ): Promise<T> {
    return new Promise((settle, reject) => {
      const resolve = settle as Batch['resolve']
      const asked = { sync, condition, compose, compresses, resolve, reject }
      const batch = makeBatch(writes, asked)
      if (tell) resolveWith(batch, tell)
      if (compresses) this.#compression.begin(batch)
      const number = this.#queue.push(batch)
      if (batch.borrows && batch.ready === undefined) {
        this.#run(true)
        if (!this.#queue.hasLeft(number)) seal(batch)
        return
      }
      if (this.#waiting) return
      if (this.#hasGathered()) this.#run(true)
      else if (!this.#armed && !this.#yielding) {
        this.#armed = true
        queueMicrotask(this.#runArmed)
      }
    })
  }

  /** True if a call should write what has gathered. */
  #hasGathered(): boolean {
    // A caller that never awaits would queue without end.
    if (this.#queue.bytes > this.#options.maxPendingBytes) return true
    // When the event loop should turn, what more there is waits until it has.
    return this.#queue.bytes > GATHERED_BYTES_MAX && !this.#parts.turn.isOld()
  }

  readonly #runArmed = (): void => {
    this.#armed = false
    this.#run()
  }

  /** Resolves when every batch that is queued now has been written or refused. Later ones are not waited for. */
  drain(): Promise<void> {
    return this.#queue.drain()
  }

  close(): Promise<void> {
    return this.#queue.close()
  }

  /** @param whole the event loop cannot turn before the caller ends: leave nothing to its next turn */
  #run(whole: boolean = false): void {
    // A listener of an event may write: the loop that is under way sees it.
    if (this.#running || this.#waiting || (this.#yielding && !whole)) return
    this.#running = true
    try {
      this.#runAll(whole)
    } finally {
      this.#running = false
    }
  }

  #runAll(whole: boolean): void {
    const { turn } = this.#parts
    while (this.#queue.length > 0) {
      if (!this.#commitGroupOrFail()) return
      if (!whole && this.#queue.length > 0 && turn.isOld()) {
        this.#yielding = true
        turn.later(this.#resume)
        return
      }
    }
    this.#queue.reset()
  }

  readonly #resume = (): void => {
    this.#yielding = false
    this.#run()
  }

  /** Nothing unexpected, such as memory that is used up, may leave the queue standing still. */
  #commitGroupOrFail(): boolean {
    try {
      return this.#commitGroup()
    } catch (error) {
      return this.#failGroup(Math.min(1, this.#queue.length), toWiscError(error))
    }
  }

  /** Commits what is next. @returns false if it has to wait; then it comes back by itself */
  #commitGroup(): boolean {
    const queue = this.#queue
    const first = queue.at(0)
    if (first.ready) return this.#wait(first.ready)
    if (first.compose) {
      this.#compose(first, NOTHING, undefined)
      return true
    }
    const { log, memtables, admission, flushes, turn } = this.#parts
    // What writes nothing, and asks for nothing, needs nobody's leave: it is there for its turn, and for its sync.
    if (first.records === 0 && first.condition === undefined && first.failure === undefined) {
      settleWritten(queue.leave(1), log, turn)
      return true
    }
    const verdict = admission.ask(isDeletes(first), first)
    if (verdict.kind !== 'admitted') return this.#keptBack(verdict)
    const conflict = judge(first, NOTHING)
    if (conflict) return this.#refuse(conflict)
    if (first.records === 0) {
      settleWritten(queue.leave(1), log, turn)
      return true
    }
    const countMax = verdict.deletesOnly ? 1 : queue.length
    const plan = planGroup(queue, countMax, this.#parts, this.#composeBehind)
    if (
      !memtables.active.hasRoom(plan.arenaBytes) ||
      coversItsShare(log, memtables, this.#options, plan.bytes)
    ) {
      if (!memtables.freeze(log.end, plan.arenaBytes))
        return this.#keptBack(admission.withoutMemtable())
      flushes.wake()
    }
    const place = log.place(plan.bytes)
    if (place === undefined) return this.#keptBack(admission.withoutPlace())
    admission.take(plan.cost)
    return this.#writeGroup(plan.count, place)
  }

  /** The turn of a batch has come: from now on it is like any other. */
  #compose(batch: Batch, earlier: LastWrites, footing: Footing | undefined): void {
    const queue = this.#queue
    compose(batch, earlier, footing, queue.taken, this.#defaults)
    try {
      if (batch.compresses && batch.records > 0) this.#compression.begin(batch)
    } catch (error) {
      batch.failure = toWiscError(error)
    }
    queue.resized(0, batch.bytes)
  }

  readonly #composeBehind = (batch: Batch, earlier: LastWrites): void => {
    this.#compose(batch, earlier, this.#footing)
  }

  #keptBack(verdict: Verdict): boolean {
    if (verdict.kind === 'waits') return this.#wait(verdict.until)
    return verdict.kind === 'refused' ? this.#refuse(verdict.error) : true
  }

  /** Those that are next, and whoever has read what they were going to write: its turn will tell. */
  #refuse(error: WiscError, count: number = 1): true {
    for (const batch of this.#queue.leave(count)) batch.reject(error)
    this.#footing.lose(error)
    this.#footing = new Footing()
    return true
  }

  /** @param wanted batches that fit; those behind a changed one are left for the next group */
  #writeGroup(wanted: number, place: FramePlace): boolean {
    const group = this.#group
    const queue = this.#queue
    const { count, records, stagedBytes } = frameContent(queue, wanted)
    if (count === 0) {
      this.#parts.admission.written()
      return this.#refuse(new ChangedValueError())
    }
    const firstSequence = this.#nextSequence
    if (firstSequence + records > SEQUENCE_MAX) {
      return this.#failGroup(count, new WiscError('WISC_INTERNAL', 'sequences are used up'))
    }
    const { log, memtables } = this.#parts
    // What could fail when the group is published has to fail before it is written.
    memtables.active.prepare(records)
    group.begin(firstSequence, stagedBytes)
    addRecords(group, queue, count)
    // A failed group's sequences are not used again: perhaps its bytes are on disk.
    this.#nextSequence = firstSequence + records
    let writing: Promise<void> | undefined
    try {
      writing = log.write(group)
    } catch (error) {
      return this.#failGroup(count, toWiscError(error))
    }
    if (writing === undefined) {
      this.#publish(count, place, firstSequence)
      return true
    }
    const done = writing.then(
      () => {
        memtables.writing = undefined
        this.#publish(count, place, firstSequence)
      },
      (error: unknown) => {
        memtables.writing = undefined
        // A changed value, too, is that of the only batch: what is larger than a group is alone.
        this.#failGroup(count, toWiscError(error))
      },
    )
    memtables.writing = done
    return this.#wait(done)
  }

  /** The group is in the log: make it visible, then settle its batches. */
  #publish(count: number, place: FramePlace, firstSequence: Sequence): void {
    const { memtables, readers, log, turn, admission } = this.#parts
    admission.written()
    const batches = this.#queue.leave(count)
    let sequence = firstSequence
    let offset = place.offset + FRAME_HEADER_BYTES
    try {
      for (const batch of batches) {
        for (const write of writesOf(batch)) {
          offset += insertWrite(this.#parts, write, sequence++, place.segment, offset)
          this.#userBytes += userBytes(write)
        }
      }
    } catch (error) {
      // A part of the group would be seen with the next one, and the rest lost with the next flush (I2). The log is
      // right: the next open finds all of it.
      for (const batch of batches) batch.reject(toWiscError(error))
      this.#parts.health.end(toWiscError(error))
      return
    }
    memtables.logBytes += offset - place.offset
    readers.newest = sequence - 1
    if (this.watchers.size > 0) tellWatchers(this.watchers, batches)
    settleWritten(batches, log, turn)
  }

  /** A disk that is only now found to be full fails no batch: each is judged anew, and deletes go on. */
  #failGroup(count: number, error: WiscError): boolean {
    this.#parts.admission.written()
    const isJudgedAnew = this.#parts.health.writeFailed(error)
    return isJudgedAnew || this.#refuse(error, count)
  }

  #wait(until: Promise<void>): false {
    this.#waiting = true
    void until.finally(() => {
      this.#waiting = false
      this.#run()
    })
    return false
  }
}
