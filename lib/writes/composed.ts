/**
 * Batches that say what they write when their turn has come: synchronous transactions and updates.
 *
 *   group:   put a | composed 1 | put b | composed 2 | ...        one frame, one write, made visible at once
 *                    has read the tree, where all earlier groups are, and over it what is before it in its group
 *
 * The order is that of every group: planned (here callbacks run), written to the log, inserted, settled. So a composed
 * batch has read what nobody else sees yet, and what may not come to be. Two rules keep that right:
 *
 *   - It is behind what it has read in the queue, and stays there: in the same group, or in a later one. No crash keeps
 *     the one without the other (I2), and its caller is told of nothing before both are written (I1).
 *   - If a batch before it is refused after all (the disk is full, the write has failed), it is refused for the same
 *     reason: each of them holds a `Footing`, which whoever refuses the first of the queue takes away. A callback is
 *     called once: what it has done elsewhere is not done again.
 */
import type { WiscError } from '../base/errors.ts'
import { type Batch, type BatchCondition, type LastWrites, makeBatch, seal } from './batch.ts'
import type { TakenBytes } from './taken-bytes.ts'
import { type TakeDefaults, takeWrite } from './write.ts'

/** It is made anew where it stands in the queue. */
type Unfinished = { -readonly [K in keyof Batch]: Batch[K] }

/** What composed batches stand on that have read what is not written yet: that nothing before them is refused. */
export class Footing implements BatchCondition {
  #lost: WiscError | undefined

  /** Something that they may have read will not be written. */
  lose(why: WiscError): void {
    this.#lost ??= why
  }

  judge(): WiscError | undefined {
    return this.#lost
  }
}

/**
 * The turn of a batch has come: from now on it is like any other.
 * @param earlier what comes before it in its group
 * @param footing undefined for the first of a group, which has read nothing but the tree
 */
export function compose(
  batch: Unfinished,
  earlier: LastWrites,
  footing: Footing | undefined,
  taken: TakenBytes,
  defaults: TakeDefaults,
): void {
  const { resolve, reject } = batch
  const made = batch.compose!
  batch.compose = undefined
  batch.condition = footing
  try {
    const { writes, result } = made(earlier)
    const own = writes.map((given) => takeWrite(taken, given, defaults))
    const content = makeBatch(own, batch)
    if (result !== undefined) batch.resolve = () => resolve(result)
    if (result instanceof Promise) batch.reject = batch.resolve
    batch.writes = content.writes
    batch.records = content.records
    batch.bytes = content.bytes
    batch.arenaBytes = content.arenaBytes
    batch.tableBytesMax = content.tableBytesMax
    batch.borrows = content.borrows
  } catch (error) {
    // It writes nothing; but what the callback has read must come to be before its caller hears of it.
    batch.sync = false
    batch.resolve = () => reject(error)
  }
  // It may have to wait, and its caller may change what it has returned.
  if (batch.borrows) seal(batch)
}
