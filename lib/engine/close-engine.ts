/**
 * Closing: everything acknowledged is durable then, and the next open replays nothing.
 *
 * The order: collector and compactions end -> writers drain -> memtables are flushed -> the log is synced -> one edit
 * says where it ends, seals its last segment and drops those that were never used -> files. The seal follows the
 * sync of its last byte (I4), and a flush has published all that lies before the checkpoint (I3). After a failed
 * sync, or when the disk is too full for an orderly close, what needs the disk is left out.
 */

import type { Log } from '../../vlog/log/log.ts'
import type { ValueReader } from '../../vlog/read/value-reader.ts'
import type { Background } from '../background/background.ts'
import type { ObsoleteUnlinker } from '../background/unlink-obsolete.ts'
import { toWiscError, type WiscError } from '../base/errors.ts'
import type { Collector } from '../collector/collector.ts'
import type { JobRunner } from '../jobs/runner.ts'
import type { TableCache } from '../state/tables.ts'
import type { VersionSet } from '../tree/version/version-set.ts'
import type { CommitQueue } from '../writes/commit.ts'
import type { Ballast } from './ballast.ts'
import type { DiskSpace } from './disk-space.ts'

/** The parts of an engine, in the order in which they end. */
export interface ClosingParts {
  readonly collector: Collector
  readonly background: Background
  readonly commit: CommitQueue
  readonly log: Log
  readonly ballast: Ballast
  readonly diskSpace: DiskSpace
  readonly context: { readonly runner: JobRunner }
  readonly versions: VersionSet
  readonly unlinker: ObsoleteUnlinker
  readonly tables: TableCache
  readonly values: ValueReader
  flush(): Promise<void>
}

export async function closeEngine(
  engine: ClosingParts,
  failed: () => WiscError | undefined,
): Promise<void> {
  // Both at once: the collector may wait for a compaction, which has to be cancelled first.
  await Promise.all([engine.background.stopCompactions(), engine.collector.close()])
  await engine.commit.drain()
  // After a failed sync `close` cannot keep its promise either, and says so when everything is released.
  let failure = failed()
  try {
    if (!failure) await closeInOrder(engine)
  } catch (error) {
    failure = await closeWithoutRoom(engine, toWiscError(error))
  }
  await engine.log.abandon()
  if (!failed()) await engine.diskSpace.leaveBallast()
  await engine.ballast.close()
  await engine.context.runner.close()
  await engine.versions.close()
  await engine.unlinker.ended()
  engine.tables.closeAll()
  engine.values.close()
  if (failure !== undefined) throw failure
}

/** On a full disk the log alone is synced, which needs no space. @returns what is to be reported */
async function closeWithoutRoom(
  { log }: ClosingParts,
  error: WiscError,
): Promise<WiscError | undefined> {
  if (error.code !== 'WISC_DISK_FULL') return error
  try {
    await log.sync()
    return undefined
  } catch (failure) {
    return toWiscError(failure)
  }
}

async function closeInOrder(engine: ClosingParts): Promise<void> {
  const { log, versions, commit, diskSpace } = engine
  await engine.flush()
  await log.close(({ end, seals, unused }) =>
    diskSpace.withReserve(() =>
      versions.apply({
        checkpoint: end,
        durable: end,
        lastSequence: commit.nextSequence - 1,
        cleanEnd: end,
        sealedSegments: seals,
        removedSegments: unused,
      }),
    ),
  )
}
