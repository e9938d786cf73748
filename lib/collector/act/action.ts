/** The common part of the collector's actions: the store that they work on, their control, their results. */

import type { EventEmitter } from 'node:events'
import type { Log } from '../../../vlog/log/log.ts'
import type { ValueReader } from '../../../vlog/read/value-reader.ts'
import type { Compactions } from '../../background/compactions.ts'
import type { Flushes } from '../../background/flushes.ts'
import type { ObsoleteUnlinker } from '../../background/unlink-obsolete.ts'
import type { WiscError } from '../../base/errors.ts'
import type { Sequence } from '../../base/ids.ts'
import type { ResolvedOptions } from '../../contract/options.ts'
import type { JobProgress } from '../../jobs/job-progress.ts'
import type { JobRate } from '../../jobs/job-rate.ts'
import type { JobRunner } from '../../jobs/runner.ts'
import type { SpaceAccount } from '../../space/space.ts'
import type { Memtables } from '../../state/memtables.ts'
import type { ReadableSequences } from '../../state/readable-sequences.ts'
import type { RelocationClaims } from '../../state/relocation-claims.ts'
import type { TreeReader } from '../../state/tree-reader.ts'
import type { VersionSet } from '../../tree/version/version-set.ts'
import type { CollectorWork, DiskLack } from '../plan/decide.ts'
import type { PricedWork } from '../plan/prices.ts'

/** A store whose files are marked and walked, and not changed: also one that is only read. */
export interface MarkedStore {
  readonly context: {
    readonly directory: string
    readonly databaseId: Uint8Array
    readonly runner: JobRunner
  }
  readonly versions: Pick<VersionSet, 'current' | 'pinTables'>
  readonly space: SpaceAccount
  readonly readers: WalkReaders
}

/** The readers for whom a walk keeps entries (lib/state/readable-sequences.ts). */
export interface WalkReaders {
  /** Sequences, ascending; the last one is the newest. */
  list(): Sequence[]
  readonly expiredBy: number
}

/** The store of the collector: the parts that it asks, tells and changes. */
export interface CollectorStore extends MarkedStore {
  readonly context: MarkedStore['context'] & {
    readonly options: ResolvedOptions
    readonly events: EventEmitter
  }
  readonly versions: VersionSet
  readonly values: ValueReader
  readonly log: Log
  readonly tree: Pick<TreeReader, 'find'>
  readonly memtables: Pick<Memtables, 'tableBytesMax' | 'logBytes'>
  readonly readers: ReadableSequences
  readonly flushes: Pick<Flushes, 'isRunning' | 'ended' | 'flushEarly' | 'flushWritten'>
  readonly compactions: Pick<Compactions, 'isRunning' | 'inputBytes' | 'compactRange' | 'wake'>
  readonly unlinker: Pick<ObsoleteUnlinker, 'isBusy' | 'ended' | 'unlinked'>
  readonly claims: RelocationClaims
  readonly health: CollectorHealth
  readonly room: { readonly ballastBytesToCome: number }
}

/** Who knows what has failed, and what may be begun again. */
export interface CollectorHealth {
  /** False for a while after a failure. */
  readonly mayCollect: boolean
  /** False while the disk has no more room than what was needed when there was none. */
  hasRoomToCollect(): boolean
  /** What a full disk lacks until puts go on; undefined if it is not full, or lacks nothing any more. */
  diskLack(): DiskLack | undefined
  /** @param bytesWanted of the files that were to be written; 0: an edit could not be */
  collectionFailed(work: CollectorWork, error: WiscError, bytesWanted: number): void
  collectionDone(work: CollectorWork): void
  /** There is nothing to collect. */
  collectionEnded(): void
  /** A sync has failed: nothing more may become durable. */
  end(error: WiscError): void
}

export interface StepControl {
  readonly signal: AbortSignal
  readonly rate: JobRate
  /** Where its job says how much of it is done. */
  readonly progress?: JobProgress | undefined
  /** A punch makes no more holes. */
  readonly holesMax?: number
}

/** What a step did. Bytes of the file system's block counts; of records for what was copied. */
export interface StepResult {
  readonly bytesFreed: number
  readonly bytesCopied: number
  /** Bytes of relocations that were written. */
  readonly bytesWritten: number
  /** The platform refused to make holes. */
  readonly holesRefused: boolean
  /** What was measured of the two ways. */
  readonly priced: Omit<PricedWork, 'bytesCopied'>
}

/** Of an edit alone. */
export const NOTHING_DONE: StepResult = {
  bytesFreed: 0,
  bytesCopied: 0,
  bytesWritten: 0,
  holesRefused: false,
  priced: { holesMade: 0, holeMs: 0, copyMs: 0 },
}
