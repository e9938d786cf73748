/** What follows from the figures of files of the value log, and of the space of a store. Pure. */
import type { CollectionFigures } from '../contract/collection.ts'
import type { CollectibleFile } from '../contract/collection-plan.ts'

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
