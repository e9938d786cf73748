/**
 * The collector: looks at the space of the store when something has changed, and gives back what is over the bound.
 *
 *   look    measure (lib/space/space.ts) and decide (plan/decide.ts, plan/planner.ts)
 *   act     flush, compact, or carry out the best step (act/actor.ts); then look again
 *
 * A step or two at a time (act/running-steps.ts), in workers. A look follows each new version, each sixteenth of a
 * segment that was written, and the end of a burst of writes; an idle store is looked at no more. Nothing here decides
 * what is visible.
 */

import type { Compactions } from '../background/compactions.ts'
import type { Flushes } from '../background/flushes.ts'
import { linkSignals } from '../base/abort.ts'
import { toWiscError, WiscError } from '../base/errors.ts'
import type { Signal } from '../base/signal.ts'
import { plannedFiles } from '../contract/collection.ts'
import type { CollectionStep } from '../contract/collection-plan.ts'
import { emitSafely } from '../contract/events.ts'
import { amplificationOf } from '../space/collection-figures.ts'
import type { Space } from '../space/space.ts'
import { Actor, type ActorParts } from './act/actor.ts'
import { RunningSteps } from './act/running-steps.ts'
import { DiskBound, type DiskBoundParts } from './pace/disk-bound.ts'
import { ForegroundWatch } from './pace/foreground-watch.ts'
import { WriterPace } from './pace/writer-pace.ts'
import { decide } from './plan/decide.ts'

/** A look follows each such part of a segment that was written. */
const LOOK_SHARE = 1 / 16
/** Looks take at most about this share of the thread: one costs a millisecond for some five hundred files. */
const LOOK_TIME_SHARE = 1 / 5
/** A shorter one is followed by the next at once. */
const LONG_LOOK_MS = 4
/** Quiet time after writes before the last look. */
const QUIET_MS = 300
/** While a writer waits. */
const LOOK_AGAIN_MS = 100
/** Steps side by side: more would keep the cores from the foreground. */
const STEPS_MAX = 2
/** Pinned garbage above this part of the live bytes is worth a warning. */
const PINNED_SHARE = 1 / 10

/** Who knows what has failed, and what may be begun again. */
export interface CollectorHealth {
  /** False for a while after a failure. */
  readonly mayCollect: boolean
  /** False while the disk has no more room than what was needed when there was none. */
  hasRoomToCollect(): boolean
  /** @param bytesWanted of the files that were to be written; 0: an edit could not be */
  collectionFailed(error: WiscError, bytesWanted: number): void
}

export interface CollectorParts extends ActorParts, DiskBoundParts {
  readonly health: CollectorHealth
  readonly flushes: Pick<Flushes, 'isRunning' | 'ended' | 'flushEarly'>
  readonly compactions: Pick<Compactions, 'isRunning' | 'compactRange'>
  /** What someone may still read. */
  readonly readable: () => number[]
}

export class Collector {
  readonly parts: CollectorParts
  readonly writers: WriterPace
  readonly actor: Actor
  readonly #bound: DiskBound
  /** Cancels everything: the store closes, or a sync has failed. */
  readonly #stop: AbortController = new AbortController()
  #stopped: WiscError | undefined
  /** Cancels the step that runs by itself; a pause does. */
  #cancelStep: AbortController = new AbortController()
  readonly #watch: ForegroundWatch
  #started = false
  #paused = false
  /** What the last look found: something will come back without anybody's doing. */
  #canHelp = false
  /** Plans and collections that someone asked for: steps of our own wait, and go on after them. */
  #manual = 0
  #scheduled = false
  readonly #running: RunningSteps
  #exposing: Promise<void> | undefined
  #lookedAt = 0
  /** When the store may be looked at again. */
  #nextLookAt = 0
  #quietTimer: NodeJS.Timeout | undefined
  #lookTimer: NodeJS.Timeout | undefined
  #restTimer: NodeJS.Timeout | undefined
  #pinnedWarned = false
  /** The bound is that of `maxBytesOnDisk`, not the target. */
  #isAtPutLimit = false
  /** What runs exclusively. */
  #asked: Promise<void> | undefined

  constructor(parts: CollectorParts) {
    this.parts = parts
    this.#bound = new DiskBound(parts)
    this.writers = new WriterPace(() => parts.log.bytesWritten)
    this.actor = new Actor(parts, (bytes, ms) => this.writers.reclaimed(bytes, ms))
    const { workers, collector } = parts.options
    // The rate that the user has set is that of one step.
    const stepsMax = collector.bytesPerSecond === undefined ? Math.min(workers, STEPS_MAX) : 1
    this.#running = new RunningSteps(parts.space.usage, stepsMax)
    this.#watch = new ForegroundWatch(collector.bytesPerSecond)
    void this.#lookAfter(parts.flushes.ended)
    void this.#lookAfter(parts.unlinker.unlinked)
  }

  /** Later than the edit of a flush its arena is free, and later than any other its files are gone. */
  async #lookAfter(changed: Signal): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      await changed.next({ signal }).catch(ended)
      this.wake()
    }
  }

  /** A group is going to be written. @returns what it should wait for */
  pace(deletesOnly: boolean, isOver: boolean): Promise<void> | undefined {
    if (!this.#isActive) return undefined
    const written = this.parts.log.bytesWritten
    if (written - this.#lookedAt >= this.parts.options.segmentBytes * LOOK_SHARE) this.wake()
    this.#quietTimer ??= this.#timer(QUIET_MS, () => this.#afterQuiet(written))
    const wait = this.#waitFor(deletesOnly, isOver)
    if (wait) this.#lookLater()
    return wait
  }

  /** Beyond `maxBytesOnDisk` something is under way. Deletes may use what puts must leave. */
  #waitFor(deletesOnly: boolean, isOver: boolean): Promise<void> | undefined {
    if (isOver) return this.writers.measuredAgain()
    return deletesOnly && this.#isAtPutLimit ? undefined : this.writers.admit()
  }

  /** Whoever waits must not depend on somebody else's event. */
  #lookLater(): void {
    this.#lookTimer ??= this.#timer(LOOK_AGAIN_MS, () => {
      this.#lookTimer = undefined
      this.wake()
    })
  }

  /** Bytes on disk now, with those that are being written anew. */
  get diskBytes(): number {
    return this.writers.diskBytes
  }

  /** Of `maxBytesOnDisk` puts leave room for what gives space back; deletes may use that. */
  boundBytes(deletesOnly: boolean): number {
    return this.#bound.limitBytes(deletesOnly)
  }

  boundReached(): WiscError {
    return this.#bound.reached()
  }

  /** A writer would be refused, or has to wait: looks anew, unless nothing can have changed. */
  lookForWriter(): void {
    if (this.parts.log.bytesWritten !== this.#lookedAt || !this.#canHelp) this.#look(true)
  }

  /** Something will be given back without anybody's doing. */
  get mayGiveBack(): boolean {
    return this.#isActive && (this.#canHelp || this.#bound.isGivingBack)
  }

  #afterQuiet(written: number): void {
    this.#quietTimer = undefined
    const now = this.parts.log.bytesWritten
    if (now === written) this.#look(true)
    else this.#quietTimer = this.#timer(QUIET_MS, () => this.#afterQuiet(now))
  }

  #timer(ms: number, call: () => void): NodeJS.Timeout {
    return setTimeout(call, ms).unref()
  }

  /** Something has changed. */
  readonly wake = (): void => {
    if (this.#scheduled || !this.#isActive) return
    this.#scheduled = true
    const look = (): void => this.#lookNow()
    const restMs = this.#nextLookAt - performance.now()
    // Not unref'd: a writer may wait for this look.
    if (restMs > 0) this.#restTimer = setTimeout(look, restMs)
    else setImmediate(look)
  }

  /** Looks, and says when the next look may be. */
  #lookNow(): void {
    this.#scheduled = false
    const began = performance.now()
    this.#look(this.#quietTimer === undefined)
    const ms = performance.now() - began
    this.#nextLookAt = ms < LONG_LOOK_MS ? 0 : began + ms / LOOK_TIME_SHARE
  }

  get #isActive(): boolean {
    const { collector } = this.parts.options
    return this.#started && collector.enabled && !this.#paused && !this.#stop.signal.aborted
  }

  /** The store is open: from now on space is looked at. */
  start(): void {
    this.#started = true
    // Before the first write, so that maxBytesOnDisk holds from there on.
    if (this.#bound.isSet) this.#look(false)
    this.wake()
  }

  get isPaused(): boolean {
    return this.#paused
  }

  pause(): void {
    this.#paused = true
    this.#cancelStep.abort()
    this.#cancelStep = new AbortController()
    this.writers.measured(this.writers.diskBytes, undefined)
  }

  resume(): void {
    this.#paused = false
    this.wake()
  }

  /** Cancels what is under way, for good. */
  async close(): Promise<void> {
    this.stop(new WiscError('WISC_NOT_OPEN', 'the store is closed'))
    while (this.#running.count > 0) await this.#running.anyEnded()
    await this.#exposing
    await this.#asked
  }

  /** Nothing is edited, unlinked or punched again. @param reason what callers of a collection are told */
  stop(reason: WiscError): void {
    this.#stopped ??= reason
    this.#stop.abort()
    clearTimeout(this.#quietTimer)
    clearTimeout(this.#lookTimer)
    clearTimeout(this.#restTimer)
    this.writers.measured(0, undefined)
  }

  /** @param isQuiet no write has come for a while: then it is worth to expose little, too */
  #look(isQuiet: boolean): void {
    this.#lookedAt = this.parts.log.bytesWritten
    try {
      if (!this.#isActive) {
        this.#lookAtDisk()
        return
      }
      const space = this.parts.space.measureInSteps()
      if (space) this.#act(space, isQuiet)
      else this.wake()
    } catch (error) {
      // A table that cannot be read: gets and compactions will tell of it, too.
      this.#warn(`space cannot be measured: ${toWiscError(error).message}`)
      this.writers.measured(0, undefined)
    }
  }

  /** Nothing will come back by itself: only `maxBytesOnDisk` is held. */
  #lookAtDisk(): void {
    this.#canHelp = false
    if (!this.#bound.isSet) return
    this.writers.measured(this.parts.space.measureDisk(), undefined)
  }

  #act(space: Space, isQuiet: boolean): void {
    this.#warnOfPins(space)
    const { options, memtables, flushes, compactions, health } = this.parts
    const running = this.#running
    const decision = decide(space, {
      rules: this.actor.rules(options.collector.targetSpaceAmplification),
      putLimitBytes: this.#bound.putLimitBytes,
      unflushedBytes: memtables.logBytes,
      running,
      isQuiet,
      hasRoom: health.hasRoomToCollect(),
      isCompacting: compactions.isRunning,
    })
    const { pressure, step } = decision
    const isFlushing = decision.flushes && flushes.flushEarly()
    if (decision.exposes && health.mayCollect) this.#expose()
    if (step && this.#mayStart(step)) this.#start(step)
    this.#isAtPutLimit = pressure.limitBytes === this.#bound.putLimitBytes
    this.#canHelp = isFlushing || !!this.#exposing || running.count > 0 || this.#manual > 0
    if (this.writers.isWaitedFor) this.#lookLater()
    if (this.#canHelp) this.writers.measured(space.diskBytes + this.#roomNeeded(space), pressure)
    else this.writers.measured(space.diskBytes, undefined)
    this.#watch.hasRoom = this.writers.diskBytes < pressure.slowBytes
  }

  /** For what is being written anew before the old goes: the output of a rewrite, or the whole tree. */
  #roomNeeded({ tableBytes }: Space): number {
    return Math.max(this.#running.reservedBytes, this.#exposing ? tableBytes : 0)
  }

  #mayStart(step: CollectionStep): boolean {
    return this.#manual === 0 && this.parts.health.mayCollect && this.#running.hasPlaceFor(step)
  }

  #expose(): void {
    const { compactions, health, space } = this.parts
    this.#exposing ??= compactions
      .compactRange({}, this.#stop.signal)
      .catch((error: unknown) =>
        health.collectionFailed(toWiscError(error), space.references.totals.tableBytes),
      )
      .finally(() => {
        this.#exposing = undefined
        this.wake()
      })
  }

  #start(step: CollectionStep): void {
    const { signal, unlink } = linkSignals(this.#stop.signal, this.#cancelStep.signal)
    this.#watch.start()
    const ended = this.#running.start(step, (control) =>
      this.actor.execute(step, 'space', { signal, rate: this.#watch.rate, ...control }).then(
        () => undefined,
        (error: unknown) => this.#stepFailed(step, toWiscError(error)),
      ),
    )
    void ended.then(() => {
      unlink()
      if (this.#running.count === 0) this.#watch.stop()
      this.wake()
    })
  }

  #stepFailed(step: CollectionStep, error: WiscError): void {
    const files = plannedFiles(step).map(({ number }) => number)
    this.actor.blame(files, error)
    const bytesWanted = step.action === 'rewrite' ? step.outputBytes : 0
    this.parts.health.collectionFailed(error, bytesWanted)
  }

  #warnOfPins({ pinnedBytes, liveBytes }: Space): void {
    const isMuch = pinnedBytes > liveBytes * PINNED_SHARE
    if (isMuch && !this.#pinnedWarned) {
      const share = amplificationOf(pinnedBytes, liveBytes)
      this.#warn(
        `open snapshots and iterators keep garbage: close them bytes=${pinnedBytes} share=${share}`,
      )
    }
    this.#pinnedWarned = isMuch
  }

  #warn(message: string): void {
    emitSafely(this.parts.events, 'warning', message)
  }

  /** Runs something that no other step may cross. */
  async exclusively<T>(
    work: (signal: AbortSignal) => Promise<T>,
    asked: AbortSignal | undefined,
  ): Promise<T> {
    this.#manual++
    const { signal, unlink } = linkSignals(this.#stop.signal, asked)
    try {
      while (this.#running.count > 0 || this.#asked) {
        await (this.#asked ?? this.#running.anyEnded())
      }
      if (this.#stopped) throw this.#stopped
      const running = work(signal)
      this.#asked = running.then(ended, ended).finally(() => {
        this.#asked = undefined
      })
      return await running
    } catch (error) {
      // What was cancelled because of a stop says why it was.
      if (this.#stopped && toWiscError(error).code === 'WISC_ABORTED') throw this.#stopped
      throw error
    } finally {
      unlink()
      this.#manual--
      this.wake()
    }
  }
}

function ended(): void {}
