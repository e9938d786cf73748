/** The figures of the space of a store as a plan and a report show them. */
import type { CollectionFigures } from '../contract/collection.ts'
import type { Space } from './space.ts'

export function amplificationOf(diskBytes: number, liveBytes: number): number | null {
  return liveBytes === 0 ? null : diskBytes / liveBytes
}

export function collectionFigures(space: Space): CollectionFigures {
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
