/**
 * Admission: whether and when a group may be written. The commit queue asks; nobody else decides.
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
import { emitSafely } from '../contract/events.ts'
import { LEVEL_0_RUNS_SLOW, LEVEL_0_RUNS_STOP } from '../tree/version/tree-shape.ts'

/** A writer's wait for each level-0 run above the slow limit. */
const SLOW_MS_PER_RUN = 1

/** What keeps a group back. */
export type AdmissionReason =
  | 'failure'
  | 'maxBytesOnDisk'
  | 'ballast'
  | 'level 0'
  | 'flush'
  | 'space'
  | 'log'

export type Verdict =
  | { readonly kind: 'admitted'; readonly deletesOnly: boolean }
  | { readonly kind: 'refused'; readonly reason: AdmissionReason; readonly error: WiscError }
  | { readonly kind: 'waits'; readonly reason: AdmissionReason; readonly until: Promise<void> }

const ADMITTED: Verdict = { kind: 'admitted', deletesOnly: false }
/** A group must not carry puts along. */
const DELETES_ADMITTED: Verdict = { kind: 'admitted', deletesOnly: true }

/** Who knows what has failed. */
export interface AdmittingHealth {
  /** Why nothing will be flushed for now. */
  readonly stopped: WiscError | undefined
  /** Why a write is refused now, if it is. It is a reason to try again what has failed. */
  refusal(deletesOnly: boolean): WiscError | undefined
  /** A full disk is about to have room for deletes. */
  readonly roomToCome: Promise<void> | undefined
  /** A group could not be written. */
  writeFailed(error: WiscError): void
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
   * @returns what a writer near a bound waits for, while something comes back
   */
  pace(deletesOnly: boolean, isOver: boolean): Promise<void> | undefined
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
  /** Waits so far. */
  readonly stalls: { count: number; ms: number } = { count: 0, ms: 0 }
  /** The group that comes next has waited for level 0 already. */
  #hasWaited = false

  constructor(parts: AdmissionParts) {
    this.#parts = parts
  }

  /** May a group of so many bytes be written? */
  ask(deletesOnly: boolean, bytes: number): Verdict {
    const refusal = this.#refusal(deletesOnly, bytes)
    if (refusal) return refusal
    const verdict =
      deletesOnly && this.#refusal(false, bytes) !== undefined ? DELETES_ADMITTED : ADMITTED
    return this.#waitForLevel0() ?? this.#waitForSpace(deletesOnly, bytes) ?? verdict
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

  #waits(reason: AdmissionReason, until: Promise<void>): Verdict {
    this.stalls.count++
    const began = performance.now()
    const ended = until.then(() => {
      const ms = performance.now() - began
      this.stalls.ms += ms
      emitSafely(this.#parts.events, 'stall', { ms })
    })
    return { kind: 'waits', reason, until: ended }
  }

  #failed(error: WiscError): Verdict {
    this.#parts.health.writeFailed(error)
    return { kind: 'refused', reason: 'failure', error }
  }

  #refusal(deletesOnly: boolean, bytes: number): Verdict | undefined {
    const { health, collector: space } = this.#parts
    const error = health.refusal(deletesOnly)
    if (error) {
      const until = deletesOnly ? health.roomToCome : undefined
      return until ? this.#waits('ballast', until) : { kind: 'refused', reason: 'failure', error }
    }
    if (!this.#isOver(deletesOnly, bytes)) return undefined
    space.lookForWriter()
    // More than there may ever be waits for nothing.
    const mayFit = bytes <= space.boundBytes(deletesOnly) && space.mayGiveBack
    if (mayFit || !this.#isOver(deletesOnly, bytes)) return undefined
    return { kind: 'refused', reason: 'maxBytesOnDisk', error: space.boundReached() }
  }

  #isOver(deletesOnly: boolean, bytes: number): boolean {
    const { collector: space } = this.#parts
    const bound = space.boundBytes(deletesOnly)
    return bound !== Number.POSITIVE_INFINITY && space.diskBytes + bytes > bound
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

  #waitForSpace(deletesOnly: boolean, bytes: number): Verdict | undefined {
    const isOver = this.#isOver(deletesOnly, bytes)
    const until = this.#parts.collector.pace(deletesOnly, isOver)
    return until && this.#waits(isOver ? 'maxBytesOnDisk' : 'space', until)
  }
}
