/** Views of a store for the command: of a damaged one, and at a sequence that its owner holds. */
import { WiscError } from '../../base/errors.ts'
import type { Sequence } from '../../base/ids.ts'
import type { Snapshot } from '../../contract/types.ts'
import { engineOf } from '../../store/engine-of.ts'
import { openStore } from '../../store/open-store.ts'
import { StoreSnapshot } from '../../store/snapshot.ts'
import type { Store } from '../../store/store.ts'

export { Attempts } from '../../reads/read-again.ts'

/**
 * Opens a store for reading even if parts of it are missing. What is known to be wrong comes first in a verification;
 * reads fail at what is not there.
 * @throws WISC_NO_STORE; CorruptionError if CURRENT or the manifest does not say what there should be
 */
export function openDamaged(path: string): Promise<Store> {
  return openStore(path, { readOnly: true }, { isTolerant: true })
}

/**
 * A snapshot at a sequence that the process which has the store open holds for the reader.
 * @param store only read, and opened after the sequence was held: it sees all that was written up to there
 * @param moment what has expired by then is not seen
 * @returns a snapshot for its reads, to be closed
 */
export function snapshotAt(store: Store, sequence: Sequence, moment: number): Snapshot {
  const { readers, visibleSequence } = engineOf(store)
  if (visibleSequence >= sequence) return new StoreSnapshot(readers, sequence, undefined, moment)
  throw new WiscError('WISC_STALE', 'the view is older than the snapshot: take a new one')
}
