/**
 * Verification of a table's entries: what a lookup or a cursor takes on trust is recounted here.
 */

import { compareRange, copyRange, hashRange, NO_BYTES } from '../../base/bytes.ts'
import { CorruptionError } from '../../base/errors.ts'
import { FileWindow } from '../../base/files/file-window.ts'
import type { SegmentNumber, Sequence } from '../../base/ids.ts'
import {
  addPointer,
  nameTheSame,
  noReferences,
  type ReferenceSum,
} from '../../base/segment-records.ts'
import { Entry, KIND, valueLength } from '../entry.ts'
import { ExpiryCheck } from '../expiry-sums.ts'
import { spanOfTable } from '../ranges/range-format.ts'
import { decodeEntry, EXPIRES_TAG, entriesEnd, restartAt, restartCount } from './block-format.ts'
import { filterMayContain } from './filter.ts'
import type { TableBlocks } from './table-blocks.ts'
import type { TableEnds } from './table-ends.ts'
import { RESTART_INTERVAL_ENTRIES } from './table-format.ts'
import { contentLength } from './table-index.ts'
import { findDifference, type TableProperties } from './table-properties.ts'

/**
 * Checks every block, the order of all entries, bounds, restart points, filter, counts and
 * references.
 * @throws CorruptionError, WISC_FORMAT_VERSION, IoError
 */
export function verifyEntries(
  blocks: TableBlocks,
  filter: Uint8Array | undefined,
  ends: Pick<TableEnds, 'properties' | 'references' | 'ranges'>,
): void {
  const { index } = blocks
  const window = new FileWindow(blocks.file, blocks.offset(index.blockCount))
  const tally = new Tally(blocks, filter, ends.properties)
  for (let block = 0; block < index.blockCount; block++) {
    const start = blocks.view(block, window)
    tally.addBlock(block, window.bytes, start, start + contentLength(index, block))
  }
  tally.compare(ends)
}

/** An entry that is decoded, the one before it, and the sums so far. */
class Tally {
  readonly #blocks: TableBlocks
  readonly #filter: Uint8Array | undefined
  readonly #entry: Entry = new Entry()
  #previousKey: Uint8Array = new Uint8Array(64)
  #previousKeyLength = 0
  #previousSequence: Sequence = 0
  readonly #sums: Map<SegmentNumber, ReferenceSum> = new Map()
  #smallestKey: Uint8Array = NO_BYTES
  #entries = 0
  #tombstones = 0
  #distinctKeys = 0
  #pointedBytes = 0
  #valueBytes = 0
  #keyBytes = 0
  #smallestSequence = Number.POSITIVE_INFINITY
  #largestSequence = 0
  readonly #expiries: ExpiryCheck
  readonly #tags: Uint8Array
  #hasUnsaidTag = false

  constructor(
    blocks: TableBlocks,
    filter: Uint8Array | undefined,
    { expiries, tags }: TableProperties,
  ) {
    this.#expiries = new ExpiryCheck(expiries)
    this.#tags = tags
    this.#blocks = blocks
    this.#filter = filter
  }

  addBlock(block: number, bytes: Uint8Array, start: number, contentEnd: number): void {
    const entry = this.#entry
    const end = entriesEnd(bytes, contentEnd)
    const restarts = restartCount(end, contentEnd)
    let nextRestart = 0
    let sinceRestart = 0
    for (let at = start; at < end; ) {
      if (nextRestart < restarts && at === restartAt(bytes, start, end, nextRestart)) {
        nextRestart++
        sinceRestart = 0
        entry.keyEnd = 0
      }
      if (sinceRestart++ === RESTART_INTERVAL_ENTRIES)
        this.#fail(block, at - start, 'restart point is missing')
      const next = decodeEntry(bytes, at, end, entry.keyEnd, this.#blocks, entry)
      if (next < 0) throw this.#blocks.entryError(block, next, at - start)
      this.#checkOrder(block, at - start, at === start)
      this.#add(block, at - start)
      at = next
    }
    if (nextRestart !== restarts) this.#fail(block, 0, 'restart point is not at an entry')
  }

  /** Holds the sums against what the table says of itself. */
  compare({
    properties,
    references,
    ranges,
  }: Pick<TableEnds, 'properties' | 'references' | 'ranges'>): void {
    const lastKey = this.#previousKey.subarray(0, this.#previousKeyLength)
    const firstKey = this.#entries === 0 ? undefined : this.#smallestKey
    const rangesTop = ranges.reduce((top, { sequences }) => Math.max(top, sequences[0]!), 0)
    const counted = {
      number: properties.number,
      bytes: properties.bytes,
      entries: this.#entries,
      tombstones: this.#tombstones,
      pointedBytes: this.#pointedBytes,
      fragments: ranges.length,
      ...spanOfTable(firstKey, lastKey, ranges),
      // A lower bound: what was the oldest entry may have been replaced (table-patcher.ts).
      smallestSequence: Math.min(this.#smallestSequence, properties.smallestSequence),
      largestSequence: Math.max(this.#largestSequence, rangesTop),
    }
    const difference = this.#differingFigure(properties) ?? findDifference(counted, properties)
    const offset = this.#blocks.offset(this.#blocks.index.blockCount)
    if (difference !== undefined) {
      throw new CorruptionError(this.#blocks.name, offset, `entries do not add up to ${difference}`)
    }
    for (const reference of references) {
      const sum = this.#sums.get(reference.segment) ?? noReferences()
      if (!nameTheSame(sum, reference)) {
        const reason = `entries do not add up to the references, segment=${reference.segment}`
        throw new CorruptionError(this.#blocks.name, offset, reason)
      }
    }
  }

  #differingFigure(properties: TableProperties): string | undefined {
    if (this.#distinctKeys !== properties.distinctKeys) return 'distinctKeys'
    if (this.#valueBytes !== properties.valueBytes) return 'valueBytes'
    if (this.#keyBytes !== properties.keyBytes) return 'keyBytes'
    if (this.#hasUnsaidTag) return 'tags'
    if (!this.#expiries.fits) return 'expiries'
    return undefined
  }

  /**
   * The entry lies behind the one before; the first of a block at or behind the bound, the one
   * before in front of it.
   */
  #checkOrder(block: number, at: number, isFirst: boolean): void {
    const { keyBytes, keyEnd, sequence } = this.#entry
    if (this.#entries > 0) {
      const order = this.#orderOfPrevious(keyBytes, 0, keyEnd, sequence)
      if (order >= 0) this.#fail(block, at, 'entries are out of order')
    }
    if (!isFirst) return
    const { bytes, keyStarts, keyEnds, sequences } = this.#blocks.index
    const start = keyStarts[block]!
    const end = keyEnds[block]!
    let order = compareRange(bytes, start, end, keyBytes, 0, keyEnd)
    if (order === 0) order = sequence - sequences[block]!
    const beforeBound =
      this.#entries === 0 || this.#orderOfPrevious(bytes, start, end, sequences[block]!) < 0
    if (order > 0 || !beforeBound) this.#fail(block, at, 'index does not fit the block')
  }

  /** Negative if the entry before lies before (key, sequence). */
  #orderOfPrevious(key: Uint8Array, start: number, end: number, sequence: Sequence): number {
    const order = compareRange(this.#previousKey, 0, this.#previousKeyLength, key, start, end)
    return order === 0 ? sequence - this.#previousSequence : order
  }

  #add(block: number, at: number): void {
    const { keyBytes, keyEnd, sequence, kind } = this.#entry
    const isNewKey =
      this.#entries === 0 ||
      compareRange(this.#previousKey, 0, this.#previousKeyLength, keyBytes, 0, keyEnd) !== 0
    if (isNewKey) {
      this.#distinctKeys++
      if (this.#filter && !filterMayContain(this.#filter, hashRange(keyBytes, 0, keyEnd, 0))) {
        this.#fail(block, at, 'filter lacks a key')
      }
      if (this.#entries === 0) this.#smallestKey = keyBytes.slice(0, keyEnd)
      if (keyEnd > this.#previousKey.length) this.#previousKey = new Uint8Array(keyEnd * 2)
      copyRange(keyBytes, 0, keyEnd, this.#previousKey, 0)
      this.#previousKeyLength = keyEnd
    }
    this.#previousSequence = sequence
    this.#entries++
    this.#smallestSequence = Math.min(this.#smallestSequence, sequence)
    this.#largestSequence = Math.max(this.#largestSequence, sequence)
    if (kind === KIND.tombstone) {
      this.#tombstones++
      return
    }
    this.#keyBytes += keyEnd
    this.#valueBytes += valueLength(this.#entry, keyEnd)
    if (this.#entry.expiresAt !== 0) this.#addExpiring(this.#entry)
    if (kind === KIND.pointer) this.#addPointer(this.#entry)
  }

  #addExpiring(entry: Entry): void {
    const { kind, keyEnd, expiresAt, length } = entry
    if (!this.#tags.includes(kind | EXPIRES_TAG)) this.#hasUnsaidTag = true
    const bytes = keyEnd + valueLength(entry, keyEnd)
    this.#expiries.take(expiresAt, bytes, kind === KIND.pointer ? length : 0)
  }

  #addPointer({ segment, offset, length }: Entry): void {
    this.#pointedBytes += length
    let sum = this.#sums.get(segment)
    if (sum === undefined) {
      sum = noReferences()
      this.#sums.set(segment, sum)
    }
    addPointer(sum, offset, length)
  }

  #fail(block: number, at: number, reason: string): never {
    throw new CorruptionError(this.#blocks.name, this.#blocks.offset(block) + at, reason)
  }
}
