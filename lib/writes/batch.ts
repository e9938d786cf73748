/** Batches: what callers want written, all or nothing, as the commit queue keeps it. */
import type { Log } from '../../vlog/log/log.ts'
import { recordLength } from '../../vlog/record.ts'
import { CODEC_NONE, plainTable } from '../../vlog/value-chunks.ts'
import { equalBytes, lengthOf } from '../base/bytes.ts'
import { invalidArgument, toWiscError, type WiscError } from '../base/errors.ts'
import type { EventLoopTurn } from '../base/event-loop-turn.ts'
import type { Given } from '../contract/arguments.ts'
import { ARENA_BYTES_MAX } from '../tree/memtable/arena.ts'
import { arenaBytes, treeBytes, type Write } from './write.ts'
import { isPut, WritesByKey } from './writes-by-key.ts'

/** What a batch takes. */
export interface BatchSize {
  readonly records: number
  /** Of these. */
  bytes: number
  /** The most bytes of a memtable ... */
  readonly arenaBytes: number
  /** ... and of the tables that become of it. */
  readonly tableBytesMax: number
}

/** The last write of each key, of batches that are in no memtable yet, or were not until now. */
export type LastWrites = Omit<WritesByKey<Write>, 'set'>

/** @param earlier what comes before it in its group: no memtable has that yet */
export type Compose<T> = (earlier: LastWrites) => Composed<T>

export interface Composed<T> {
  readonly writes: readonly Given[]
  /** For its caller, when that is written. What is a promise goes on beside the group, and does not fail with it. */
  readonly result: T | Promise<T>
}

/** What must hold in the turn of a batch, or else nothing of it is written. */
export interface BatchCondition {
  /**
   * May be asked again when the turn had to wait.
   * @param earlier what comes before it in its group
   */
  judge(earlier: LastWrites): WiscError | undefined
}

/** Is told of every group that has become visible, at once. */
export interface CommitWatcher {
  committed(writes: LastWrites): void
}

/** What one caller wants written, all or nothing. */
export interface Batch extends BatchSize {
  /** One write needs no array: nearly all batches are single puts. */
  writes: Write | readonly Write[]
  /** True if a value of it is borrowed. */
  borrows: boolean
  readonly sync: boolean
  readonly condition: BatchCondition | undefined
  /** Says what is to be written when its turn has come; until then it has no writes. */
  readonly compose: Compose<unknown> | undefined
  /** Values are compressed where that saves enough. */
  readonly compresses: boolean
  /** While it is still made ready: resolves, and is gone, when it is. Its turn waits for that. */
  ready: Promise<void> | undefined
  /** Why it cannot be written, as found while it was made ready. */
  failure: WiscError | undefined
  readonly resolve: (result?: unknown) => void
  /** With what a callback has thrown, too. */
  readonly reject: (error: unknown) => void
}

/** Its caller gets what `tell` says when it is written. */
export function resolveWith<T>(
  batch: { -readonly [K in keyof Batch]: Batch[K] },
  tell: (written: Batch) => T,
): void {
  const { resolve } = batch
  batch.resolve = () => resolve(tell(batch))
}

/** Bytes of the values of a batch as they are stored, with their tables. */
export function storedSizeOf(batch: Batch): number {
  return writesOf(batch).reduce((bytes, { storedLength }) => bytes + storedLength, 0)
}

/** What a caller asks of a batch, whatever it writes. */
export type BatchRequest = Pick<
  Batch,
  'sync' | 'condition' | 'compose' | 'compresses' | 'resolve' | 'reject'
>

/**
 * A batch of writes that were taken. Data plane: called once for each put.
 * @throws WISC_INVALID_ARGUMENT if no memtable could hold them
 */
export function makeBatch(writes: Batch['writes'], asked: BatchRequest): Batch {
  const { sync, condition, compose, compresses, resolve, reject } = asked
  let bytes = 0
  let arena = 0
  let tables = 0
  let borrows = false
  const list = writesOf({ writes })
  const records = list.length
  for (let i = 0; i < records; i++) {
    const write = list[i]!
    bytes += recordLength(write)
    arena += arenaBytes(write)
    tables += treeBytes(write)
    borrows ||= write.borrowed
  }
  if (arena > ARENA_BYTES_MAX) {
    throw invalidArgument(`batch is too large for a memtable bytes=${arena} max=${ARENA_BYTES_MAX}`)
  }
  return {
    writes,
    sync,
    borrows,
    condition,
    compose,
    compresses,
    ready: undefined,
    failure: undefined,
    records,
    bytes,
    arenaBytes: arena,
    tableBytesMax: tables,
    resolve,
    reject,
  }
}

/** Has a batch write the same in another form. */
export function resized(batch: Batch, writes: Batch['writes']): void {
  batch.writes = writes
  batch.bytes = 0
  batch.borrows = false
  for (const write of writesOf(batch)) {
    batch.bytes += recordLength(write)
    batch.borrows ||= write.borrowed
  }
}

/** A single write as a list of one, without an array for each: the scratch is read before the next call. */
const single: Write[] = []

/** The writes of a batch, to be read before the next call. */
export function writesOf(batch: Pick<Batch, 'writes'>): readonly Write[] {
  const { writes } = batch
  if (Array.isArray(writes)) return writes as readonly Write[]
  single[0] = writes as Write
  return single
}

/** Adds the writes of a batch. */
export function addLastWrites(writes: WritesByKey<Write>, batch: Batch): void {
  for (const write of writesOf(batch)) writes.set(write)
}

export function tellWatchers(watchers: Iterable<CommitWatcher>, batches: readonly Batch[]): void {
  const writes = new WritesByKey<Write>()
  for (const batch of batches) addLastWrites(writes, batch)
  for (const watcher of watchers) watcher.committed(writes)
}

/** True if a value of it cannot be had from its write: it is a stream, or compressed. */
export function hasOpaque(batch: Batch): boolean {
  return writesOf(batch).some(({ stream, codec }) => stream !== undefined || codec !== CODEC_NONE)
}

/** True if it only deletes. */
export function isDeletes(batch: Batch): boolean {
  const { writes } = batch
  return Array.isArray(writes) ? !writes.some(isPut) : !isPut(writes as Write)
}

/**
 * Remembers what its borrowed values are. Called in the turn in which they were passed, if they have to wait, so that a
 * change until they are written is noticed.
 */
export function seal(batch: Batch): void {
  for (const write of writesOf(batch)) {
    if (write.borrowed) write.table ??= plainTable(write.value)
  }
}

/** Seals what is not sealed yet. @returns false if a value has changed since it was passed */
export function isUnchanged(batch: Batch): boolean {
  if (!batch.borrows) return true
  for (const write of writesOf(batch)) {
    if (!write.borrowed) continue
    // Memory that shrank or was given away has another length, and no bytes to look at.
    if (lengthOf(write.value) !== write.rawLength) return false
    const table = plainTable(write.value)
    if (write.table !== undefined && !equalBytes(write.table, table)) return false
    write.table = table
  }
  return true
}

/** Settles batches that are in the log and visible: those with `sync` when the log is durable up to there. */
export function settleWritten(batches: readonly Batch[], log: Log, turn: EventLoopTurn): void {
  if (turn.isOld()) {
    turn.later(() => {
      for (const batch of batches) if (!batch.sync) batch.resolve()
    })
  } else for (const batch of batches) if (!batch.sync) batch.resolve()
  if (!batches.some((batch) => batch.sync)) return
  // I1: the position is that of the log now, and the sync that answers it begins later.
  const settle = (error: WiscError | undefined): void => {
    for (const batch of batches) {
      if (!batch.sync) continue
      if (error) batch.reject(error)
      else batch.resolve()
    }
  }
  log.sync().then(
    () => settle(undefined),
    (error: unknown) => settle(toWiscError(error)),
  )
}
