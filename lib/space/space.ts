/**
 * The space of a store, derived anew whenever it is asked for (I9): from the version, the tables' counters, the log's
 * end and the file system's block counts. The planner, `segments()` and `stats()` all see these figures.
 *
 *   file of the value log:  total = referenced + exposed garbage
 *   referenced:             what entries of tables point to, and everything above the checkpoint
 *   live bytes:             keys and values of all puts, less what newer entries may shadow
 */

import type { BlockCache } from '../base/files/block-cache.ts'
import { joinPath, segmentName } from '../base/files/file-names.ts'
import type { FileSystem } from '../base/files/file-system.ts'
import { compareLogPositions } from '../base/log-position.ts'
import type { CollectibleFile } from '../contract/collection-plan.ts'
import type { Memtables } from '../state/memtables.ts'
import type { TableCache } from '../state/tables.ts'
import { flushedEnd, logicalSegments } from '../state/value-log-files.ts'
import type { Memtable } from '../tree/memtable/memtable.ts'
import { isRelocated, type SegmentState, type Version } from '../tree/version/version.ts'
import { DiskUsage } from './disk-usage.ts'
import { exposedGarbageBytes, punchedGarbageBytes } from './file-figures.ts'
import { HiddenGarbageEstimate } from './hidden-garbage.ts'
import { References } from './references.ts'

/** Tables that are opened in one step: 2 to 5 ms. */
const TABLES_PER_STEP = 128
/** The block of file systems that do not say. */
const BLOCK_BYTES = 4096

/** An engine, as far as its space goes. */
export interface SpaceParts {
  readonly context: { readonly fileSystem: FileSystem; readonly directory: string }
  /** The current one. */
  readonly version: Version
  readonly memtables: Memtables
  readonly tables: Pick<TableCache, 'get'>
  readonly cache: BlockCache
  /** Snapshots and iterators. */
  readonly readers: { readonly count: number; readonly oldest: number | undefined }
  /** End of the frames of a segment that is not sealed; 0 if it has none. */
  writtenEnd(segment: number): number
}

/** Figures of the whole store, in bytes. */
export interface Space {
  /** Allocated, everything in the directory. */
  readonly diskBytes: number
  /** Keys and values of the newest entries: an estimate, unless a walk has counted them. */
  readonly liveBytes: number
  readonly exposedGarbageBytes: number
  /** Of these, holes. */
  readonly punchedBytes: number
  /** Records that newer tables shadow: an estimate. What nobody can see, and a compaction would expose. */
  readonly hiddenGarbageBytes: number
  /** Records that only snapshots and iterators may see: an estimate. */
  readonly pinnedBytes: number
  /** What entries of memtables may shadow. */
  readonly unflushedShadowBytes: number
  readonly tableBytes: number
  /** Of these, what a compaction of the tree gives back: an estimate. */
  readonly tableGarbageBytes: number
  readonly files: readonly CollectibleFile[]
}

export class SpaceAccount {
  readonly #parts: SpaceParts
  readonly #hidden: HiddenGarbageEstimate
  readonly references: References
  readonly usage: DiskUsage
  #blockBytes: number | undefined
  /** Files with a record that failed its check. */
  readonly corrupt: Set<number> = new Set()
  /** Files that were punched, with the bytes that were referenced then. */
  readonly punched: Map<number, number> = new Map()

  /** Files that had another name when they were last looked at: they cannot be punched. */
  readonly #linked: Set<number> = new Set()

  /** @param hiddenSamplesMax bounds the samples of the estimate of hidden garbage below its own bound */
  constructor(parts: SpaceParts, hiddenSamplesMax?: number) {
    this.#parts = parts
    this.references = new References((number) => parts.tables.get(number))
    this.usage = new DiskUsage(parts.context.fileSystem, parts.context.directory)
    this.#hidden = new HiddenGarbageEstimate(parts.tables, parts.cache, hiddenSamplesMax)
  }

  /**
   * Goes on with what has to be read of the tables of a new version, for some milliseconds.
   * @returns undefined if there is more to do: call again in a later turn
   * @throws CorruptionError, IoError if a table cannot be read
   */
  measureInSteps(): Space | undefined {
    const version = this.#parts.version
    const isDone = this.references.update(version, TABLES_PER_STEP) && this.#hidden.advance(version)
    return isDone ? this.#figures(version) : undefined
  }

  /**
   * All at once.
   * @param liveInTables keys and values that live in tables, as a walk has counted them: else they are estimated
   * @throws CorruptionError, IoError if a table cannot be read
   */
  measure(liveInTables?: number): Space {
    const version = this.#parts.version
    this.references.update(version)
    while (!this.#hidden.advance(version));
    return this.#figures(version, liveInTables)
  }

  #figures(version: Version, liveInTables?: number): Space {
    const diskBytes = this.usage.measure(version)
    const files = this.files()
    this.#forgetPunched(files)
    const { hiddenRecordBytes, duplicateBytes } = this.#hidden.figures
    const pinned = this.#parts.readers.count > 0
    return {
      diskBytes,
      ...this.#liveFigures(liveInTables),
      exposedGarbageBytes: sumOf(files, exposedGarbageBytes),
      punchedBytes: sumOf(files, punchedGarbageBytes),
      hiddenGarbageBytes: hiddenRecordBytes + (pinned ? 0 : duplicateBytes),
      pinnedBytes: pinned ? duplicateBytes : 0,
      tableBytes: this.references.totals.tableBytes,
      tableGarbageBytes: this.#tableGarbageBytes(),
      files,
    }
  }

  /** Puts that newer entries shadow, and tombstones, but for what readers need. */
  #tableGarbageBytes(): number {
    const { totals } = this.references
    const { hiddenWeight, duplicateWeight } = this.#hidden.figures
    const { count, oldest } = this.#parts.readers
    const garbage =
      hiddenWeight +
      (count > 0 ? 0 : duplicateWeight) +
      this.references.droppableTombstoneWeight(oldest)
    const share = garbage / Math.max(1, totals.putWeight + totals.tombstoneWeight)
    return Math.round(totals.tableBytes * Math.min(1, share))
  }

  #liveFigures(liveInTables?: number): Pick<Space, 'liveBytes' | 'unflushedShadowBytes'> {
    const { totals } = this.references
    const { hiddenValueBytes, duplicateValueBytes } = this.#hidden.figures
    const inTables = totals.keyBytes + totals.valueBytes
    const visible = liveInTables ?? Math.max(0, inTables - hiddenValueBytes - duplicateValueBytes)
    const memtables = this.#parts.memtables.list(this.#parts.version.checkpoint)
    let entries = 0
    let added = 0
    for (const memtable of memtables) {
      entries += memtable.entries
      added += memtable.pointedBytes + memtable.usedBytes
    }
    // Each entry of a memtable may shadow another one, in a table or in a memtable: only its flush will show.
    const average = (inTables + added) / Math.max(1, totals.puts + entries)
    const inTree = { keys: totals.puts * (visible / Math.max(1, inTables)), bytes: visible }
    return {
      liveBytes: Math.round(liveBytesAbove(inTree, memtables)),
      unflushedShadowBytes: Math.round(Math.min(entries * average, visible + added)),
    }
  }

  /** Asks how many names a file of the value log has. @returns true if it has others than that of the store */
  noteNames(number: number): boolean {
    const { fileSystem, directory } = this.#parts.context
    const stat = fileSystem.statPath(joinPath(directory, segmentName(number)))
    const hasOtherNames = stat !== undefined && stat.links !== 1
    if (hasOtherNames) this.#linked.add(number)
    else this.#linked.delete(number)
    return hasOtherNames
  }

  /** All files of the value log that hold anything. */
  files(): CollectibleFile[] {
    // Other names come and go; those files are few.
    for (const number of this.#linked) this.noteNames(number)
    const version = this.#parts.version
    const files: CollectibleFile[] = []
    for (const segment of version.segments.values()) {
      if (isRelocated(segment)) continue
      const file = this.#segment(version, segment)
      if (file) files.push(file)
    }
    for (const { number, length } of version.relocations.values()) {
      const segments = logicalSegments(version, number).map((each) => this.#references(each, 0))
      files.push(this.#file(number, 'relocation', length, segments, {}))
    }
    return files
  }

  #segment(version: Version, segment: SegmentState): CollectibleFile | undefined {
    const { number } = segment
    const sealed = segment.state === 'sealed'
    const length = sealed ? segment.length : this.#parts.writtenEnd(number)
    if (length === 0) return undefined
    const end = { segment: number, offset: length }
    const isBehind = compareLogPositions(end, version.checkpoint) <= 0
    // With empty memtables only marker frames lie behind the checkpoint: it can be moved, and the segment sealed.
    const needsSeal = !this.#parts.memtables.hasEntries && !(sealed && isBehind)
    const unflushedBytes = needsSeal ? 0 : length - flushedEnd(version, number, length)
    const blocked = sealed ? ('unflushed' as const) : ('unsealed' as const)
    return this.#file(number, 'segment', length, [this.#references(number, unflushedBytes)], {
      needsSeal,
      ...(!needsSeal && !(sealed && isBehind) && { blocked }),
    })
  }

  #references(segment: number, unflushedBytes: number): CollectibleFile['segments'][number] {
    const use = this.references.of(segment)
    return {
      segment,
      referencedRecords: use?.records ?? 0,
      referencedBytes: (use?.bytes ?? 0) + unflushedBytes,
    }
  }

  #file(
    number: number,
    kind: CollectibleFile['kind'],
    totalBytes: number,
    segments: CollectibleFile['segments'],
    state: Partial<CollectibleFile>,
  ): CollectibleFile {
    const punchedAt = this.punched.get(number)
    return {
      number,
      kind,
      segments,
      totalBytes,
      referencedRecords: segments.reduce((sum, each) => sum + each.referencedRecords, 0),
      referencedBytes: segments.reduce((sum, each) => sum + each.referencedBytes, 0),
      diskBytes: this.usage.allocated(segmentName(number)),
      blockBytes: this.#block(),
      needsSeal: false,
      pinnedBytes: 0,
      hiddenBytes: 0,
      ...(this.#linked.has(number) && { hasOtherNames: true as const }),
      ...(this.corrupt.has(number) && { blocked: 'corrupt' as const }),
      ...(punchedAt !== undefined && { referencedBytesAtPunch: punchedAt }),
      ...state,
    }
  }

  #forgetPunched(files: readonly CollectibleFile[]): void {
    if (this.punched.size === 0) return
    const numbers = new Set(files.map(({ number }) => number))
    for (const number of this.punched.keys()) if (!numbers.has(number)) this.punched.delete(number)
  }

  #block(): number {
    const { fileSystem, directory } = this.#parts.context
    this.#blockBytes ??= fileSystem.statPath(directory)?.blockBytes ?? BLOCK_BYTES
    return this.#blockBytes
  }
}

/** What lives in some part of the store: keys, and bytes of keys and values. */
interface LiveSum {
  readonly keys: number
  readonly bytes: number
}

/**
 * The least that lives in tables and memtables, by the mean size of what lives below each: every key of a memtable may
 * be one of those below it, whose entry it shadows, until a flush has shown otherwise. Inside a memtable it is known.
 * @param memtables newest first
 */
export function liveBytesAbove(
  tables: LiveSum,
  memtables: readonly Pick<Memtable, 'keys' | 'liveKeys' | 'liveBytes'>[],
): number {
  let { keys, bytes } = tables
  for (const memtable of memtables.toReversed()) {
    const kept = keys === 0 ? 0 : Math.max(0, 1 - memtable.keys / keys)
    bytes = bytes * kept + memtable.liveBytes
    keys = keys * kept + memtable.liveKeys
  }
  return bytes
}

function sumOf(
  files: readonly CollectibleFile[],
  bytes: (file: CollectibleFile) => number,
): number {
  return files.reduce((sum, file) => sum + bytes(file), 0)
}
