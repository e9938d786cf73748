/**
 * Batches that wait to be written, and the copies of what their callers passed (taken-bytes.ts). They leave in the
 * order in which they came.
 */
import { WiscError } from '../base/errors.ts'
import { Signal } from '../base/signal.ts'
import type { Batch } from './batch.ts'
import { TakenBytes } from './taken-bytes.ts'

export class BatchQueue {
  readonly taken: TakenBytes = new TakenBytes()
  #batches: Batch[] = []
  #head = 0
  #bytes = 0
  #isClosed = false
  /** Told when batches have left. */
  readonly #left: Signal = new Signal()

  get length(): number {
    return this.#batches.length - this.#head
  }

  /** Bytes of the records of all that wait. */
  get bytes(): number {
    return this.#bytes
  }

  /** One of those that wait: the next one at 0. Requires: index < length */
  at(index: number): Batch {
    return this.#batches[this.#head + index]!
  }

  /** @returns its number: it waits while `hasLeft` is false for it. @throws WISC_NOT_OPEN once it is closed */
  push(batch: Batch): number {
    if (this.#isClosed) throw new WiscError('WISC_NOT_OPEN', 'the store is closed')
    this.#batches.push(batch)
    this.#bytes += batch.bytes
    return this.taken.accept()
  }

  /** A batch that waits has other records than when it was queued. */
  resized(before: number, after: number): void {
    this.#bytes += after - before
  }

  hasLeft(number: number): boolean {
    return this.taken.left >= number
  }

  /** Takes the next ones out. */
  leave(count: number): Batch[] {
    const to = this.#head + count
    const batches = this.#batches.slice(this.#head, to)
    for (const batch of batches) this.#bytes -= batch.bytes
    this.#head = to
    // Keep the consumed front short without moving the rest for every group.
    if (to > 1024 && to * 2 > this.#batches.length) {
      this.#batches = this.#batches.slice(to)
      this.#head = 0
    }
    this.taken.leave(count)
    this.#left.tell()
    return batches
  }

  /** Its memory is used anew. Requires: none waits */
  reset(): void {
    this.#batches.length = 0
    this.#head = 0
    this.taken.reset()
  }

  /** Resolves when every batch that waits now has left. Later ones are not waited for. */
  async drain(): Promise<void> {
    const last = this.taken.accepted
    while (!this.hasLeft(last)) await this.#left.next()
  }

  /** Takes no more: nobody would find what came behind the last flush. Resolves as `drain` does. */
  close(): Promise<void> {
    this.#isClosed = true
    return this.drain()
  }
}
