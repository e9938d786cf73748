/**
 * Replay: the records between the checkpoint and the end of the log go into memtables again.
 *
 * Works on a log that has been surveyed (and, for a writer, recovered), so any damage here is new damage: a record is
 * proved once more as it is inserted, for beside a writer its bytes may be a hole by now. Memtables with a part of a
 * damaged frame are thrown away, for the open fails.
 * Memtables are frozen between frames only: a checkpoint is the start of a frame.
 */

import { SEGMENT_HEADER_BYTES } from '../../vlog/log/segment-header.ts'
import { type FrameSummary, SegmentWalk, type VisitedRecord } from '../../vlog/log/segment-walk.ts'
import { RECORD_KIND, type RecordHeader, recordExpiry } from '../../vlog/record.ts'
import { openStream } from '../../vlog/stream/stream-reader.ts'
import { decodeStreamValue, type StreamValue } from '../../vlog/stream/stream-value.ts'
import { CODEC_NONE } from '../../vlog/value-chunks.ts'
import { compareBytes } from '../base/bytes.ts'
import { CorruptionError } from '../base/errors.ts'
import { joinPath, segmentName } from '../base/files/file-names.ts'
import { frameSeed } from '../base/files/frame.ts'
import type { StoreDirectory } from '../base/files/store-directory.ts'
import type { FileNumber, LogOrdinal, SegmentNumber } from '../base/ids.ts'
import type { LogPosition } from '../base/log-position.ts'
import type { RecoveryReport } from '../contract/types.ts'
import type { Memtables } from '../state/memtables.ts'
import { entryBytesMax, entryKind, insertRange, insertStream } from '../state/memtables.ts'
import type { ReadableSequences } from '../state/readable-sequences.ts'
import { KEY_BYTES_MAX, KIND, type Kind } from '../tree/entry.ts'
import { ARENA_BYTES_MAX } from '../tree/memtable/arena.ts'
import { Memtable } from '../tree/memtable/memtable.ts'
import { logFiles, type Version } from '../tree/version/version.ts'

const NO_READERS = { isAnyBetween: () => false }

/** A record names a stream that its version does not have: without a later edit that is corruption. */
export class MissingStreamError extends CorruptionError {}

/** Where records go. */
export interface ReplayTarget {
  readonly memtables: Memtables
  readonly valueThreshold: number
  /** Bytes of log that one memtable may cover. */
  readonly share: number
  /** Who reads at older sequences: nobody, where the store is just being opened. */
  readonly held?: Pick<ReadableSequences, 'isAnyBetween'>
}

/**
 * Replays in steps: yields when a memtable has to be flushed before it can go on.
 * @param end the log is replayed up to here
 */
export function* replayLog(
  context: StoreDirectory,
  version: Version,
  end: LogPosition,
  target: ReplayTarget & { readonly report: RecoveryReport },
): Generator<void> {
  const began = performance.now()
  const { checkpoint } = version
  for (const { number, salt, ordinal, seal } of logFiles(version, checkpoint.ordinal)) {
    if (ordinal > end.ordinal) break
    const length = ordinal === end.ordinal ? end.offset : seal?.length
    const from = ordinal === checkpoint.ordinal ? checkpoint.offset : SEGMENT_HEADER_BYTES
    // Nothing of it is left to replay, and it may have been reclaimed.
    if (length !== undefined && from >= length) continue
    yield* replaySegment(
      context,
      version,
      { number, salt, ordinal, from: Math.max(from, SEGMENT_HEADER_BYTES), length },
      target,
      target.report,
    )
  }
  target.report.replayMs += performance.now() - began
}

interface SegmentPart {
  readonly number: FileNumber
  readonly salt: number
  readonly ordinal: LogOrdinal
  readonly from: number
  /** undefined: to its end, which the survey found to be valid. */
  readonly length: number | undefined
}

function* replaySegment(
  context: StoreDirectory,
  version: Version,
  { number, salt, ordinal, from, length }: SegmentPart,
  target: ReplayTarget,
  report: RecoveryReport,
): Generator<void> {
  const { fileSystem, directory, databaseId } = context
  const name = segmentName(number)
  const file = fileSystem.open(joinPath(directory, name), 'read')
  try {
    const walk = new SegmentWalk(file, {
      number,
      seed: frameSeed({ kind: 'segment', databaseId, number, salt }),
      end: length ?? file.stat().size,
      from,
      firstSequence: undefined,
      proveValues: true,
    })
    for (let frame = walk.enter(); frame !== undefined; frame = walk.enter()) {
      yield* replayFrame(context, version, walk, frame, { number, ordinal }, target)
      report.replayedRecords += frame.recordCount
    }
    if (walk.damage) throw new CorruptionError(name, walk.damage.offset, walk.damage.reason)
  } finally {
    file.close()
  }
}

/**
 * The records of a frame at which a walk stands. One that could not be replayed to its end goes on where it stopped.
 * @param of the file that the walk is over
 */
export function* replayFrame(
  context: StoreDirectory,
  version: Version,
  walk: SegmentWalk,
  frame: FrameSummary,
  { number, ordinal }: { readonly number: FileNumber; readonly ordinal: LogOrdinal },
  target: ReplayTarget,
): Generator<void> {
  const { memtables, held = NO_READERS } = target
  const valueThreshold = yield* makeRoom(walk, frame, ordinal, target)
  const name = segmentName(number)
  const last = memtables.active.largestSequence
  walk.visit((record) => {
    const { kind, sequence } = record.header
    if (sequence <= last) return
    if (kind === RECORD_KIND.putStream) replayStream(context, version, record, name, memtables)
    else if (kind === RECORD_KIND.deleteRange) replayRange(record, name, memtables, held)
    else insertRecord(record, number, memtables, valueThreshold)
  })
  memtables.logBytes += frame.length
}

/**
 * Freezes the active memtable before a frame that it cannot hold, or when it covers its share of the log.
 * @returns the threshold for the frame: another one than the store's if a larger threshold than the one with
 *   which it was written would make its values too many for any memtable
 */
function* makeRoom(
  walk: SegmentWalk,
  frame: FrameSummary,
  ordinal: LogOrdinal,
  target: ReplayTarget,
): Generator<void, number> {
  const { memtables, share, valueThreshold } = target
  const covered = !memtables.active.isEmpty && memtables.logBytes + frame.length > share
  // A bound first, that of range tombstones, which take the most: counting exactly costs a walk over the records.
  const bound = frame.recordCount * Memtable.rangeBytesNeeded(0) + 2 * frame.length
  if (!covered && memtables.active.hasRoom(bound)) return valueThreshold
  const exact = exactBytes(walk, valueThreshold)
  const fits = exact <= ARENA_BYTES_MAX
  // More is wanted by range tombstones alone, which do not lie in the arena: what was written once can be read again.
  const needed = fits ? exact : Math.min(exactBytes(walk, 0), ARENA_BYTES_MAX)
  const usedThreshold = fits ? valueThreshold : 0
  if (!covered && memtables.active.hasRoom(needed)) return usedThreshold
  const end = { ordinal, offset: frame.offset }
  while (!memtables.freeze(end, needed)) yield
  return usedThreshold
}

function exactBytes(walk: SegmentWalk, valueThreshold: number): number {
  let bytes = 0
  walk.visitHeads(({ header }) => {
    const kind = kindOf(header, valueThreshold)
    bytes += entryBytesMax(header.kind, kind, header.keyLength, header.rawLength)
  })
  return bytes
}

/** What is stored with a codec stays in the log, whatever the threshold is now. */
function kindOf({ kind, codec, rawLength }: RecordHeader, valueThreshold: number): Kind {
  return entryKind(kind, rawLength, codec === CODEC_NONE ? valueThreshold : 0)
}

const keyScratch = new Uint8Array(KEY_BYTES_MAX)

function insertRecord(
  record: VisitedRecord,
  segment: SegmentNumber,
  memtables: Memtables,
  valueThreshold: number,
): void {
  const { header, offset } = record
  const { entry } = memtables
  entry.kind = kindOf(header, valueThreshold)
  if (entry.kind === KIND.inline) {
    entry.valueBytes = record.value()
    entry.valueEnd = entry.valueBytes.length
  }
  entry.sequence = header.sequence
  entry.segment = segment
  entry.offset = offset
  entry.length = header.length
  entry.expiresAt = expiryOf(record)
  memtables.insert(keyOf(record), entry)
}

function expiryOf({ header, keyBytes, keyEnd }: VisitedRecord): number {
  return recordExpiry(keyBytes, keyEnd - header.headBytes, header)
}

/** @param name of the file with the record */
function replayRange(
  record: VisitedRecord,
  name: string,
  memtables: Memtables,
  held: Pick<ReadableSequences, 'isAnyBetween'>,
): void {
  const { header, offset } = record
  const start = keyOf(record)
  const end = record.value()
  if (end.length > 0 && compareBytes(start, end) >= 0)
    throw new CorruptionError(name, offset, 'record deletes a range that ends before it begins')
  insertRange(memtables, start, end, header.sequence, held)
}

/** A key in memory of this thread: until the next call. */
function keyOf({ keyBytes, keyStart, keyEnd }: VisitedRecord): Uint8Array {
  keyScratch.set(keyBytes.subarray(keyStart, keyEnd))
  return keyScratch.subarray(0, keyEnd - keyStart)
}

/**
 * The file of a stream was a durable part of the version before its record was written, and is one until a checkpoint
 * has passed that: without it the log is corrupt.
 * @param name of the file with the record
 */
function replayStream(
  context: StoreDirectory,
  version: Version,
  record: VisitedRecord,
  name: string,
  memtables: Memtables,
): void {
  const { header, offset } = record
  const value = decodeStreamValue(record.value())
  const key = keyOf(record)
  proveStream(context, version, key, value, name, offset)
  insertStream(memtables, key, header.sequence, value, expiryOf(record))
}

/** @throws CorruptionError if there is no such stream */
function proveStream(
  { fileSystem, directory, databaseId }: StoreDirectory,
  version: Version,
  key: Uint8Array,
  { number, size, tableChecksum }: StreamValue,
  name: string,
  offset: number,
): void {
  const file = version.files.get(number)
  if (file?.role !== 'stream')
    throw new MissingStreamError(
      name,
      offset,
      `record names a stream that there is not, number=${number}`,
    )
  const path = joinPath(directory, segmentName(number))
  const stream = openStream(fileSystem, path, segmentName(number), { ...file, databaseId })
  try {
    const isMeant =
      stream.size === size &&
      stream.tableChecksum === tableChecksum &&
      compareBytes(stream.key, key) === 0
    if (!isMeant)
      throw new CorruptionError(name, offset, `record names another stream, number=${number}`)
  } finally {
    stream.close()
  }
}
