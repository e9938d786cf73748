/** What looks find used of the bound of space, and what has come back since: the pace of writers goes by it. */
import type { ResolvedOptions } from '../../contract/options.ts'
import type { Space, SpaceAccount } from '../../space/space.ts'
import type { WriterPace } from './writer-pace.ts'

/** What a look found used, and when. */
export interface Usage {
  /** What had been taken from the budget of space, and was on disk, when it measured. */
  readonly takenBytes: number
  readonly usedBytes: number
  readonly isUnlinking: boolean
}

export interface MeasuredStore {
  readonly context: { readonly options: Pick<ResolvedOptions, 'segmentBytes' | 'cache'> }
  readonly space: Pick<SpaceAccount, 'usage' | 'measureWritten'>
  readonly memtables: { readonly tableBytesMax: number }
  readonly compactions: { readonly inputBytes: number }
  readonly unlinker: { readonly isBusy: boolean }
}

/** Steps that run. */
interface RunningWrites {
  /** Of what they write, so much is not on disk yet. */
  readonly unwrittenBytes: number
}

export class UsedSpace {
  readonly #store: MeasuredStore
  readonly #running: RunningWrites
  readonly #writers: WriterPace

  constructor(store: MeasuredStore, running: RunningWrites, writers: WriterPace) {
    this.#store = store
    this.#running = running
    this.#writers = writers
  }

  /** In the turn in which the figures were measured. */
  measured(figures: Space): Usage {
    const { diskBytes, tableBytes, outsideTableBytes, unwrittenUploadBytes } = figures
    const { memtables, compactions, unlinker, context } = this.#store
    const { cache, segmentBytes } = context.options
    this.noteGone()
    const takenBytes = this.#writers.takenOnDisk
    const writtenBytes = diskBytes + this.#running.unwrittenBytes + unwrittenUploadBytes
    this.#writers.measured(writtenBytes, takenBytes)
    // What a compaction writes before its inputs go is excepted up to a segment, of a cache up to its tree.
    const treeBytes = Math.max(outsideTableBytes, compactions.inputBytes)
    const beyondBytes = Math.max(0, treeBytes - (cache ? tableBytes : segmentBytes))
    const usedBytes = writtenBytes - outsideTableBytes + beyondBytes + memtables.tableBytesMax
    return { takenBytes, usedBytes, isUnlinking: unlinker.isBusy }
  }

  /** The disk alone, where no look is due. @throws IoError */
  lookAtDisk(): void {
    const diskBytes = this.#store.space.measureWritten() + this.#running.unwrittenBytes
    this.#writers.measured(diskBytes, this.#writers.takenOnDisk)
  }

  /** Files may have gone, or have holes. */
  noteGone(): void {
    const bytes = this.#store.space.usage.takeGone()
    if (bytes > 0) this.#writers.tell({ kind: 'reclaimed', bytes })
  }
}
