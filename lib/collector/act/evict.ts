/**
 * Evict: the oldest files of a cache go, whatever lives in them.
 *
 *   the files are claimed, so that no compaction goes by their segments meanwhile (state/relocation-claims.ts) -> every
 *   record of them lies below the checkpoint (I12), and has a sequence below the bound -> one edit with the
 *   bound, and without the files' segments -> from here on nobody sees what is older than the bound, whatever it reads
 *   at, so that no pointer into the files is followed (I8) -> the version set has the files unlinked when no version
 *   holds them (I5)
 *
 * A crash before the edit is durable has evicted nothing. One behind it leaves files that no version names: the next
 * open removes them as orphans. Nothing is written but the edit: what the tree has of the evicted is dropped by
 * compactions, when they meet it.
 */
import type { EvictedFiles } from '../../contract/events.ts'
import { segmentsOf } from '../../tree/version/version.ts'
import type { Eviction } from '../plan/eviction.ts'
import type { CollectorStore } from './action.ts'
import { stale, victimFile } from './victims.ts'

/** @throws WISC_STALE if one of the files has changed since it was chosen, WISC_ABORTED */
export async function evict(
  { below, files }: Eviction,
  store: Pick<CollectorStore, 'versions' | 'space' | 'claims'>,
  signal: AbortSignal,
): Promise<EvictedFiles> {
  const giveBack = await store.claims.move(files, signal)
  try {
    return await evictClaimed({ below, files }, store)
  } finally {
    giveBack()
  }
}

async function evictClaimed(
  { below, files }: Eviction,
  { versions, space }: Pick<CollectorStore, 'versions' | 'space'>,
): Promise<EvictedFiles> {
  const { current } = versions
  let bytes = 0
  let streams = 0
  for (const number of files) {
    bytes += space.usage.ofValueLogFile(number)
    if (current.files.get(number)?.role !== 'stream') victimFile(current, number)
    else if (space.holdsStream(number)) throw stale('the stream is in use', number)
    else streams++
  }
  const removedSegments = files.flatMap((number) => segmentsOf(current, number))
  await versions.apply({ evictedBelow: below, removedSegments })
  space.dead.follow(versions.current)
  return { segments: files.length - streams, streams, bytes }
}
