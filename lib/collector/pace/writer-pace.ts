/** The budget of space (space-budget.ts) of a store, and the writers that wait for it: for room, and for their turn. */
import { Signal } from '../../base/signal.ts'
import {
  type Budget,
  type BudgetEvent,
  budgetAfter,
  mayGo,
  mayGrow,
  RELEASED,
  roomOf,
  takenOnDisk,
} from './space-budget.ts'
import { Throttle } from './throttle.ts'

export class WriterPace {
  #budget: Budget = RELEASED
  readonly #throttle: Throttle = new Throttle()
  /** Bytes on disk when they were last measured, those included that running rewrites will write. */
  #diskBytes = 0
  /** What had been taken by then. */
  #takenThen = 0
  /** What uploads have written since: it is not taken from the budget, since it counts as living (space.ts). */
  #uploadedBytes = 0
  /** Told when writers may have more. */
  readonly #changed: Signal = new Signal()

  /** What has been taken so far, and is on disk if it ever will be. */
  get takenOnDisk(): number {
    return takenOnDisk(this.#budget)
  }

  /** @param takenBytes what had been taken, and was on disk, at some moment */
  takenSince(takenBytes: number): number {
    return this.#budget.takenBytes - takenBytes
  }

  /** Bytes on disk now: what was measured, and what was taken since. */
  get diskBytes(): number {
    return this.#diskBytes + this.#budget.takenBytes - this.#takenThen + this.#uploadedBytes
  }

  /** @param takenBytes what had been taken, and was on disk, when the disk was measured */
  measured(diskBytes: number, takenBytes: number): void {
    this.#diskBytes = diskBytes
    this.#takenThen = takenBytes
    this.#uploadedBytes = 0
  }

  /** An upload is going to write so many bytes. */
  uploaded(bytes: number): void {
    this.#uploadedBytes += bytes
  }

  /** Something has happened; whoever waits asks again. */
  tell(event: BudgetEvent): void {
    this.#budget = budgetAfter(this.#budget, event)
    const now = performance.now()
    if (event.kind === 'looked') this.#throttle.looked(event.mayComeBack, now)
    if (event.kind === 'rewriting') this.#throttle.rewriting(event.returningBytes, now)
    if (event.kind === 'rewritten' && !event.hasFailed)
      this.#throttle.rewritten(event.returningBytes, now)
    this.#changed.tell()
  }

  /** A group takes so many bytes. */
  take(bytes: number): void {
    this.#throttle.taken(bytes, roomOf(this.#budget), performance.now())
    this.#budget = budgetAfter(this.#budget, { kind: 'admitted', bytes })
  }

  /** It is written, or has failed. */
  written(): void {
    this.#budget = budgetAfter(this.#budget, { kind: 'written' })
  }

  /** Is there room for a group that takes so many bytes? */
  mayGo(bytes: number): boolean {
    return mayGo(this.#budget, bytes)
  }

  /** There is room for it. @returns what it should wait for, so that others have some, too */
  turn(bytes: number): Promise<void> | undefined {
    if (!this.#isSpread) return undefined
    const ms = this.#throttle.waitMs(bytes, roomOf(this.#budget), performance.now())
    return ms > 0 ? this.#changed.next({ ms }) : undefined
  }

  /** May it take so many as a whole? */
  mayGrow(bytes: number): boolean {
    if (!mayGrow(this.#budget, bytes)) return false
    return (
      !this.#isSpread || bytes <= this.#throttle.growth(roomOf(this.#budget), performance.now())
    )
  }

  /** Resolves when any of that may have another answer. */
  changed(): Promise<void> {
    return this.#changed.next()
  }

  /** A writer waits. */
  get isWaitedFor(): boolean {
    return this.#changed.isAwaited
  }

  get #isSpread(): boolean {
    const { isReleased, letGoBytes } = this.#budget
    return !isReleased && letGoBytes === 0
  }
}
