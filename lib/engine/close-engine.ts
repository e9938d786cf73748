/**
 * Closing: everything acknowledged is durable then, and the next open replays nothing.
 *
 * The order: collector and compactions end -> uploads end -> writers drain, no write is taken any more -> memtables are
 * flushed -> the log is synced -> one edit says where it ends, seals its last segment and drops those that were never
 * used -> files. The seal follows the sync of its last byte (I4), and a flush has published all that lies before the
 * checkpoint (I3). A write that came later would lie where no open looks for it (I1).
 * After a failed sync nothing more is written. Where something else keeps it from an orderly close, a full disk or
 * damage, the log alone is synced: what is acknowledged is durable then, too, and the next open replays it (I1).
 */
import type { Log } from '../../vlog/log/log.ts'
import type { ValueReader } from '../../vlog/read/value-reader.ts'
import type { Compactions } from '../background/compactions.ts'
import type { Flushes } from '../background/flushes.ts'
import type { ObsoleteUnlinker } from '../background/unlink-obsolete.ts'
import { toWiscError } from '../base/errors.ts'
import type { Collector } from '../collector/collector.ts'
import type { JobRunner } from '../jobs/runner.ts'
import type { TableCache } from '../state/tables.ts'
import type { VersionSet } from '../tree/version/version-set.ts'
import type { CommitQueue } from '../writes/commit.ts'
import type { Uploads } from '../writes/uploads.ts'
import type { Ballast } from './ballast.ts'
import type { DiskRoom } from './disk-room.ts'
import type { Health } from './health.ts'

/** The parts of an engine, in the order in which they end. */
export interface ClosingParts {
  readonly health: Health
  readonly compactions: Compactions
  readonly collector: Collector
  readonly commit: CommitQueue
  readonly uploads: Uploads
  readonly flushes: Flushes
  readonly log: Log
  readonly room: DiskRoom
  readonly ballast: Ballast
  readonly context: { readonly runner: JobRunner }
  readonly versions: VersionSet
  readonly unlinker: ObsoleteUnlinker
  readonly tables: TableCache
  readonly values: ValueReader
}

export async function closeEngine(engine: ClosingParts): Promise<void> {
  const { health, collector, compactions, commit, uploads } = engine
  await releaseAll([
    // Both at once: the collector may wait for a compaction, which has to be cancelled first.
    () => Promise.all([compactions.stop(), collector.close()]),
    () => uploads.close(),
    () => commit.close(),
    // After a failed sync `close` cannot keep its promise either, and says so when everything is released.
    () => (health.final ? Promise.reject(health.final) : closeInOrder(engine)),
    () => releaseEngine(engine),
  ])
}

/** Lets everything go that an engine holds, whether it has begun or not. Writes nothing more than a ballast. */
export function releaseEngine(engine: ClosingParts): Promise<void> {
  const { health, log, room, ballast, context, versions, unlinker, tables, values } = engine
  return releaseAll([
    () => log.abandon(),
    () => health.close(),
    () => (health.disk.error && !health.final ? room.leaveBallast() : undefined),
    () => ballast.close(),
    () => context.runner.close(),
    () => versions.close(),
    () => unlinker.ended(),
    () => tables.closeAll(),
    () => values.close(),
  ])
}

/** Each is done when the one before has ended, well or not. @throws the first error */
export async function releaseAll(releases: readonly (() => unknown)[]): Promise<void> {
  let failure: { readonly error: unknown } | undefined
  for (const release of releases) {
    try {
      await release()
    } catch (error) {
      failure ??= { error }
    }
  }
  if (failure) throw failure.error
}

/** @throws what is to be reported */
async function closeInOrder({
  health,
  flushes,
  log,
  versions,
  commit,
}: ClosingParts): Promise<void> {
  try {
    await flushes.flushWritten()
    await log.close(({ end, seals, unused }) =>
      health.withBallast(() =>
        versions.apply({
          checkpoint: end,
          durable: end,
          lastSequence: commit.nextSequence - 1,
          cleanEnd: end,
          sealedFiles: seals,
          removedSegments: unused,
        }),
      ),
    )
  } catch (error) {
    // Whatever keeps tables and edits from being written, the log alone is synced: that needs none of them, nor room.
    if (!health.final) await log.sync()
    // On a full disk that is all.
    if (toWiscError(error).code !== 'WISC_DISK_FULL') throw error
  }
}
