/** The store of a collector: the parts that it asks and tells. */
import type { Compactions } from '../background/compactions.ts'
import type { Flushes } from '../background/flushes.ts'
import type { ObsoleteUnlinker } from '../background/unlink-obsolete.ts'
import type { EvictableStore } from './act/evictable.ts'
import type { OwnStore } from './act/own-work.ts'
import type { PlannedStore } from './exact-plan.ts'

/** What the collector works on and with. */
export interface CollectorStore extends OwnStore, PlannedStore {
  readonly context: OwnStore['context']
  readonly versions: OwnStore['versions']
  readonly memtables: { readonly tableBytesMax: number; readonly logBytes: number }
  readonly flushes: Pick<Flushes, 'isRunning' | 'ended' | 'flushEarly' | 'flushWritten'>
  readonly compactions: Pick<Compactions, 'isRunning' | 'inputBytes' | 'compactRange' | 'wake'>
  readonly unlinker: Pick<ObsoleteUnlinker, 'isBusy' | 'ended' | 'unlinked'>
  readonly room: { readonly ballastBytesToCome: number }
  readonly tree: EvictableStore['tree']
  readonly readers: PlannedStore['readers'] & OwnStore['readers']
}
