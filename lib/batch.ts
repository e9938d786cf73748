/** Batches: what callers want written, as the commit queue keeps it. */
import { RECORD_KIND, type RecordKind } from '../vlog/record.ts'
import { NO_BYTES } from './base/bytes.ts'
import type { WiscError } from './base/errors.ts'

/** One put or delete, checked, as bytes. */
export interface Write {
  readonly kind: RecordKind
  readonly key: Uint8Array
  /** Empty for a delete. */
  readonly value: Uint8Array
}

/** What one caller wants written, all or nothing. */
export interface Batch {
  /** One write needs no array: nearly all batches are single puts. */
  readonly writes: Write | readonly Write[]
  readonly sync: boolean
  /** Bytes of its records. */
  readonly bytes: number
  /** The most bytes of a memtable that it takes. */
  readonly arenaBytes: number
  readonly resolve: () => void
  readonly reject: (error: WiscError) => void
}

/** A single write as a list of one, without an array for each: the scratch is read before the next call. */
const single: Write[] = [{ kind: RECORD_KIND.put, key: NO_BYTES, value: NO_BYTES }]

/** The writes of a batch, to be read before the next call. */
export function writesOf(batch: Batch): readonly Write[] {
  const { writes } = batch
  if (Array.isArray(writes)) return writes as readonly Write[]
  single[0] = writes as Write
  return single
}

/** True if it only deletes. */
export function isDeletes(batch: Batch): boolean {
  return writesOf(batch).every((write) => write.kind === RECORD_KIND.delete)
}
