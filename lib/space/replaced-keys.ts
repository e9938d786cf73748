/**
 * How many keys of a memtable replace an older entry: estimated, so that a store that is filled is not taken for one
 * that is overwritten, and need not flush to show it. The memtable keeps some of its keys, evenly; each is looked up
 * once in what is older. What was not there then never comes to be there, so that nothing is asked again.
 *
 * The estimate errs high. Without doubt are memtables of which all keys are kept.
 */
import { hashRange } from '../base/bytes.ts'
import { SEQUENCE_MAX } from '../base/ids.ts'
import { findInRuns, type LookupParts } from '../state/tables.ts'
import { Entry, KIND } from '../tree/entry.ts'
import type { Memtable } from '../tree/memtable/memtable.ts'
import type { Version } from '../tree/version/version.ts'

export class ReplacedKeys {
  readonly #parts: LookupParts
  /** Of the samples of a memtable that were looked up, by their place in it: whether they replace an entry. */
  readonly #known: WeakMap<Memtable, Map<number, boolean>> = new WeakMap()
  readonly #lookup: Entry = new Entry()

  constructor(parts: LookupParts) {
    this.#parts = parts
  }

  /**
   * Of the keys of each memtable, how many may replace an older entry.
   * @param memtables of this version, newest first
   * @param lookups that may be made: each takes a block or two, which may have to be read. Others are left for later
   * @throws CorruptionError, WISC_FORMAT_VERSION, IoError
   */
  update(version: Version, memtables: readonly Memtable[], lookups: number): readonly number[] {
    let left = lookups
    return memtables.map((memtable, i) => {
      const known = this.#known.get(memtable) ?? new Map<number, boolean>()
      this.#known.set(memtable, known)
      const samples = memtable.sampledNodes
      let replaced = 0
      for (const node of samples) {
        let isReplaced = known.get(node)
        if (isReplaced === undefined && left > 0) {
          left--
          isReplaced = this.#isBelow(memtable.keyOf(node), memtables.slice(i + 1), version)
          known.set(node, isReplaced)
        }
        if (isReplaced !== false) replaced++
      }
      return memtable.keys * replacedShare(replaced, samples.length, memtable.keys)
    })
  }

  #isBelow(key: Uint8Array, older: readonly Memtable[], version: Version): boolean {
    const hash = hashRange(key, 0, key.length, 0)
    const found = this.#lookup
    const isFound =
      older.some((memtable) => memtable.find(key, hash, SEQUENCE_MAX, found)) ||
      version.levels.some(({ runs }) =>
        findInRuns(this.#parts, runs, key, hash, SEQUENCE_MAX, found),
      )
    return isFound && found.kind !== KIND.tombstone
  }
}

/** By the samples; where these are not all of the keys, two standard deviations higher. */
export function replacedShare(replaced: number, samples: number, keys: number): number {
  if (samples === 0) return 1
  if (samples >= keys) return replaced / samples
  const doubt = 1 + 2 * Math.sqrt(replaced * (1 - replaced / samples))
  return Math.min(1, (replaced + doubt) / samples)
}
