/**
 * Where records lie now, for a compaction that folds (lib/tree/compaction/fold.ts declares the port): pointers come in
 * the order of keys, so in any order of addresses. Memory and descriptors are bounded (I10): the relocations are few,
 * their pages come through a cache.
 *
 * A relocation that cannot be read, or does not hold what a pointer names, is left alone: its pointers stay as they
 * are, for a compaction must not stop at what only some values need. Whoever reads those finds the damage.
 */

import { BlockCache } from '../../lib/base/files/block-cache.ts'
import { joinPath, segmentName } from '../../lib/base/files/file-names.ts'
import type { FileSystem } from '../../lib/base/files/file-system.ts'
import type { DatabaseDirectory } from '../../lib/base/files/store-directory.ts'
import type { FileNumber, SegmentNumber } from '../../lib/base/ids.ts'
import { RelocationReader } from './relocation-reader.ts'

/** The indexes of some 600,000 records. */
const CACHE_BYTES = 8 * 1024 * 1024

/** A relocation, and the segments whose records are asked for. */
export interface AskedRelocation {
  readonly number: FileNumber
  readonly salt: number
  readonly length: number
  readonly segments: readonly SegmentNumber[]
}

export class PresentPlaces {
  segment: SegmentNumber = 0
  offset = 0
  /** Relocations that could not be read. */
  readonly failed: Set<FileNumber> = new Set()
  readonly #place: DatabaseDirectory
  readonly #fileSystem: FileSystem
  readonly #holders: Map<SegmentNumber, AskedRelocation> = new Map()
  readonly #open: Map<FileNumber, RelocationReader> = new Map()
  readonly #cache: BlockCache = new BlockCache(CACHE_BYTES)

  constructor(
    relocations: readonly AskedRelocation[],
    place: DatabaseDirectory,
    fileSystem: FileSystem,
  ) {
    this.#place = place
    this.#fileSystem = fileSystem
    for (const relocation of relocations) {
      for (const segment of relocation.segments) this.#holders.set(segment, relocation)
    }
  }

  /** @returns true if the record lies in one of the relocations: `segment` is its number, `offset` the place in it */
  find(segment: SegmentNumber, offset: number): boolean {
    const holder = this.#holders.get(segment)
    if (holder === undefined || this.failed.has(holder.number)) return false
    const place = this.#locate(holder, segment, offset)
    if (place < 0) {
      this.failed.add(holder.number)
      return false
    }
    this.segment = holder.number as number
    this.offset = place
    return true
  }

  close(): void {
    for (const reader of this.#open.values()) reader.close()
    this.#open.clear()
  }

  /** @returns -1 if that cannot be said */
  #locate(relocation: AskedRelocation, segment: SegmentNumber, offset: number): number {
    try {
      let reader = this.#open.get(relocation.number)
      if (reader === undefined) {
        const { directory, databaseId } = this.#place
        const name = segmentName(relocation.number)
        const expected = { ...relocation, databaseId }
        reader = RelocationReader.open(this.#fileSystem, joinPath(directory, name), name, expected)
        this.#open.set(relocation.number, reader)
      }
      return reader.locate(segment, offset, this.#cache)
    } catch {
      return -1
    }
  }
}
