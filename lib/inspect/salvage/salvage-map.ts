/**
 * The newest state of each key that was found, and where its value lies. In memory: about 300 bytes a key, and the key.
 *
 * A state comes from a table or from a record of the log. Equal sequences are the same write: then the entry of a
 * table says that it counted, and the record where its value is. A value can lie in several places (a segment, a copy
 * that recovery or the collector made); all are kept, because any of them may be damaged.
 */
import type { Sequence } from '../../base/ids.ts'

/** `inline`: the value stands in a table; `record`: in a record of the value log; `stream`: it is a file of its own. */
export interface ValuePlace {
  readonly kind: 'inline' | 'record' | 'stream'
  readonly file: string
  /** Of the value, if it is inline; of the record; 0 of a stream. */
  readonly offset: number
  /** Of the value, or of the record. */
  readonly length: number
  /** Checksum of an inline value: its block was proved when it was found. */
  readonly checksum: number
}

export interface KeyState {
  sequence: Sequence
  origin: 'table' | 'log'
  /** Nobody knows whether it was deleted or replaced since. */
  mayBeStale: boolean
  isDeleted: boolean
  /** 0: it never expires. */
  expiresAt: number
  places: ValuePlace[]
}

type FoundState = Omit<KeyState, 'places'>

/** Keys are strings of one character a byte. */
export class SalvageMap {
  readonly #states: Map<string, KeyState> = new Map()

  get size(): number {
    return this.#states.size
  }

  get(key: string): KeyState | undefined {
    return this.#states.get(key)
  }

  entries(): IterableIterator<[string, KeyState]> {
    return this.#states.entries()
  }

  /** @param place undefined for a delete, and for a value whose record is still to be found */
  add(key: string, found: FoundState, place: ValuePlace | undefined): void {
    const state = this.#states.get(key)
    const places = place ? [place] : []
    if (state === undefined) this.#states.set(key, { ...found, places })
    else if (found.sequence > state.sequence) Object.assign(state, found, { places })
    else if (found.sequence === state.sequence) state.places.push(...places)
  }
}

/** In the order of files and of places in them; what has none comes last. */
export function comparePlaces(left: ValuePlace | undefined, right: ValuePlace | undefined): number {
  if (!left || !right) return (left ? 1 : 0) - (right ? 1 : 0)
  if (left.file !== right.file) return left.file < right.file ? -1 : 1
  return left.offset - right.offset
}
