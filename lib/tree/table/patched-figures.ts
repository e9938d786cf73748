/**
 * The figures of a patched table: those of the old one, put right by the entries that come and go.
 *
 * References are sums, and a filter takes further keys. A segment of which nothing is left keeps its place in the
 * references, for the entries that are copied hold places behind it; a merge makes them anew. The smallest sequence
 * stays, a lower bound.
 */
import { compareRange, copyBytes, hashRange } from '../../base/bytes.ts'
import { assert } from '../../base/errors.ts'
import type { FileNumber, SegmentNumber } from '../../base/ids.ts'
import {
  addPointer,
  noReferences,
  type Reference,
  type ReferenceSum,
  removePointer,
} from '../../base/segment-records.ts'
import { type Entry, KIND, valueLength } from '../entry.ts'
import { addToFilter } from './filter.ts'
import type { TableContents } from './table-ends.ts'
import type { TableProperties } from './table-properties.ts'

/** Told of a record that no entry names any more. */
export type Died = (segment: SegmentNumber, offset: number, length: number) => void

type Writable<T> = { -readonly [Name in keyof T]: T[Name] }

export class PatchedFigures {
  readonly #died: Died
  readonly #properties: Writable<TableProperties>
  readonly #filter: Uint8Array | undefined
  readonly #references: (ReferenceSum & Pick<Reference, 'segment'>)[]
  readonly #places: Map<SegmentNumber, number>
  readonly #hash: Uint32Array = new Uint32Array(1)

  /** Requires: the old table has one put for each key. */
  constructor({ properties, references, filter }: TableContents, died: Died) {
    const { entries, distinctKeys, tombstones, smallestKey, largestKey } = properties
    assert(
      entries === distinctKeys && tombstones === 0,
      'a table that is patched has one put a key',
    )
    this.#died = died
    const ends = { smallestKey: copyBytes(smallestKey), largestKey: copyBytes(largestKey) }
    this.#properties = { ...properties, ...ends }
    this.#filter = filter?.slice()
    this.#references = [...references].map((reference) => ({ ...reference }))
    this.#places = new Map(this.#references.map(({ segment }, i) => [segment, i]))
  }

  get entries(): number {
    return this.#properties.entries
  }

  /** Of the new table, but for the length of its file. */
  finish(number: FileNumber): {
    readonly properties: TableProperties
    readonly references: readonly Reference[]
    readonly filter: Uint8Array | undefined
  } {
    const pointedBytes = this.#references.reduce((sum, { bytes }) => sum + bytes, 0)
    const properties = { ...this.#properties, number, bytes: 0, pointedBytes }
    return { properties, references: this.#references, filter: this.#filter }
  }

  /** Counts an entry in the stead of the one of its key. @returns {@link placeOf} */
  replace(old: Entry, by: Entry): number {
    this.#properties.valueBytes -= valueLength(old, by.keyEnd)
    if (old.kind === KIND.pointer)
      removePointer(this.#references[this.placeOf(old)]!, old.offset, old.length)
    this.die(old)
    return this.#count(by)
  }

  /** Counts an entry whose key, from index 0 on, the table does not have. @returns {@link placeOf} */
  insert(entry: Entry): number {
    const { keyBytes, keyEnd } = entry
    const properties = this.#properties
    properties.entries++
    properties.distinctKeys++
    properties.keyBytes += keyEnd
    if (this.#filter) {
      this.#hash[0] = hashRange(keyBytes, 0, keyEnd, 0)
      addToFilter(this.#filter, this.#hash, 1)
    }
    const { smallestKey, largestKey } = properties
    if (compareRange(keyBytes, 0, keyEnd, smallestKey, 0, smallestKey.length) < 0)
      properties.smallestKey = copyBytes(keyBytes, 0, keyEnd)
    if (compareRange(keyBytes, 0, keyEnd, largestKey, 0, largestKey.length) > 0)
      properties.largestKey = copyBytes(keyBytes, 0, keyEnd)
    return this.#count(entry)
  }

  /** Nothing names the record of this entry any more, if it has one. */
  die({ kind, segment, offset, length }: Entry): void {
    if (kind === KIND.pointer) this.#died(segment, offset, length)
  }

  /** The place of its segment in the references, if it is a pointer. */
  placeOf({ kind, segment }: Entry): number {
    if (kind !== KIND.pointer) return 0
    let place = this.#places.get(segment)
    if (place === undefined) {
      place = this.#references.length
      this.#places.set(segment, place)
      this.#references.push({ segment, ...noReferences() })
    }
    return place
  }

  #count(entry: Entry): number {
    const { sequence, keyEnd, kind } = entry
    const properties = this.#properties
    assert(kind === KIND.pointer || kind === KIND.inline, 'only puts are patched in')
    properties.valueBytes += valueLength(entry, keyEnd)
    properties.largestSequence = Math.max(properties.largestSequence, sequence)
    properties.smallestSequence = Math.min(properties.smallestSequence, sequence)
    const place = this.placeOf(entry)
    if (kind === KIND.pointer) addPointer(this.#references[place]!, entry.offset, entry.length)
    return place
  }
}
