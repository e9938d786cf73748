/**
 * The index of one open relocation: from (segment, offset) to places.
 *
 * Fence and parts are in memory, about one byte for 40 of the index; pages come through the block cache and are proved
 * when they are read. Entries are numbered through all pages; each segment has a range of them, so a page may
 * hold entries of several segments, and a lookup needs one page.
 */

import { CorruptionError } from '../../lib/base/errors.ts'
import type { BlockCache, BlockOwner, CachedBlock } from '../../lib/base/files/block-cache.ts'
import type { File } from '../../lib/base/files/file-system.ts'
import type { FileWindow } from '../../lib/base/files/file-window.ts'
import type { SegmentNumber } from '../../lib/base/ids.ts'
import { RECORD_HEADER_BYTES } from '../record.ts'
import type { RelocationEnds } from './relocation-ends.ts'
import {
  CHECKSUM_BYTES,
  checkRelocationBlock,
  ENTRY_BYTES,
  PAGE_ENTRIES,
  pageEntries,
  pageOffset,
  RELOCATION_HEADER_BYTES,
  type RelocationLayout,
  readU48,
} from './relocation-format.ts'

export class RelocationIndex implements BlockOwner {
  /** The relocation's file number. */
  readonly id: number
  readonly slots: (CachedBlock | undefined)[]
  readonly layout: RelocationLayout
  readonly #file: File
  readonly #name: string
  readonly #seed: number
  readonly #fence: Float64Array
  readonly #segments: Float64Array
  /** The first entry of each part, and behind the last one the count of all entries. */
  readonly #partStarts: Float64Array
  /** The cache that holds pages of this index. */
  #cache: BlockCache | undefined

  /** @throws CorruptionError if the fence is out of order */
  constructor(id: number, file: File, name: string, ends: RelocationEnds) {
    const { layout, parts, fence, seed } = ends
    this.id = id
    this.slots = new Array<CachedBlock | undefined>(layout.pages).fill(undefined)
    this.layout = layout
    this.#file = file
    this.#name = name
    this.#seed = seed
    this.#fence = fence
    this.#segments = Float64Array.from(parts, (part) => part.segment)
    this.#partStarts = new Float64Array(parts.length + 1)
    for (const [i, part] of parts.entries()) {
      this.#partStarts[i + 1] = this.#partStarts[i]! + part.records
    }
    this.#proveFence()
  }

  /** Memory that fence, parts and slots take. */
  get pinnedBytes(): number {
    return 8 * (this.#fence.length + this.slots.length + 2 * this.#segments.length + 1)
  }

  /** Where the record lies that was at `offset` of `segment`, or -1. Nothing is allocated while the page is cached. */
  locate(segment: SegmentNumber, offset: number, cache: BlockCache): number {
    const part = this.#findPart(segment)
    if (part < 0) return -1
    const firstEntry = this.#partStarts[part]!
    const endEntry = this.#partStarts[part + 1]!
    // The last page of the part that begins at or before the offset. The part's first entry need not begin a page.
    let page = Math.floor(firstEntry / PAGE_ENTRIES)
    let lastPage = Math.floor((endEntry - 1) / PAGE_ENTRIES)
    while (page < lastPage) {
      const middle = (page + lastPage + 1) >>> 1
      if (this.#fence[middle]! <= offset) page = middle
      else lastPage = middle - 1
    }
    const bytes = this.#page(page, cache)
    const pageStart = page * PAGE_ENTRIES
    let low = Math.max(0, firstEntry - pageStart)
    const end = Math.min(PAGE_ENTRIES, endEntry - pageStart)
    let high = end
    while (low < high) {
      const middle = (low + high) >>> 1
      if (readU48(bytes, middle * ENTRY_BYTES) < offset) low = middle + 1
      else high = middle
    }
    const at = low * ENTRY_BYTES
    return low < end && readU48(bytes, at) === offset ? readU48(bytes, at + 6) : -1
  }

  /** The part that an entry belongs to. */
  partOf(entry: number): number {
    let low = 0
    let high = this.#segments.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.#partStarts[middle]! <= entry) low = middle
      else high = middle - 1
    }
    return low
  }

  /** The first entry behind a part. */
  partEnd(part: number): number {
    return this.#partStarts[part + 1]!
  }

  /** Brings a page into the window and proves it. @returns where in window.bytes it begins */
  view(page: number, window: FileWindow): number {
    const length = pageEntries(this.layout, page) * ENTRY_BYTES
    const at = window.view(pageOffset(this.layout, page), length + CHECKSUM_BYTES)
    this.#prove(page, window.bytes, at, length)
    return at
  }

  /** Takes the pages out of the cache. */
  drop(): void {
    this.#cache?.dropOwner(this)
  }

  #findPart(segment: SegmentNumber): number {
    const segments = this.#segments
    let low = 0
    let high = segments.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (segments[middle]! < segment) low = middle + 1
      else high = middle
    }
    return low < segments.length && segments[low] === segment ? low : -1
  }

  #page(page: number, cache: BlockCache): Uint8Array {
    const cached = this.slots[page]
    if (cached !== undefined) {
      cache.hit(cached)
      return cached.bytes
    }
    const offset = pageOffset(this.layout, page)
    const length = pageEntries(this.layout, page) * ENTRY_BYTES
    const bytes = new Uint8Array(length + CHECKSUM_BYTES)
    const got = this.#file.read(bytes, 0, bytes.length, offset)
    if (got < bytes.length) {
      throw new CorruptionError(this.#name, offset + got, 'file ends before its content')
    }
    this.#prove(page, bytes, 0, length)
    this.#cache = cache
    cache.insert(this, page, bytes)
    return bytes
  }

  /** Entries begin as the fence says, ascend up to the next page, and lead to where records may lie. */
  #prove(page: number, bytes: Uint8Array, start: number, length: number): void {
    const offset = pageOffset(this.layout, page)
    checkRelocationBlock(bytes, start, start + length, this.#seed, offset, this.#name)
    if (readU48(bytes, start) !== this.#fence[page]) {
      throw new CorruptionError(this.#name, offset, 'fence does not fit the page')
    }
    const placeMax = this.layout.recordsEnd - RECORD_HEADER_BYTES
    const end = start + length
    let entry = page * PAGE_ENTRIES
    let partEnd = this.partEnd(this.partOf(entry))
    let previous = -1
    for (let at = start; at < end; at += ENTRY_BYTES, entry++) {
      if (entry === partEnd) {
        partEnd = this.partEnd(this.partOf(entry))
        previous = -1
      }
      const address = readU48(bytes, at)
      const place = readU48(bytes, at + 6)
      if (address <= previous || place < RELOCATION_HEADER_BYTES || place > placeMax) {
        const reason = 'entry of a relocation is out of order or leads nowhere'
        throw new CorruptionError(this.#name, offset + at - start, reason)
      }
      previous = address
    }
    if (entry < partEnd && previous >= this.#fence[page + 1]!) {
      throw new CorruptionError(this.#name, offset, 'fence does not fit the page')
    }
  }

  #proveFence(): void {
    const { pages, fenceOffset } = this.layout
    for (let page = 1; page < pages; page++) {
      const entry = page * PAGE_ENTRIES
      const before = this.partOf(entry - PAGE_ENTRIES)
      if (this.partEnd(before) > entry && this.#fence[page]! <= this.#fence[page - 1]!) {
        throw new CorruptionError(this.#name, fenceOffset, 'fence of a relocation is out of order')
      }
    }
  }
}
