/** `maxBytesOnDisk`: what it leaves for puts and for deletes, and what may come back before either is refused. */
import { WiscError } from '../../base/errors.ts'
import type { ResolvedOptions } from '../../contract/options.ts'
import type { SpaceAccount } from '../../space/space.ts'
import { ROOM_BYTES } from '../plan/pressure.ts'

/** The part of `maxBytesOnDisk` that the reserve is at most. */
const RESERVE_SHARE = 1 / 8

/**
 * What `maxBytesOnDisk` keeps from puts: the room for the tables of the memtables, a compaction of the tree and one
 * rewrite, but never more than an eighth of it. Deletes may use that room, so that a full store can be emptied.
 */
export function putReserveOf(
  maxBytesOnDisk: number,
  tableBytes: number,
  segmentBytes: number,
): number {
  const needed = tableBytes + segmentBytes + ROOM_BYTES
  return Math.round(Math.min(needed, maxBytesOnDisk * RESERVE_SHARE))
}

export interface BoundedStore {
  readonly context: { readonly options: ResolvedOptions }
  readonly space: SpaceAccount
  readonly flushes: { readonly isRunning: boolean }
  readonly compactions: { readonly isRunning: boolean }
  readonly unlinker: { readonly isBusy: boolean }
  readonly memtables: { readonly usedBytes: number }
}

export class DiskBound {
  readonly #store: BoundedStore

  constructor(store: BoundedStore) {
    this.#store = store
  }

  get #maxBytes(): number {
    return this.#store.context.options.collector.maxBytesOnDisk ?? Number.POSITIVE_INFINITY
  }

  get isSet(): boolean {
    return this.#maxBytes !== Number.POSITIVE_INFINITY
  }

  /** What it leaves for puts; Infinity without one. */
  get putLimitBytes(): number {
    if (!this.isSet) return Number.POSITIVE_INFINITY
    const { memtables, context, space } = this.#store
    // What is in memtables will take as many bytes as tables, at most.
    const tableBytes = space.references.totals.tableBytes + memtables.usedBytes
    return this.#maxBytes - putReserveOf(this.#maxBytes, tableBytes, context.options.segmentBytes)
  }

  limitBytes(deletesOnly: boolean): number {
    return deletesOnly ? this.#maxBytes : this.putLimitBytes
  }

  /** Tables and log that a flush or a compaction is about to replace are on disk beside what replaces them. */
  get isGivingBack(): boolean {
    const { flushes, compactions, unlinker } = this.#store
    return compactions.isRunning || flushes.isRunning || unlinker.isBusy
  }

  reached(): WiscError {
    const reserve = this.#maxBytes - this.putLimitBytes
    const message =
      'the store has reached maxBytesOnDisk, less a reserve for deletes and for what gives space back: ' +
      `delete, collect, or allow more maxBytesOnDisk=${this.#maxBytes} reserve=${reserve}`
    return new WiscError('WISC_DISK_FULL', message)
  }
}
