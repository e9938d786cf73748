/** A view of the files of a store, read at a sequence that the process which has it open holds for the reader. */
import { WiscError } from '../../base/errors.ts'
import type { Snapshot } from '../../contract/types.ts'
import { StoreSnapshot } from '../../store/snapshot.ts'
import { Store } from '../../store/store.ts'

/**
 * @param store only read, and opened after the sequence was held: it sees all that was written up to there
 * @returns a snapshot for its reads, to be closed
 */
export function snapshotAt(store: Store, sequence: number): Snapshot {
  const { readers, visibleSequence } = Store.engineOf(store)
  if (visibleSequence >= sequence) return new StoreSnapshot(readers, sequence)
  throw new WiscError('WISC_STALE', 'the view is older than the snapshot: take a new one')
}
