/**
 * wisc: an embedded key-value store for large values. The public face; the README says how to use it.
 */
import { openStore } from './open-store.ts'
import type { Options } from './options.ts'
import type { Store } from './store.ts'

export type { CollectionStep, PlannedFile, SkippedFile } from '../vlog/collection-plan.ts'
export { CorruptionError, IoError, WiscError, type WiscErrorCode } from './base/errors.ts'
export type {
  CollectedStep,
  CollectionFigures,
  CollectionPlan,
  CollectionProgress,
  CollectionReport,
  CollectOptions,
  FailedStep,
} from './collector/collection.ts'
export type {
  CollectionEvent,
  CompactionEvent,
  FlushEvent,
  StallEvent,
  StoreEmitter,
  StoreEvents,
  StoreListener,
} from './events.ts'
export type { EntryIterator, KeyIterator, StoreIterator, ValueIterator } from './iterator.ts'
export type { CollectorOptions, Options, TreeTuning } from './options.ts'
export type { RecoveryReport } from './recover.ts'
export type { Snapshot } from './snapshot.ts'
export type { LevelStats, Stats } from './stats.ts'
export type { Store } from './store.ts'
export type * from './types.ts'
export type { VerifyOptions, VerifyProgress, VerifyReport } from './verify.ts'

/**
 * Opens the store in a directory; by default it is created if the directory is missing or empty.
 * @throws WiscError: WISC_NO_STORE, WISC_EXISTS, WISC_LOCKED, WISC_CORRUPTION, WISC_FORMAT_VERSION,
 *   WISC_INVALID_ARGUMENT, WISC_IO, WISC_DISK_FULL
 */
export function open(path: string, options?: Options): Promise<Store> {
  return openStore(path, options)
}
