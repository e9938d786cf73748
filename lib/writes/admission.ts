/**
 * Admission: whether and when a group, or a piece of an upload, may be written. Nobody else decides.
 *
 *   refused   something has failed; the disk is full; `maxBytesOnDisk` is reached and nothing comes back
 *   waits     the ballast is being given up, for deletes; level 0 has too many runs; no memtable is free; something
 *             comes back near a bound of space; the log has no place yet
 *
 * Deletes may use what puts must leave, so they may be admitted alone. Whoever has waited asks again. The waits are
 * counted here.
 */
import type { EventEmitter } from 'node:events'
import type { Log } from '../../vlog/log/log.ts'
import type { WiscError } from '../base/errors.ts'
import type { Signal } from '../base/signal.ts'
import { emitSafely, type StallEvent, type StallReason } from '../contract/events.ts'
import { LEVEL_0_RUNS_SLOW, LEVEL_0_RUNS_STOP } from '../tree/version/tree-shape.ts'
import type { BatchSize } from './batch.ts'

/** A writer's wait for each level-0 run above the slow limit. */
const SLOW_MS_PER_RUN = 1

/** Waits that follow each other so soon are one stand of the writers: a throttle makes many of a millisecond. */
const STAND_GAP_MS = 10

type RefusalReason = 'failure' | 'maxBytesOnDisk'

export type Verdict =
  | { readonly kind: 'admitted'; readonly deletesOnly: boolean }
  | { readonly kind: 'refused'; readonly reason: RefusalReason; readonly error: WiscError }
  | { readonly kind: 'waits'; readonly reason: StallReason; readonly until: Promise<void> }

const ADMITTED: Verdict = { kind: 'admitted', deletesOnly: false }
/** The group must not carry puts along: these would be refused, or wait. */
const DELETES_ADMITTED: Verdict = { kind: 'admitted', deletesOnly: true }

/** Why puts are refused, and deletes unless they are spared. */
export interface Refusal {
  readonly error: WiscError
  readonly sparesDeletes: boolean
}

/** Who knows what has failed. */
export interface AdmittingHealth {
  /** Why nothing will be flushed for now. */
  readonly stopped: WiscError | undefined
  /** Why writes are refused now, if they are. It is a reason to try again what has failed. */
  refusal(): Refusal | undefined
  /** A full disk is about to have room for deletes. */
  readonly roomToCome: Promise<void> | undefined
  /** A group could not be written. @returns true if only this says that the disk is full: deletes may go on */
  writeFailed(error: WiscError): boolean
  /** Nothing is written any more. */
  end(error: WiscError): void
}

/** Waits that follow each other without much between them. */
class Stand {
  /** For how long writers have waited in it, and for what. */
  ms: number = 0
  readonly #waits: Map<StallReason, number> = new Map()

  add(ms: number, reason: StallReason): void {
    this.ms += ms
    this.#waits.set(reason, (this.#waits.get(reason) ?? 0) + ms)
  }

  /** What they have waited for the longest. */
  get event(): StallEvent {
    const [longest] = [...this.#waits].sort(([, left], [, right]) => right - left)
    return { ms: this.ms, reason: longest![0] }
  }
}

/** What makes level 0 shorter. */
export interface Level0 {
  readonly level0Runs: number
  /** Nothing will make it shorter for now. */
  readonly areStopped: boolean
  readonly ended: Signal
  wake(): void
}

/** Who keeps the store within its bounds of space. */
export interface SpaceKeeper {
  /** Bytes on disk now, with what is being written anew. */
  readonly diskBytes: number
  /** Of `maxBytesOnDisk`, what is for deletes, or for all; Infinity without one. */
  boundBytes(deletesOnly: boolean): number
  /** Looks anew, unless nothing can have changed. */
  lookForWriter(): void
  /** Something will be given back without anybody's doing. */
  readonly mayGiveBack: boolean
  /** `maxBytesOnDisk` is reached. */
  boundReached(): WiscError
  /**
   * A group is going to be written, unless it has to wait.
   * @param isOver it would be beyond `maxBytesOnDisk`
   * @param first the batch that it begins with
   * @returns what a writer near a bound waits for, while something comes back
   */
  pace(deletesOnly: boolean, isOver: boolean, first: BatchSize): Promise<void> | undefined
  costOf(batch: BatchSize): number
  /** The budget has so much. */
  mayTake(cost: number): boolean
  take(cost: number): void
  /** What was taken last is on disk, or has failed. */
  written(): void
  /** Of these, who counts what an upload is going to write. */
  readonly writers: { uploaded(bytes: number): void }
}

export interface AdmissionParts {
  readonly health: AdmittingHealth
  readonly compactions: Level0
  readonly flushes: { readonly ended: Signal }
  readonly collector: SpaceKeeper
  readonly log: Pick<Log, 'takeFailure' | 'changed'>
  readonly events: EventEmitter
}

export class Admission {
  readonly #parts: AdmissionParts
  /** Times that writers have stood so far, and for how long. */
  readonly stalls: { count: number; ms: number } = { count: 0, ms: 0 }
  /** The one that has not ended. */
  #stand: Stand | undefined
  /** Ends it, unless there is another wait. */
  #standEnd: NodeJS.Timeout | undefined
  /** The group that comes next has waited for level 0 already. */
  #hasWaited = false

  constructor(parts: AdmissionParts) {
    this.#parts = parts
  }

  /** May a group that begins with this batch be written? It may grow as long as it `hasRoom`. */
  ask(deletesOnly: boolean, first: BatchSize): Verdict {
    const { health, collector } = this.#parts
    const { bytes } = first
    const cost = collector.costOf(first)
    const refusal = health.refusal()
    if (refusal && !(deletesOnly && refusal.sparesDeletes))
      return this.#refused(refusal, deletesOnly)
    const isOver = this.#isOver(deletesOnly, bytes) && this.#staysOver(deletesOnly, bytes)
    if (isOver && !this.#mayFit(deletesOnly, bytes))
      return { kind: 'refused', reason: 'maxBytesOnDisk', error: collector.boundReached() }
    const deletesAlone =
      deletesOnly && (refusal !== undefined || isOver || !this.hasRoom(bytes, cost))
    const admitted = deletesAlone ? DELETES_ADMITTED : ADMITTED
    return this.#waitForLevel0() ?? this.#waitForSpace(deletesOnly, isOver, first) ?? admitted
  }

  /**
   * May an upload write so many bytes? What it writes counts as living, so it passes no bound but `maxBytesOnDisk`, and
   * beside the log it waits for none of what the log waits for.
   */
  askForUpload(bytes: number): Verdict {
    const { health, collector } = this.#parts
    const refusal = health.refusal()
    if (refusal) return this.#refused(refusal, false)
    if (!this.#isOver(false, bytes) || !this.#staysOver(false, bytes)) return ADMITTED
    if (!this.#mayFit(false, bytes))
      return { kind: 'refused', reason: 'maxBytesOnDisk', error: collector.boundReached() }
    const piece = { records: 1, bytes, arenaBytes: 0, tableBytesMax: 0 }
    return this.#waitForSpace(false, true, piece) ?? ADMITTED
  }

  /** An upload is going to write so many bytes. */
  uploaded(bytes: number): void {
    this.#parts.collector.writers.uploaded(bytes)
  }

  /** What a batch takes from the budget of space. */
  costOf(batch: BatchSize): number {
    return this.#parts.collector.costOf(batch)
  }

  /** A group with puts may be so large. */
  hasRoom(bytes: number, cost: number): boolean {
    return !this.#isOver(false, bytes) && this.#parts.collector.mayTake(cost)
  }

  /** A group is going to be written. */
  take(cost: number): void {
    this.#parts.collector.take(cost)
  }

  /** It is written, or has failed. */
  written(): void {
    this.#parts.collector.written()
  }

  /** No memtable is free for the group. */
  withoutMemtable(): Verdict {
    const { health, flushes } = this.#parts
    if (health.stopped) return this.#failed(health.stopped)
    return this.#waits('flush', flushes.ended.next())
  }

  /** The log has no place for the group. */
  withoutPlace(): Verdict {
    const { log } = this.#parts
    const failure = log.takeFailure()
    if (failure) return this.#failed(failure)
    return this.#waits('log', log.changed.next())
  }

  #waits(reason: StallReason, until: Promise<void>): Verdict {
    const began = performance.now()
    clearTimeout(this.#standEnd)
    if (this.#stand === undefined) this.stalls.count++
    const stand = this.#stand ?? new Stand()
    this.#stand = stand
    const ended = until.then(() => {
      const ms = performance.now() - began
      stand.add(ms, reason)
      this.stalls.ms += ms
      clearTimeout(this.#standEnd)
      this.#standEnd = setTimeout(() => this.#tellOf(stand), STAND_GAP_MS).unref()
    })
    return { kind: 'waits', reason, until: ended }
  }

  #tellOf({ event }: Stand): void {
    this.#stand = undefined
    emitSafely(this.#parts.events, 'stall', event)
  }

  #failed(error: WiscError): Verdict {
    this.#parts.health.writeFailed(error)
    return { kind: 'refused', reason: 'failure', error }
  }

  #refused({ error }: Refusal, deletesOnly: boolean): Verdict {
    const until = deletesOnly ? this.#parts.health.roomToCome : undefined
    return until ? this.#waits('ballast', until) : { kind: 'refused', reason: 'failure', error }
  }

  /** Would so many bytes pass `maxBytesOnDisk`? */
  #isOver(deletesOnly: boolean, bytes: number): boolean {
    const { collector } = this.#parts
    const bound = collector.boundBytes(deletesOnly)
    return bound !== Number.POSITIVE_INFINITY && collector.diskBytes + bytes > bound
  }

  /** ... also when it is looked at anew? */
  #staysOver(deletesOnly: boolean, bytes: number): boolean {
    this.#parts.collector.lookForWriter()
    return this.#isOver(deletesOnly, bytes)
  }

  /** More than there may ever be waits for nothing. */
  #mayFit(deletesOnly: boolean, bytes: number): boolean {
    const { collector } = this.#parts
    return bytes <= collector.boundBytes(deletesOnly) && collector.mayGiveBack
  }

  #waitForLevel0(): Verdict | undefined {
    const { compactions } = this.#parts
    const runs = compactions.level0Runs
    if (runs < LEVEL_0_RUNS_SLOW || compactions.areStopped) return undefined
    if (runs >= LEVEL_0_RUNS_STOP) {
      compactions.wake()
      return this.#waits('level 0', this.#level0Shortened())
    }
    this.#hasWaited = !this.#hasWaited
    if (!this.#hasWaited) return undefined
    const ms = (runs - LEVEL_0_RUNS_SLOW + 1) * SLOW_MS_PER_RUN
    const until = new Promise<void>((resolve) => setTimeout(resolve, ms))
    return this.#waits('level 0', until)
  }

  async #level0Shortened(): Promise<void> {
    const { compactions } = this.#parts
    while (compactions.level0Runs >= LEVEL_0_RUNS_STOP && !compactions.areStopped)
      await compactions.ended.next()
  }

  #waitForSpace(deletesOnly: boolean, isOver: boolean, first: BatchSize): Verdict | undefined {
    const until = this.#parts.collector.pace(deletesOnly, isOver, first)
    return until && this.#waits(isOver ? 'maxBytesOnDisk' : 'space', until)
  }
}
