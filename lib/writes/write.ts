/** One put or delete, as the commit queue keeps it: taken from its caller, and made visible when it is in the log. */
import { types } from 'node:util'
import type { Log } from '../../vlog/log/log.ts'
import { type NewRecord, plainRecord, RECORD_KIND, recordLength } from '../../vlog/record.ts'
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
import { KIND, type Kind } from '../tree/entry.ts'
import type { TakenBytes } from './taken-bytes.ts'

/**
 * A value up to this size is copied when it is passed: 16 KiB in 0.6 us, 64 KiB in 1.9, while hashing them once more,
 * to notice a change, takes 1.4 and 2.9.
 */
export const TAKEN_VALUE_BYTES_MAX: number = 64 * 1024

/** One write in the queue: the record that it becomes, and what the queue has to know beside that. */
export interface Write extends NewRecord {
  /** What it becomes in a memtable. */
  readonly entryKind: Kind
  /** It may be stored compressed, if its batch is. */
  readonly compresses: boolean
  /** Of a put-stream: its file. */
  readonly stream: WrittenStream | undefined
}

/** A stream that is going to be seen, when its record is in the log. */
export interface WrittenStream extends BuiltStream {
  /** The record was given to the log: whether it is there is not known, should that have failed. */
  mayBeInLog: boolean
}

/** How a store takes what does not say it by itself. */
export interface TakeDefaults {
  /** Values from this length on are kept in the log alone. */
  readonly valueThreshold: number
  /** Compress what does not say whether it may be. */
  readonly compresses: boolean
}

/**
 * Copies what must not depend on the caller: small values, those that a memtable is going to hold, and shared memory,
 * which other threads may change at any moment, so that no checksum would hold. Nothing of a caller runs in here.
 * @throws WISC_INVALID_ARGUMENT for what a getter of a later operation has transferred
 */
export function takeWrite(taken: TakenBytes, given: Given, defaults: TakeDefaults): Write {
  const { kind, expiresAt = 0, compresses = defaults.compresses } = given
  const key = taken.take(given.key)
  const rawLength = lengthOf(given.value)
  checkNotLost('key', given.key, key.length)
  checkNotLost('value', given.value, rawLength)
  const becomes = entryKind(kind, rawLength, defaults.valueThreshold)
  const borrowed =
    rawLength > TAKEN_VALUE_BYTES_MAX &&
    becomes !== KIND.inline &&
    !types.isSharedArrayBuffer(given.value.buffer)
  return {
    kind,
    key,
    value: borrowed ? ownView(given.value, rawLength) : taken.take(given.value),
    table: undefined,
    codec: CODEC_NONE,
    rawLength,
    storedLength: tableBytes(rawLength) + rawLength,
    expiresAt,
    borrowed,
    entryKind: becomes,
    compresses,
    stream: undefined,
  }
}

/** Whatever happens to the array, this has its bytes or none. */
function ownView({ buffer, byteOffset }: Uint8Array, length: number): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length)
}

/** The write that makes a stream visible. The key is used as it is. */
export function streamWrite(key: Uint8Array, stream: WrittenStream, expiresAt: number): Write {
  const record = plainRecord(RECORD_KIND.putStream, key, encodeStreamValue(stream), expiresAt)
  return { ...record, entryKind: KIND.pointer, compresses: false, stream }
}

/** One that was empty when it was checked is NO_BYTES. @throws WISC_INVALID_ARGUMENT */
function checkNotLost(name: string, given: Uint8Array, bytes: number): void {
  if (bytes > 0 || given === NO_BYTES) return
  throw invalidArgument(`${name} has lost its memory since it was checked: it was transferred`)
}

/** Bytes of key and value. */
export function userBytes({ key, rawLength, stream }: Write): number {
  return key.length + (stream === undefined ? rawLength : stream.size)
}

/** The most bytes of a memtable that a write takes. */
export function arenaBytes({ kind, key, rawLength, entryKind: entry }: Write): number {
  return entryBytesMax(kind, entry, key.length, rawLength)
}

/** ... and of the tables that its flush makes. */
export function treeBytes({ kind, key, rawLength, entryKind: entry }: Write): number {
  return tableBytesMax(kind, entry, key.length, rawLength)
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
): number {
  const { key, value, stream, expiresAt } = write
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
  entry.kind = write.entryKind
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
