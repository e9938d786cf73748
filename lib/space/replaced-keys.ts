/**
 * Older entries that the keys of a memtable replace: counted, so that a store that is filled is not taken for one that
 * is overwritten, and need not flush to show it. The memtable keeps some of its keys, evenly; each is looked up once in
 * what is older. What was there then is replaced for good, and what was not never comes to be there, so that nothing is
 * asked again.
 *
 * While all keys are kept, which is as long as they are few, it is known; of many it is an estimate, which errs high.
 */
import { hashRange } from '../base/bytes.ts'
import { SEQUENCE_MAX } from '../base/ids.ts'
import { findInRuns, type LookupParts } from '../state/tables.ts'
import { Entry, KIND, valueLength } from '../tree/entry.ts'
import type { Memtable } from '../tree/memtable/memtable.ts'
import type { Version } from '../tree/version/version.ts'
import type { CountedStreams } from './stream-garbage.ts'

/** What the keys of one memtable replace. */
export interface Replaced {
  /** Those of which it is known: so many, and the bytes of keys and values that they replace. */
  readonly keys: number
  readonly bytes: number
  /** So many others may each replace one of unknown length. */
  readonly guessedKeys: number
}

export class ReplacedKeys {
  readonly #parts: LookupParts
  readonly #streams: Pick<CountedStreams, 'has'>
  /** Of the samples of a memtable that were looked up, by their place in it: the bytes that they replace. */
  readonly #known: WeakMap<Memtable, Map<number, number>> = new WeakMap()
  readonly #lookup: Entry = new Entry()

  /** @param streams of those in tables somebody else knows what replaces them */
  constructor(parts: LookupParts, streams: Pick<CountedStreams, 'has'>) {
    this.#parts = parts
    this.#streams = streams
  }

  /**
   * For each memtable what its keys replace.
   * @param memtables of this version, newest first
   * @param lookups that may be made: each takes a block or two, which may have to be read. Others are left for later
   * @throws CorruptionError, WISC_FORMAT_VERSION, IoError
   */
  update(version: Version, memtables: readonly Memtable[], lookups: number): readonly Replaced[] {
    let left = lookups
    return memtables.map((memtable, i) => {
      const known = this.#known.get(memtable) ?? new Map<number, number>()
      this.#known.set(memtable, known)
      const samples = memtable.sampledNodes
      let keys = 0
      let bytes = 0
      let unasked = 0
      for (const node of samples) {
        let found = known.get(node)
        if (found === undefined && left > 0) {
          left--
          found = this.#bytesBelow(memtable.keyOf(node), memtables.slice(i + 1), version)
          known.set(node, found)
        }
        if (found === undefined) unasked++
        else if (found > 0) {
          keys++
          bytes += found
        }
      }
      const share = replacedShare(keys + unasked, samples.length, memtable.keys)
      return { keys, bytes, guessedKeys: memtable.keys * share - keys }
    })
  }

  /** Of a key and the value that it has in what is older; 0 if there is none. */
  #bytesBelow(key: Uint8Array, older: readonly Memtable[], version: Version): number {
    const hash = hashRange(key, 0, key.length, 0)
    const found = this.#lookup
    const isInMemtables = older.some((each) => each.find(key, hash, SEQUENCE_MAX, found))
    if (!isInMemtables) {
      const isInTables = version.levels.some(({ runs }) =>
        findInRuns(this.#parts, runs, key, hash, SEQUENCE_MAX, found),
      )
      if (!isInTables) return 0
      if (found.kind === KIND.pointer && this.#streams.has(found.segment)) return 0
    }
    return found.kind === KIND.tombstone ? 0 : key.length + valueLength(found, key.length)
  }
}

/** By the samples; where these are not all of the keys, two standard deviations higher. */
export function replacedShare(replaced: number, samples: number, keys: number): number {
  if (samples === 0) return 1
  if (samples >= keys) return replaced / samples
  const doubt = 1 + 2 * Math.sqrt(replaced * (1 - replaced / samples))
  return Math.min(1, (replaced + doubt) / samples)
}

/** What lives in some part of the store: keys, and bytes of keys and values. */
interface LiveSum {
  readonly keys: number
  readonly bytes: number
}

/**
 * What lives in tables and memtables. Where it is not known what keys of a memtable replace of what lives below it,
 * that is guessed to be of mean size. Inside a memtable it is known, but for large range tombstones.
 * @param memtables newest first @param replaced by the keys of each
 */
export function liveBytesAbove(
  tables: LiveSum,
  memtables: readonly Pick<Memtable, 'liveKeys' | 'liveBytes' | 'ranges'>[],
  replaced: readonly Replaced[],
): number {
  let { keys, bytes } = tables
  for (let i = memtables.length - 1; i >= 0; i--) {
    const memtable = memtables[i]!
    // Of tables it is known what its range tombstones cover; of older memtables, all of it may be.
    if (memtable.ranges.count > 0) {
      keys = Math.min(keys, tables.keys)
      bytes = Math.min(bytes, tables.bytes)
    }
    const { keys: known, bytes: knownBytes, guessedKeys } = replaced[i]!
    const guessedBytes = keys === 0 ? 0 : guessedKeys * (bytes / keys)
    bytes = Math.max(0, bytes - knownBytes - guessedBytes) + memtable.liveBytes
    keys = Math.max(0, keys - known - guessedKeys) + memtable.liveKeys
  }
  return bytes
}
