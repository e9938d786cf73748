/**
 * wisc: an embedded key-value store for large values. The public face; docs/api.md says how to use it.
 */
// Who has the types of Node need not name them.
/// <reference types="node" preserve="true" />

import type { Options } from './contract/options.ts'
import { openStore } from './store/open-store.ts'
import type { Store } from './store/store.ts'

export {
  ConflictError,
  CorruptionError,
  IoError,
  WiscError,
  type WiscErrorCode,
} from './base/errors.ts'
export type { CacheOptions } from './contract/cache-options.ts'
export type {
  CollectedStep,
  CollectionFigures,
  CollectionPlan,
  CollectionProgress,
  CollectionReport,
  CollectOptions,
  FailedStep,
} from './contract/collection.ts'
export type { CollectionStep, PlannedFile, SkippedFile } from './contract/collection-plan.ts'
export type {
  Encoding,
  Encodings,
  KeyEncodingName,
  Tuple,
  TupleItem,
  ValueEncodingName,
} from './contract/encodings.ts'
export type {
  AdvancedEvent,
  CollectionEvent,
  CompactionEvent,
  EvictedEvent,
  EvictedFiles,
  FlushEvent,
  StallEvent,
  StallReason,
  StoreEmitter,
  StoreEvents,
  StoreListener,
} from './contract/events.ts'
export type { LockWait } from './contract/lock-wait.ts'
export type {
  CollectorOptions,
  CollectorPreference,
  Options,
  TransactionLimits,
  TreeTuning,
} from './contract/options.ts'
export type {
  LevelStats,
  Stats,
  TransactionStats,
  VerifyOptions,
  VerifyProgress,
  VerifyReport,
} from './contract/reports.ts'
export type {
  SyncTransaction,
  SyncTransactionCallback,
  SyncTransactionRange,
  Transaction,
  TransactionCallback,
  TransactionOptions,
  TransactionRange,
  UpdateCallback,
  UpdateOptions,
} from './contract/transactions.ts'
export type {
  TypedBatchOptions,
  TypedCondition,
  TypedIterator,
  TypedKeyCondition,
  TypedKeyRange,
  TypedOperation,
  TypedPutOptions,
  TypedRange,
  TypedSequencedValue,
  TypedStore,
  TypedWriteOptions,
} from './contract/typed-store.ts'
export type * from './contract/types.ts'
export type { Store } from './store/store.ts'

/**
 * Where the types of Node are missing, the compiler takes their names for `any`, and says nothing of it if it does not
 * check declarations (`skipLibCheck`). So the first argument of the first call tells.
 */
type Path = typeof globalThis extends { readonly Buffer: unknown }
  ? string
  : 'the types of wisc need the package @types/node: npm install --save-dev @types/node'

/**
 * Opens the store in a directory; by default it is created if the directory is missing or empty.
 * @throws WiscError: WISC_NO_STORE, WISC_EXISTS, WISC_LOCKED, WISC_CORRUPTION, WISC_FORMAT_VERSION,
 *   WISC_CODEC_UNAVAILABLE, WISC_INVALID_ARGUMENT, WISC_IO, WISC_DISK_FULL, WISC_SYNC_FAILED; WISC_ABORTED by the
 *   signal of `waitForLock`; WISC_STALE with `readOnly` beside a writer that is always faster
 */
export function open(path: Path, options?: Options): Promise<Store> {
  return openStore(path, options)
}
