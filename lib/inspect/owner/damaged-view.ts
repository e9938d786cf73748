/** A view of a store of which files may be missing or damaged: for those who want to know all that is wrong. */
import { openStore } from '../../store/open-store.ts'
import type { Store } from '../../store/store.ts'

/**
 * Opens a store for reading even if parts of it are missing. What is known to be wrong comes first in a verification;
 * reads fail at what is not there.
 * @throws WISC_NO_STORE; CorruptionError if CURRENT or the manifest does not say what there should be
 */
export function openDamaged(path: string): Promise<Store> {
  return openStore(path, { readOnly: true }, { isTolerant: true })
}
