/**
 * The collector's own work at the moment: steps, a compaction of the tree that exposes hidden garbage, the evictions of
 * a cache. Failures go to health, which decides about retries.
 */
import { linkSignals } from '../../base/abort.ts'
import { CorruptionError, toWiscError, type WiscError } from '../../base/errors.ts'
import { parseFileName } from '../../base/files/file-names.ts'
import type { FileNumber, Sequence } from '../../base/ids.ts'
import { Signal } from '../../base/signal.ts'
import { plannedFiles } from '../../contract/collection.ts'
import type { CollectionStep } from '../../contract/collection-plan.ts'
import { emitSafely } from '../../contract/events.ts'
import type { Level } from '../../tree/version/version.ts'
import { ForegroundWatch } from '../pace/foreground-watch.ts'
import type { Eviction } from '../plan/eviction.ts'
import type { CollectorStore } from './action.ts'
import { type Actor, unreadableFile } from './actor.ts'
import type { RunningSteps } from './running-steps.ts'

/** What the last compaction of the whole tree has left. */
interface Exposed {
  readonly levels: readonly Level[]
  readonly held: readonly Sequence[]
  /** What had expired by then is gone. */
  readonly expiredBy: number
}

export class OwnWork {
  readonly #store: CollectorStore
  readonly #actor: Actor
  readonly #running: RunningSteps
  readonly #stop: AbortSignal
  readonly #watch: ForegroundWatch
  /** Cancels steps; a pause does. */
  #cancel: AbortController = new AbortController()
  #exposing: Promise<void> | undefined
  #evicting: Promise<void> | undefined
  /** What a compaction of the whole tree has left, and who read then. */
  #exposed: Exposed | undefined
  /** Tables that kept such a compaction from its end: the next would come as far, and write as much. */
  readonly #unreadable: Set<FileNumber> = new Set()
  /** Told when something has ended, well or not. */
  readonly ended: Signal = new Signal()

  /** @param stop fires when the store closes, or a sync has failed */
  constructor(store: CollectorStore, actor: Actor, running: RunningSteps, stop: AbortSignal) {
    this.#store = store
    this.#actor = actor
    this.#running = running
    this.#stop = stop
    this.#watch = new ForegroundWatch(store.context.options.collector.bytesPerSecond)
  }

  /** Beside steps. */
  get isBusy(): boolean {
    return this.#exposing !== undefined || this.isEvicting
  }

  get isEvicting(): boolean {
    return this.#evicting !== undefined
  }

  /** The store is well below its bound: steps may be held back for the foreground. */
  set hasTime(hasTime: boolean) {
    this.#watch.hasRoom = hasTime
  }

  /** Compacts the tree, unless that is being done. */
  expose(): void {
    const { compactions, health, space, readers } = this.#store
    const seen = { held: readers.held, expiredBy: readers.expiredBy }
    this.#exposing ??= compactions
      .compactRange({}, 'garbage', this.#stop)
      .then(() => this.#noteExposed(seen))
      .catch((cause: unknown) => {
        const error = toWiscError(cause)
        if (this.#noteUnreadable(error)) return
        health.collectionFailed('expose', error, space.references.totals.tableBytes)
      })
      .finally(() => {
        this.#exposing = undefined
        this.ended.tell()
      })
  }

  /** @returns whether a compaction has failed at a table that cannot be read */
  #noteUnreadable(error: WiscError): boolean {
    const name = unreadableFile(error)
    const file = name === undefined ? undefined : parseFileName(name)
    if (file?.kind !== 'table') return false
    this.#unreadable.add(file.number)
    const message = `garbage stays hidden, since a table cannot be read: ${error.message}`
    emitSafely(this.#store.context.events, 'warning', message)
    return true
  }

  #isAnyUnreadable(): boolean {
    const { tables } = this.#store.versions.current
    for (const number of this.#unreadable) {
      if (tables.has(number)) return true
      this.#unreadable.delete(number)
    }
    return false
  }

  /** Requires: nothing else is under way that changes the value log. */
  evict(eviction: Eviction): void {
    this.#evicting = this.#actor
      .evict(eviction, this.#stop)
      .then(() => this.#store.health.collectionDone('evict'))
      .catch((error: unknown) => this.#evictionFailed(toWiscError(error)))
      .finally(() => {
        this.#evicting = undefined
        this.ended.tell()
      })
  }

  #evictionFailed(error: WiscError): void {
    // A file has changed since it was chosen: the next look chooses anew.
    if (error.code !== 'WISC_STALE') this.#store.health.collectionFailed('evict', error, 0)
  }

  /** @param seen who read, and what had expired, when it began */
  #noteExposed(seen: Omit<Exposed, 'levels'>): void {
    this.#store.health.collectionDone('expose')
    const { levels } = this.#store.versions.current
    // With more than one run a flush has come between.
    const runs = levels.reduce((sum, level) => sum + level.runs.length, 0)
    this.#exposed = runs <= 1 ? { levels, ...seen } : undefined
  }

  /**
   * A compaction of the whole tree would give nothing back, whatever estimates say: it is as the last one has left it,
   * whoever read then still does, and nothing has expired since; or a table of it cannot be read. Else one that is
   * estimated to help, and does not, would be made for ever.
   */
  get isTreeExposed(): boolean {
    if (this.#isAnyUnreadable()) return true
    if (this.#exposed === undefined) return false
    const { versions, readers, space } = this.#store
    const { levels, held, expiredBy } = this.#exposed
    if (versions.current.levels !== levels) return false
    if (space.references.expiredBy(expiredBy).next <= readers.expiredBy) return false
    const now = new Set(readers.held)
    return held.every((sequence) => now.has(sequence))
  }

  /** Requires: there is a place for it. */
  start(step: CollectionStep): void {
    const { signal, unlink } = linkSignals(this.#stop, this.#cancel.signal)
    const { rate } = this.#watch
    this.#watch.start()
    const ended = this.#running.run(step, 'space', (running) =>
      this.#actor.execute(running, { signal, rate }).then(
        () => this.#store.health.collectionDone(step.action),
        (error: unknown) => this.#stepFailed(step, toWiscError(error)),
      ),
    )
    void ended.then(() => {
      unlink()
      if (this.#running.count === 0) this.#watch.stop()
      this.ended.tell()
    })
  }

  #stepFailed(step: CollectionStep, error: WiscError): void {
    const files = plannedFiles(step).map(({ number }) => number)
    // Damage is of these alone: the others go on. A disk that refuses to read may refuse the next ones, too.
    if (this.#actor.blame(files, error) && error instanceof CorruptionError) return
    const bytesWanted = step.action === 'rewrite' ? step.outputBytes : 0
    this.#store.health.collectionFailed(step.action, error, bytesWanted)
  }

  /** Steps under way are taken back. */
  cancelSteps(): void {
    this.#cancel.abort()
    this.#cancel = new AbortController()
  }

  /** Resolves when nothing is under way, beside steps. */
  async allEnded(): Promise<void> {
    await this.#exposing
    await this.#evicting
  }
}
