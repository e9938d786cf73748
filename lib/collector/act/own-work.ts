/**
 * What the collector does by itself at the moment: steps, and a compaction of the tree that exposes what is hidden.
 * What fails is told to those who know what may be begun again.
 */
import { linkSignals } from '../../base/abort.ts'
import { toWiscError, type WiscError } from '../../base/errors.ts'
import { Signal } from '../../base/signal.ts'
import { plannedFiles } from '../../contract/collection.ts'
import type { CollectionStep } from '../../contract/collection-plan.ts'
import { ForegroundWatch } from '../pace/foreground-watch.ts'
import type { CollectedStore } from './action.ts'
import type { Actor } from './actor.ts'
import { RunningSteps } from './running-steps.ts'

/** Steps side by side: more would keep the cores from the foreground. */
const STEPS_MAX = 2

/** Who compacts the tree. */
export interface Exposer {
  compactRange(range: Record<string, never>, reason: 'garbage', signal: AbortSignal): Promise<void>
}

export interface OwnStore extends CollectedStore {
  readonly compactions: Exposer & CollectedStore['compactions']
}

export class OwnWork {
  readonly #store: OwnStore
  readonly #actor: Actor
  readonly #stop: AbortSignal
  readonly running: RunningSteps
  readonly #watch: ForegroundWatch
  /** Cancels steps; a pause does. */
  #cancel: AbortController = new AbortController()
  #exposing: Promise<void> | undefined
  /** Told when something has ended, well or not. */
  readonly ended: Signal = new Signal()

  /** @param stop fires when the store closes, or a sync has failed */
  constructor(store: OwnStore, actor: Actor, stop: AbortSignal) {
    const { workers, collector } = store.context.options
    this.#store = store
    this.#actor = actor
    this.#stop = stop
    // The rate that the user has set is that of one step.
    const stepsMax = collector.bytesPerSecond === undefined ? Math.min(workers, STEPS_MAX) : 1
    this.running = new RunningSteps(store.space.usage, stepsMax, store.claims)
    this.#watch = new ForegroundWatch(collector.bytesPerSecond)
  }

  get hasSteps(): boolean {
    return this.running.count > 0
  }

  get isBusy(): boolean {
    return this.hasSteps || this.#exposing !== undefined
  }

  /** The store is well below its bound: steps may be held back for the foreground. */
  set hasTime(hasTime: boolean) {
    this.#watch.hasRoom = hasTime
  }

  /** Compacts the tree, unless that is being done. */
  expose(): void {
    const { compactions, health, space } = this.#store
    this.#exposing ??= compactions
      .compactRange({}, 'garbage', this.#stop)
      .catch((error: unknown) =>
        health.collectionFailed(toWiscError(error), space.references.totals.tableBytes),
      )
      .finally(() => {
        this.#exposing = undefined
        this.ended.tell()
      })
  }

  /** Requires: there is a place for it. */
  start(step: CollectionStep): void {
    const { signal, unlink } = linkSignals(this.#stop, this.#cancel.signal)
    const { rate } = this.#watch
    this.#watch.start()
    const ended = this.running.start(step, (control) =>
      this.#actor.execute(step, 'space', { signal, rate, ...control }).then(
        () => undefined,
        (error: unknown) => this.#stepFailed(step, toWiscError(error)),
      ),
    )
    void ended.then(() => {
      unlink()
      if (!this.hasSteps) this.#watch.stop()
      this.ended.tell()
    })
  }

  #stepFailed(step: CollectionStep, error: WiscError): void {
    const files = plannedFiles(step).map(({ number }) => number)
    this.#actor.blame(files, error)
    const bytesWanted = step.action === 'rewrite' ? step.outputBytes : 0
    this.#store.health.collectionFailed(error, bytesWanted)
  }

  /** Steps under way are taken back. */
  cancelSteps(): void {
    this.#cancel.abort()
    this.#cancel = new AbortController()
  }

  /** Resolves when a step has ended. */
  anyStepEnded(): Promise<void> {
    return this.running.anyEnded()
  }

  /** Resolves when nothing is under way. */
  async allEnded(): Promise<void> {
    while (this.hasSteps) await this.anyStepEnded()
    await this.#exposing
  }
}
