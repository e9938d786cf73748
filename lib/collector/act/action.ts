/** The common part of the collector's actions: the store that they work on, their control, their results. */
import type { EventEmitter } from 'node:events'
import type { Log } from '../../../vlog/log/log.ts'
import type { ValueReader } from '../../../vlog/read/value-reader.ts'
import type { WiscError } from '../../base/errors.ts'
import type { FileNumber } from '../../base/ids.ts'
import type { ResolvedOptions } from '../../contract/options.ts'
import type { JobProgress } from '../../jobs/job-progress.ts'
import type { JobRate } from '../../jobs/job-rate.ts'
import type { JobRunner } from '../../jobs/runner.ts'
import type { SpaceAccount } from '../../space/space.ts'
import type { RelocationClaims } from '../../state/relocation-claims.ts'
import type { VersionSet } from '../../tree/version/version-set.ts'
import type { DiskLack } from '../plan/decide.ts'
import type { PricedWork } from '../plan/prices.ts'

/** A store whose files are marked, and not changed. */
export interface MarkedStore {
  readonly context: {
    readonly directory: string
    readonly databaseId: Uint8Array
    readonly runner: JobRunner
  }
  readonly versions: Pick<VersionSet, 'current' | 'pinTables'>
  readonly space: SpaceAccount
}

/** A store that actions change. */
export interface CollectedStore extends MarkedStore {
  readonly context: MarkedStore['context'] & {
    readonly options: ResolvedOptions
    readonly events: EventEmitter
  }
  readonly versions: VersionSet
  readonly values: ValueReader
  readonly log: Log
  readonly flushes: {
    /** Everything that is written, and the checkpoint to the end of the log. Waits for no writer. */
    flushWritten(): Promise<void>
  }
  readonly compactions: {
    /** Looks for work. */
    wake(): void
  }
  readonly claims: RelocationClaims
  readonly health: CollectorHealth
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
  collectionFailed(error: WiscError, bytesWanted: number): void
  /** A sync has failed: nothing more may become durable. */
  end(error: WiscError): void
}

export interface StepControl {
  readonly signal: AbortSignal
  readonly rate: JobRate
  /** Where its job says how much of it is done. */
  readonly progress?: JobProgress | undefined
  /** Called with the number of the file that a rewrite writes. */
  readonly began?: (file: FileNumber) => void
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
