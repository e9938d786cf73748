/** The budget of space (space-budget.ts) of a store, and the writers that wait for it. */
import { Signal } from '../../base/signal.ts'
import {
  type Budget,
  type BudgetEvent,
  budgetAfter,
  mayGo,
  mayGrow,
  RELEASED,
  takenOnDisk,
} from './space-budget.ts'

export class WriterPace {
  #budget: Budget = RELEASED
  /** Bytes on disk when they were last measured, those included that running rewrites will write. */
  #diskBytes = 0
  /** What had been taken by then. */
  #takenThen = 0
  /** Told when writers may have more. */
  readonly #changed: Signal = new Signal()

  /** What has been taken so far, and is on disk if it ever will be. */
  get takenOnDisk(): number {
    return takenOnDisk(this.#budget)
  }

  /** Bytes on disk now: what was measured, and what was taken since. */
  get diskBytes(): number {
    return this.#diskBytes + this.#budget.takenBytes - this.#takenThen
  }

  /** @param takenBytes what had been taken, and was on disk, when the disk was measured */
  measured(diskBytes: number, takenBytes: number): void {
    this.#diskBytes = diskBytes
    this.#takenThen = takenBytes
  }

  /** Something has happened; whoever waits asks again. */
  tell(event: BudgetEvent): void {
    this.#budget = budgetAfter(this.#budget, event)
    this.#changed.tell()
  }

  /** A group takes so many bytes. */
  take(bytes: number): void {
    this.#budget = budgetAfter(this.#budget, { kind: 'admitted', bytes })
  }

  /** It is written, or has failed. */
  written(): void {
    this.#budget = budgetAfter(this.#budget, { kind: 'written' })
  }

  /** May a group that takes so many bytes be written now? */
  mayGo(bytes: number): boolean {
    return mayGo(this.#budget, bytes)
  }

  /** May it take so many as a whole? */
  mayGrow(bytes: number): boolean {
    return mayGrow(this.#budget, bytes)
  }

  /** Resolves when that may have another answer. */
  changed(): Promise<void> {
    return this.#changed.next()
  }

  /** A writer waits. */
  get isWaitedFor(): boolean {
    return this.#changed.isAwaited
  }
}
