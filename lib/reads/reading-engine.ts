/** An engine as the store needs it to read: the writable one and the read-only one both are. */
import type { EventEmitter } from 'node:events'
import type { WiscError } from '../base/errors.ts'
import type { BlockCache } from '../base/files/block-cache.ts'
import type { StoreDirectory } from '../base/files/store-directory.ts'
import type { SegmentNumber, Sequence } from '../base/ids.ts'
import type { CollectionPlan, ResolvedCollect } from '../contract/collection.ts'
import type { ResolvedOptions } from '../contract/options.ts'
import type { RecoveryReport } from '../contract/types.ts'
import type { SpaceAccount } from '../space/space.ts'
import type { Memtables } from '../state/memtables.ts'
import type { TableCache } from '../state/tables.ts'
import type { Version } from '../tree/version/version.ts'
import type { ViewGiver } from './read-view.ts'

export interface ReadingEngine extends ViewGiver {
  readonly context: StoreDirectory
  readonly options: ResolvedOptions
  readonly events: EventEmitter
  readonly tables: TableCache
  readonly cache: BlockCache
  readonly memtables: Memtables
  /** What is wrong with the files of a view that was read in spite of it. */
  readonly damage?: readonly WiscError[]
  readonly version: Version
  readonly recovery: RecoveryReport
  readonly space: SpaceAccount
  /** What stopped writes or background work, if anything did. */
  readonly error: WiscError | undefined
  /** The newest sequence that may be read. */
  readonly visibleSequence: Sequence
  readonly durableSequence: Sequence
  /** Where an open segment ends for this engine: frames up to here are whole. 0 if it has none. */
  writtenEnd(segment: SegmentNumber): number
  /** Keeps the files of the present version, if this engine is what would remove them. */
  pin(): { release(): void }
  /** Before something is bound to the view: goes on to the newest state if some of the view is known to be gone. */
  catchUp?(): void
  /** Somebody waits for what a writer of another process does: that keeps the process alive. */
  waitForNews?(isAwaited: boolean): void
  /** What a collection would do; changes nothing. */
  planCollection(options: ResolvedCollect): Promise<CollectionPlan>
  close(): Promise<void>
}
