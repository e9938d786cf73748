/** The figures of a file of the value log; what follows from them, and of the space of a store. Pure. */
import type { SegmentNumber } from '../base/ids.ts'
import type { SegmentRecords } from '../base/segment-records.ts'
import type { CollectionFigures } from '../contract/collection.ts'
import type { BlockedReason, ValueLogFileKind } from '../contract/collection-plan.ts'

/** Exactly what a punch of a file would give, as a mark has counted it. */
export interface MarkedHoles {
  /** Whole blocks of dead values that are still allocated. */
  readonly holeBytes: number
  readonly holes: number
}

/** The version's own description, as far as figures need it: they share it, since there are a hundred thousand. */
export type HeldPart = Pick<SegmentRecords, 'segment'>

/** What the planner has to know of a value-log file. */
export interface CollectibleFile {
  readonly number: number
  readonly kind: ValueLogFileKind
  /** The logical segments that it holds beside the one of its own number. No other file holds any of them. */
  readonly parts: readonly HeldPart[]
  /** Of all that it holds, those that no entry of a table points to. */
  readonly deadSegments: readonly SegmentNumber[]
  /** Its length. */
  readonly totalBytes: number
  /** What entries point to in all of them. */
  readonly referencedRecords: number
  readonly referencedBytes: number
  /** Allocated: below totalBytes if holes were punched. */
  readonly diskBytes: number
  /** The block of its file system. */
  readonly blockBytes: number
  /** The active segment: it would be sealed first. */
  readonly needsSeal: boolean
  readonly blocked?: BlockedReason
  /** Of the referenced bytes, as a walk has counted them: only an old snapshot or iterator sees them. */
  readonly pinnedBytes?: number
  /** The same: nobody can see them; a compaction exposes them. */
  readonly hiddenBytes?: number
  readonly marked?: MarkedHoles
  /** It has another name, as in a hard-linked backup: its bytes are not ours alone, so there can be no holes in it. */
  readonly hasOtherNames?: true
  /** What was referenced when it was last punched: whatever had died by then has no holes left to make. */
  readonly referencedBytesAtPunch?: number
}

/** The logical segments that a file holds, its own last. */
export function heldSegments({
  parts,
  number,
}: Pick<CollectibleFile, 'parts' | 'number'>): SegmentNumber[] {
  return [...parts.map(({ segment }) => segment), number]
}

/** Bytes of a file that no entry points to; the header and the index of a relocation are among them. */
export function exposedGarbageBytes({ totalBytes, referencedBytes }: CollectibleFile): number {
  return Math.max(0, totalBytes - referencedBytes)
}

/** Bytes of holes: by which the file's blocks are fewer than its length needs. */
export function punchedBytes({ totalBytes, blockBytes, diskBytes }: CollectibleFile): number {
  return Math.max(0, inBlocks(totalBytes, blockBytes) - diskBytes)
}

/** Of the garbage that no entry points to, the part that has been given back as holes. */
export function punchedGarbageBytes(file: CollectibleFile): number {
  return Math.min(punchedBytes(file), exposedGarbageBytes(file))
}

/** The file as it would be if so many of its referenced bytes were not referenced any more. */
export function withoutReferences(file: CollectibleFile, bytes: number): CollectibleFile {
  const keptBytes = Math.max(0, file.referencedBytes - bytes)
  const keptShare = file.referencedBytes === 0 ? 0 : keptBytes / file.referencedBytes
  const { marked: _marked, ...figures } = file
  return {
    ...figures,
    referencedBytes: keptBytes,
    referencedRecords: Math.ceil(file.referencedRecords * keptShare),
  }
}

/** What so many bytes take in whole blocks. */
export function inBlocks(bytes: number, blockBytes: number): number {
  return Math.ceil(bytes / blockBytes) * blockBytes
}

export function amplificationOf(diskBytes: number, liveBytes: number): number | null {
  return liveBytes === 0 ? null : diskBytes / liveBytes
}

/** As a plan and a report show them. */
export function collectionFigures(
  space: Omit<CollectionFigures, 'spaceAmplification'>,
): CollectionFigures {
  const { diskBytes, liveBytes, exposedGarbageBytes, punchedBytes } = space
  const { hiddenGarbageBytes, pinnedBytes } = space
  return {
    diskBytes,
    liveBytes,
    spaceAmplification: amplificationOf(diskBytes, liveBytes),
    exposedGarbageBytes,
    punchedBytes,
    hiddenGarbageBytes,
    pinnedBytes,
  }
}
