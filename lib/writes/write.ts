/** One put or delete, as the commit queue keeps it: taken from its caller, and made visible when it is in the log. */
import { types } from 'node:util'
import type { Log } from '../../vlog/log/log.ts'
import { RECORD_KIND, type RecordKind, recordHeadBytes } from '../../vlog/record.ts'
import { type BuiltStream, encodeStreamValue } from '../../vlog/stream/stream-value.ts'
import { CODEC_NONE, tableBytes } from '../../vlog/value-chunks.ts'
import { lengthOf, NO_BYTES } from '../base/bytes.ts'
import { invalidArgument } from '../base/errors.ts'
import type { SegmentNumber, Sequence } from '../base/ids.ts'
import type { Given } from '../contract/arguments.ts'
import { END_EDGE } from '../state/empty-ranges.ts'
import {
  entryBytesMax,
  entryKind,
  insertRange,
  insertStream,
  type Memtables,
  tableBytesMax,
} from '../state/memtables.ts'
import type { ReadableSequences } from '../state/readable-sequences.ts'
import { KIND } from '../tree/entry.ts'
import type { TakenBytes } from './taken-bytes.ts'

/**
 * A value up to this size is copied when it is passed: 16 KiB in 0.6 us, 64 KiB in 1.9, while hashing them once more,
 * to notice a change, takes 1.4 and 2.9.
 */
export const TAKEN_VALUE_BYTES_MAX: number = 64 * 1024

/** One put or delete in the queue. */
export interface Write extends Omit<Given, 'compresses'> {
  /** Bytes of the value: as it is written, without its table, and as it was passed. */
  readonly valueBytes: number
  readonly rawBytes: number
  /** Of the value as it is written. */
  readonly codec: number
  /** 0: it never expires. */
  readonly expiresAt: number
  /** True if the value lies in its caller's memory: it may have changed. Key and other values are the queue's. */
  readonly borrowed: boolean
  /** Of a put-stream: its file. */
  readonly stream: WrittenStream | undefined
  /** It may be stored compressed, if its batch is. */
  compresses: boolean
  /** Of a value of several chunks, once it is known: its table, with a checksum of each. */
  table: Uint8Array | undefined
}

/** A stream that is going to be seen, when its record is in the log. */
export interface WrittenStream extends BuiltStream {
  /** The record was given to the log: whether it is there is not known, should that have failed. */
  mayBeInLog: boolean
}

/**
 * Copies what must not depend on the caller: small values, those that a memtable is going to hold, and shared memory,
 * which other threads may change at any moment, so that no checksum would hold. Nothing of a caller runs in here.
 * @throws WISC_INVALID_ARGUMENT for what a getter of a later operation has transferred
 */
export function takeWrite(
  taken: TakenBytes,
  kind: RecordKind,
  givenKey: Uint8Array,
  given: Uint8Array,
  valueThreshold: number,
  expiresAt: number = 0,
): Write {
  const key = taken.take(givenKey)
  const valueBytes = lengthOf(given)
  checkNotLost('key', givenKey, key.length)
  checkNotLost('value', given, valueBytes)
  if (
    valueBytes <= TAKEN_VALUE_BYTES_MAX ||
    entryKind(kind, valueBytes, valueThreshold) === KIND.inline ||
    types.isSharedArrayBuffer(given.buffer)
  ) {
    return plainWrite(kind, key, taken.take(given), valueBytes, false, expiresAt, undefined)
  }
  // A view of its own: whatever happens to the array, it has these bytes or none.
  const value = new Uint8Array(given.buffer, given.byteOffset, valueBytes)
  return plainWrite(kind, key, value, valueBytes, true, expiresAt, undefined)
}

/** A write of a value as it was passed. */
export function plainWrite(
  kind: RecordKind,
  key: Uint8Array,
  value: Uint8Array,
  valueBytes: number,
  borrowed: boolean,
  expiresAt: number,
  stream: WrittenStream | undefined,
): Write {
  return {
    kind,
    key,
    value,
    valueBytes,
    rawBytes: valueBytes,
    codec: CODEC_NONE,
    expiresAt,
    borrowed,
    stream,
    compresses: true,
    table: undefined,
  }
}

/** The write that makes a stream visible. The key is used as it is. */
export function streamWrite(key: Uint8Array, stream: WrittenStream, expiresAt: number): Write {
  const value = encodeStreamValue(stream)
  return plainWrite(RECORD_KIND.putStream, key, value, value.length, false, expiresAt, stream)
}

/** One that was empty when it was checked is NO_BYTES. @throws WISC_INVALID_ARGUMENT */
function checkNotLost(name: string, given: Uint8Array, bytes: number): void {
  if (bytes > 0 || given === NO_BYTES) return
  throw invalidArgument(`${name} has lost its memory since it was checked: it was transferred`)
}

/** Bytes of key and value. */
export function userBytes({ key, rawBytes, stream }: Write): number {
  return key.length + (stream === undefined ? rawBytes : stream.size)
}

/** @param standard compress what does not say whether it may be */
export function takeWrites(
  taken: TakenBytes,
  given: readonly Given[],
  valueThreshold: number,
  standard: boolean,
): Write[] {
  return given.map(({ kind, key, value, expiresAt, compresses = standard }) => {
    const write = takeWrite(taken, kind, key, value, valueThreshold, expiresAt)
    write.compresses = compresses
    return write
  })
}

/** The most bytes of a memtable that a write takes. */
export function arenaBytes({ kind, key, rawBytes }: Write, valueThreshold: number): number {
  const entry = entryKind(kind, rawBytes, valueThreshold)
  return entryBytesMax(kind, entry, key.length, rawBytes)
}

/** ... and of the tables that its flush makes. */
export function treeBytes({ kind, key, rawBytes }: Write, valueThreshold: number): number {
  return tableBytesMax(kind, entryKind(kind, rawBytes, valueThreshold), key.length, rawBytes)
}

/** Bytes of the record of a write. */
export function recordLength({ key, valueBytes, rawBytes, expiresAt }: Write): number {
  return recordHeadBytes(key.length, expiresAt) + tableBytes(rawBytes) + valueBytes
}

/** Where writes become visible, and who may still read what they replace. */
interface InsertTarget {
  readonly memtables: Memtables
  readonly readers: ReadableSequences
  readonly log: Pick<Log, 'mayEndBetween'>
}

/**
 * Makes a write visible whose record lies in the log.
 * @returns the bytes of the record
 */
export function insertWrite(
  { memtables, readers, log }: InsertTarget,
  write: Write,
  sequence: Sequence,
  segment: SegmentNumber,
  offset: number,
  valueThreshold: number,
): number {
  const { key, value, rawBytes, stream, expiresAt } = write
  const length = recordLength(write)
  if (write.kind === RECORD_KIND.deleteRange) {
    // After a failed sync everybody reads at the end of what is durable.
    insertRange(memtables, key, value, sequence, {
      isAnyBetween: (older, newer) =>
        readers.isAnyBetween(older, newer) || log.mayEndBetween(older, newer),
    })
    // Scans need not even look. Whoever puts a key from now on says so.
    const upper = value.length === 0 ? END_EDGE : { key: value, behind: false }
    memtables.emptyRanges.add({ key, behind: false }, upper, sequence)
    return length
  }
  if (stream !== undefined) {
    insertStream(memtables, key, sequence, stream, expiresAt)
    return length
  }
  const { entry } = memtables
  entry.kind = entryKind(write.kind, rawBytes, valueThreshold)
  entry.sequence = sequence
  if (entry.kind === KIND.inline) {
    entry.valueBytes = value
    entry.valueEnd = value.length
  }
  entry.segment = segment
  entry.offset = offset
  entry.length = length
  entry.expiresAt = expiresAt
  memtables.insert(key, entry)
  return length
}
