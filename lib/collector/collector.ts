/**
 * The collector: looks at the space of the store when something has changed, and gives back what is over the bound.
 *
 *   look    measure (lib/space/space.ts) and decide (plan/decide.ts, plan/planner.ts; of a cache plan/eviction.ts)
 *   act     flush, compact, or carry out the best step (act/own-work.ts, act/actor.ts); then look again
 *
 * A look follows each new version, each sixteenth of a segment that was written, and the end of a burst of writes
 * (pace/look-times.ts). Nothing here decides what is visible.
 */
import { linkSignals } from '../base/abort.ts'
import { invalidArgument, toWiscError, WiscError } from '../base/errors.ts'
import type { Signal } from '../base/signal.ts'
import type { CollectionStep } from '../contract/collection-plan.ts'
import { emitSafely } from '../contract/events.ts'
import { amplificationOf } from '../space/figures.ts'
import type { Space } from '../space/space.ts'
import type { CollectorStore } from './act/action.ts'
import { Actor } from './act/actor.ts'
import { EvictableFiles } from './act/evictable.ts'
import { OwnWork } from './act/own-work.ts'
import { RunningSteps, stepsMaxOf } from './act/running-steps.ts'
import { DiskBound } from './pace/disk-bound.ts'
import { LookTimes } from './pace/look-times.ts'
import { LookTurns } from './pace/look-turns.ts'
import { type Usage, UsedSpace } from './pace/used-space.ts'
import { WriteCost, type WriteSize } from './pace/write-cost.ts'
import { WriterPace } from './pace/writer-pace.ts'
import { decide, type LookState } from './plan/decide.ts'
import type { CacheDecision } from './plan/eviction.ts'
import type { InTurns } from './plan/in-turns.ts'
import type { Pressure } from './plan/pressure.ts'

/** Pinned garbage above this part of the live bytes is worth a warning. */
const PINNED_SHARE = 1 / 10

/** Of a segment: writers are let go with so much where nothing can come back. */
const LET_GO_SHARE = 1 / 8
/** Of a segment: with more room than that, steps may be held back for the foreground. */
const TIME_SHARE = 1 / 2

export class Collector {
  readonly store: CollectorStore
  readonly actor: Actor
  readonly running: RunningSteps
  readonly writers: WriterPace = new WriterPace()
  readonly #cost: WriteCost
  readonly #bound: DiskBound
  readonly #used: UsedSpace
  readonly #evictable: EvictableFiles | undefined
  readonly #times: LookTimes
  readonly #lookTurns: LookTurns
  readonly #own: OwnWork
  /** Cancels everything: the store closes, or a sync has failed. */
  readonly #stop: AbortController = new AbortController()
  #stopped: WiscError | undefined
  #started = false
  #paused = false
  /** What the last look found: something will come back without anybody's doing. */
  #canHelp = false
  #pinnedWarned = false
  /** No write had come for a while when the last look began. */
  #isQuietLook = false

  constructor(store: CollectorStore) {
    this.store = store
    const { segmentBytes, collector, cache } = store.context.options
    // What a cache shadows counts for nothing.
    this.#cost = new WriteCost(cache ? 0 : collector.targetSpaceAmplification, segmentBytes)
    this.#evictable = cache && new EvictableFiles(store)
    this.actor = new Actor(store, this.writers)
    this.#bound = new DiskBound(store)
    this.#times = new LookTimes(this, store.log, store.readers, segmentBytes)
    this.#lookTurns = new LookTurns(this.#times)
    const stepsMax = stepsMaxOf(store.context.options)
    this.running = new RunningSteps(store.space.usage, stepsMax, store.claims)
    this.#used = new UsedSpace(store, this.running, this.writers)
    this.#own = new OwnWork(store, this.actor, this.running, this.#stop.signal)
    void this.#lookAfter(this.#own.ended)
    // Later than the edit of a flush its arena is free, and later than any other its files are gone.
    void this.#lookAfter(store.flushes.ended)
    void this.#lookAfter(store.unlinker.unlinked)
  }

  async #lookAfter(changed: Signal): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      await changed.next({ signal }).catch(ended)
      this.#used.noteGone()
      this.wake()
    }
  }

  // Admission asks.

  /** What a batch takes from the budget of space. */
  costOf(batch: WriteSize): number {
    return this.#cost.of(batch)
  }

  /** A group that begins with this batch is next. @returns what it should wait for. Deletes wait for no room. */
  pace(deletesOnly: boolean, isOver: boolean, first: WriteSize): Promise<void> | undefined {
    if (!this.isActive) return undefined
    this.#times.writing()
    if (!isOver && deletesOnly) return undefined
    const roomBytes = this.#cost.roomFor(first)
    if (!isOver && this.writers.mayGo(roomBytes)) return this.writers.turn(roomBytes)
    // What was known is known of another position of the log, or says that nothing comes back.
    if (!this.#times.isUpToDate || !this.#canHelp) this.#times.soon()
    this.#times.again()
    return this.writers.changed()
  }

  /** A group that need not wait may take so much. */
  mayTake(cost: number): boolean {
    return !this.isActive || this.writers.mayGrow(cost)
  }

  take(cost: number): void {
    this.writers.take(cost)
  }

  /** What was taken last is on disk, or has failed. */
  written(): void {
    this.writers.written()
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

  /** A writer would be refused, or has to wait: looks anew, unless nothing can have changed; it waits for all turns. */
  lookForWriter(): void {
    const isKnown = this.#canHelp || this.#lookTurns.isFresh
    if (!this.#times.isUpToDate || !isKnown) this.look(true)
  }

  /** Something will be given back without anybody's doing; or that is not known yet. */
  get mayGiveBack(): boolean {
    const mayHelp = this.#canHelp || this.#lookTurns.isUnderWay
    return this.isActive && (mayHelp || this.#bound.isGivingBack)
  }

  // It looks, and acts.

  /** Something has changed. */
  readonly wake = (): void => {
    this.#lookTurns.isOutdated = true
    this.#times.soon()
  }

  get isActive(): boolean {
    const { collector } = this.store.context.options
    return this.#started && collector.enabled && !this.#paused && !this.#stop.signal.aborted
  }

  /** @param isQuiet no write has come for a while: then it is worth to expose little, too */
  look(isQuiet: boolean): void {
    if (this.#lookTurns.isUnderWay) {
      // Where nothing has changed it is as good as the next: else who waits outdates each look that takes long.
      const seesLess = !this.#times.isUpToDate || (isQuiet && !this.#isQuietLook)
      this.#lookTurns.isOutdated ||= seesLess
      return
    }
    this.#isQuietLook = isQuiet
    this.#times.begun()
    if (this.isActive) this.#lookTurns.run(this.#lookInTurns(isQuiet))
    else {
      // Nothing will come back by itself.
      this.#canHelp = false
      this.#lookAtDisk()
      this.writers.tell({ kind: 'released' })
    }
  }

  *#lookInTurns(isQuiet: boolean): InTurns<void> {
    const { space } = this.store
    try {
      let figures = space.measureInTurns()
      for (; figures === undefined; figures = space.measureInTurns()) yield
      const usage = this.#used.measured(figures)
      this.#cost.meanBytes = figures.meanBytes
      this.#warnOfPins(figures)
      this.#times.at(figures.expiry.next)
      const state = this.#lookState(isQuiet, usage)
      const decision: CacheDecision = yield* this.#evictable
        ? this.#evictable.decide(figures, state, this.#own.isEvicting)
        : decide(figures, state)
      if (this.isActive) this.#act(decision, usage)
    } catch (error) {
      // A table that cannot be read: gets and compactions will tell of it, too.
      this.#warn(`space cannot be measured: ${toWiscError(error).message}`)
      this.writers.tell({ kind: 'released' })
    }
  }

  #lookAtDisk(): void {
    if (!this.#bound.isSet) return
    try {
      this.#used.lookAtDisk()
    } catch (error) {
      this.#warn(`space cannot be measured: ${toWiscError(error).message}`)
    }
  }

  #lookState(isQuiet: boolean, { usedBytes, isUnlinking }: Usage): LookState {
    const { context, memtables, compactions, health, room } = this.store
    return {
      rules: this.actor.ownRules(context.options.collector.targetSpaceAmplification),
      putLimitBytes: this.#bound.putLimitBytes,
      lack: health.diskLack(),
      ballastBytesToCome: room.ballastBytesToCome,
      usedBytes,
      isUnlinking,
      unflushedBytes: memtables.logBytes,
      isQuiet,
      hasRoom: health.hasRoomToCollect(),
      isCompacting: compactions.isRunning,
      running: this.running,
      isTreeExposed: this.#own.isTreeExposed,
    }
  }

  /** What has changed since the look began makes a step stale at most: then it does nothing. */
  #act(decision: CacheDecision, usage: Usage): void {
    const { takenBytes, usedBytes, isUnlinking } = usage
    const { flushes, health, context, log } = this.store
    const { pressure, step } = decision
    const { segmentBytes } = context.options
    const hasLostRoom = step !== undefined && this.#hasLostRoom(step, pressure, usage)
    let hasBegun = false
    const isFlushing = decision.flushes && flushes.flushEarly()
    if (health.mayCollect) {
      if (decision.exposes) this.#own.expose()
      const hasPlace = step && this.running.hasPlaceFor(step, decision.pairsRewrites)
      hasBegun = hasPlace === true && !hasLostRoom
      if (hasBegun) this.#own.start(step!)
      if (decision.eviction) this.#own.evict(decision.eviction)
    }
    const isUnderWay = isFlushing || this.#own.isBusy || this.running.isBusy
    if (health.mayCollect && step === undefined && !isUnderWay) health.collectionEnded()
    const isToCome = isUnlinking || decision.isStepLate || hasLostRoom || log.isSealing
    this.#canHelp = isUnderWay || isToCome
    const isProved = !this.#canHelp && !this.#lookTurns.isOutdated
    this.writers.tell({
      kind: 'looked',
      takenBytes,
      roomBytes: pressure.limitBytes - usedBytes,
      rewriteBytes: hasBegun ? decision.laterBytes : decision.rewriteBytes,
      isUnlinking,
      mayComeBack: !isProved,
      letGoBytes: segmentBytes * LET_GO_SHARE,
    })
    if (hasLostRoom || (hasBegun && decision.pairsRewrites)) this.#times.soon()
    if (this.writers.isWaitedFor) this.#times.again()
    this.#own.hasTime = this.writers.mayGo(segmentBytes * TIME_SHARE)
  }

  /** Writers may have used meanwhile what the look had found for it: then the next look decides. */
  #hasLostRoom(
    step: CollectionStep,
    { boundBytes }: Pressure,
    { takenBytes, usedBytes }: Usage,
  ): boolean {
    if (step.action !== 'rewrite') return false
    const roomBytes = boundBytes - usedBytes - step.outputBytes
    return roomBytes >= 0 && roomBytes < this.writers.takenSince(takenBytes)
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
    emitSafely(this.store.context.events, 'warning', message)
  }

  // Commands.

  /** The store is open: from now on space is looked at. */
  start(): void {
    this.#started = true
    this.#begin()
    // Before the first write, so that maxBytesOnDisk holds from there on.
    if (this.#bound.isSet) {
      this.#lookAtDisk()
      this.look(false)
    }
    this.wake()
  }

  /** How far the store is from its bound is not known before the next look. */
  #begin(): void {
    const { segmentBytes } = this.store.context.options
    this.writers.tell({ kind: 'begun', roomBytes: segmentBytes * LET_GO_SHARE })
  }

  get isPaused(): boolean {
    return this.#paused
  }

  /** @throws WISC_INVALID_ARGUMENT: nobody collects a cache, or stops it from evicting */
  checkAsked(): void {
    if (this.#evictable) throw invalidArgument('a cache evicts, and is not collected')
  }

  pause(): void {
    this.checkAsked()
    this.#paused = true
    this.#own.cancelSteps()
    this.writers.tell({ kind: 'released' })
  }

  resume(): void {
    this.checkAsked()
    this.#paused = false
    this.#begin()
    this.wake()
  }

  /** Cancels what is under way, for good. */
  async close(): Promise<void> {
    this.stop(new WiscError('WISC_NOT_OPEN', 'the store is closed'))
    await this.running.allEnded()
    await this.#own.allEnded()
  }

  /** Nothing is edited, unlinked or punched again. @param reason what callers of a collection are told */
  stop(reason: WiscError): void {
    this.#stopped ??= reason
    this.#stop.abort()
    this.#times.stop()
    this.#lookTurns.stop()
    this.writers.tell({ kind: 'released' })
  }

  /** Runs something that no other step may cross. */
  async exclusively<T>(
    work: (signal: AbortSignal) => Promise<T>,
    asked: AbortSignal | undefined,
  ): Promise<T> {
    const { signal, unlink } = linkSignals(this.#stop.signal, asked)
    try {
      return await this.running.exclusively(() => {
        if (this.#stopped) throw this.#stopped
        return work(signal)
      })
    } catch (error) {
      // What was cancelled because of a stop says why it was.
      if (this.#stopped && toWiscError(error).code === 'WISC_ABORTED') throw this.#stopped
      throw error
    } finally {
      unlink()
      this.wake()
    }
  }
}

function ended(): void {}
