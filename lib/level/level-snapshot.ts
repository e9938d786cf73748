/** Explicit snapshots: one of the store, under the reference count of abstract-level. */
import { AbstractSnapshot } from 'abstract-level'
import type { Snapshot } from '../index.ts'

/** An option of abstract-level that its types leave out: whoever closes the snapshot when it is closed itself. */
export interface SnapshotOwner {
  readonly owner: object
}

const Base = AbstractSnapshot as new (options: SnapshotOwner) => AbstractSnapshot

export class LevelSnapshot extends Base {
  readonly #snapshot: Snapshot

  constructor(snapshot: Snapshot, options: SnapshotOwner) {
    super(options)
    this.#snapshot = snapshot
  }

  /** @internal */
  async _close(): Promise<void> {
    this.#snapshot.close()
  }

  /** The store's own of what a caller has passed as `snapshot`. */
  static inner(snapshot: AbstractSnapshot | undefined): Snapshot | undefined {
    if (snapshot === undefined || snapshot === null) return undefined
    if (snapshot instanceof LevelSnapshot) return snapshot.#snapshot
    throw new TypeError('snapshot must be one that db.snapshot() has made')
  }
}
