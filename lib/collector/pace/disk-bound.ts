/**
 * The bound of bytes on disk, `maxBytesOnDisk` or that of a cache: what it leaves for puts and for deletes, and what
 * may come back before either is refused.
 */
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

/** The part of `cache.maxBytes` that is for manifest and log at most. */
const ROOM_SHARE = 1 / 16

function roomOf(maxBytes: number): number {
  return Math.min(ROOM_BYTES, maxBytes * ROOM_SHARE)
}

/** What a cache keeps from puts: a whole compaction of the tree may be written, and a segment prepared. */
function cacheReserveOf(maxBytes: number, tableBytes: number, segmentBytes: number): number {
  return tableBytes + segmentBytes + roomOf(maxBytes)
}

export interface BoundedStore {
  readonly context: { readonly options: ResolvedOptions }
  readonly space: SpaceAccount
  readonly flushes: { readonly isRunning: boolean }
  readonly compactions: { readonly isRunning: boolean }
  readonly unlinker: { readonly isBusy: boolean }
  readonly memtables: { readonly tableBytesMax: number }
}

export class DiskBound {
  readonly #store: BoundedStore

  constructor(store: BoundedStore) {
    this.#store = store
  }

  get #maxBytes(): number {
    const { cache, collector } = this.#store.context.options
    return cache?.maxBytes ?? collector.maxBytesOnDisk ?? Number.POSITIVE_INFINITY
  }

  get isSet(): boolean {
    return this.#maxBytes !== Number.POSITIVE_INFINITY
  }

  /** What it leaves for puts; Infinity without one. */
  get putLimitBytes(): number {
    if (!this.isSet) return Number.POSITIVE_INFINITY
    const { memtables, context, space } = this.#store
    const tableBytes = space.references.totals.tableBytes + memtables.tableBytesMax
    const { segmentBytes, cache } = context.options
    const reserveOf = cache ? cacheReserveOf : putReserveOf
    return this.#maxBytes - reserveOf(this.#maxBytes, tableBytes, segmentBytes)
  }

  /** A cache evicts before it comes to its reserve; what is there already may be used. */
  limitBytes(deletesOnly: boolean): number {
    const { memtables, context, space } = this.#store
    if (deletesOnly) return this.#maxBytes
    if (!context.options.cache) return this.putLimitBytes
    // Of the room for a compaction of the tree, what one that runs has not used yet.
    const toWrite = Math.max(0, space.references.totals.tableBytes - space.usage.outsideTableBytes)
    return this.#maxBytes - memtables.tableBytesMax - toWrite - roomOf(this.#maxBytes)
  }

  /** Tables and log that a flush or a compaction is about to replace are on disk beside what replaces them. */
  get isGivingBack(): boolean {
    const { flushes, compactions, unlinker } = this.#store
    return compactions.isRunning || flushes.isRunning || unlinker.isBusy
  }

  reached(): WiscError {
    if (this.#store.context.options.cache) {
      const message =
        'the cache has nothing left to evict: a write is too large for it, or something else takes its room ' +
        `cache.maxBytes=${this.#maxBytes}`
      return new WiscError('WISC_DISK_FULL', message)
    }
    const reserve = this.#maxBytes - this.putLimitBytes
    const message =
      'the store has reached maxBytesOnDisk, less a reserve for deletes and for what gives space back: ' +
      `delete, collect, or allow more maxBytesOnDisk=${this.#maxBytes} reserve=${reserve}`
    return new WiscError('WISC_DISK_FULL', message)
  }
}
