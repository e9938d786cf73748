/**
 * The records of one file of the value log, each with the answer whether an entry of a table points to it. Walks heads
 * only, no values; on the calling thread, in short slices. Writes nothing (I11).
 */
import type { VictimFile } from '../../../vlog/collect/victim.ts'
import { emptyVictimRecord, type VictimRecord } from '../../../vlog/collect/victim-page.ts'
import type { VictimRecords } from '../../../vlog/collect/victim-records.ts'
import { collectVictims } from '../../../vlog/collect/victim-walk.ts'
import { STREAM_OFFSET } from '../../../vlog/stream/stream-format.ts'
import { hashRange } from '../../base/bytes.ts'
import { assert, invalidArgument } from '../../base/errors.ts'
import { segmentName } from '../../base/files/file-names.ts'
import { type FileNumber, SEQUENCE_MAX, type SegmentNumber } from '../../base/ids.ts'
import type { ValueLogFileKind } from '../../contract/collection-plan.ts'
import type { ReadingEngine } from '../../reads/reading-engine.ts'
import { pointingInto } from '../../space/pointing.ts'
import { findInRuns } from '../../state/tables.ts'
import { markPointers } from '../../tree/compaction/mark-pointers.ts'
import { Entry, KIND } from '../../tree/entry.ts'
import { fileLength, flushedEnd } from '../../tree/version/version.ts'
import { interruptibly } from './interruptible.ts'

/** live: an entry points to it. dead: none does. recent: it is above the checkpoint, in no table yet. */
export type RecordState = 'live' | 'dead' | 'recent'

export interface MarkedRecords {
  readonly number: FileNumber
  readonly file: string
  readonly kind: ValueLogFileKind
  readonly length: number
  /** Calls with each record, in the order of their places. The record is the same object each time. */
  visit(each: (record: MarkedRecord, state: RecordState) => void): void
}

/** Of a stream: its value, from the first chunk to the last. */
export type MarkedRecord = Readonly<
  Pick<
    VictimRecord,
    'keyBytes' | 'keyStart' | 'keyEnd' | 'sequence' | 'segment' | 'offset' | 'place' | 'length'
  >
>

/**
 * The number of the file that holds a segment: its own, or that of a relocation.
 * @param number of a file or of a logical segment
 * @throws WISC_INVALID_ARGUMENT if the store has neither
 */
export function fileHolding({ version }: ReadingEngine, number: SegmentNumber): FileNumber {
  const holder = version.segments.get(number)
  if (holder === undefined) throw invalidArgument(`the store has no such segment number=${number}`)
  return holder
}

/** @throws WISC_STALE, WISC_ABORTED, CorruptionError */
export async function markedRecords(
  engine: ReadingEngine,
  number: FileNumber,
  signal: AbortSignal,
): Promise<MarkedRecords> {
  try {
    const { context, version, space } = engine
    if (version.files.get(number)?.role === 'stream') return markedStream(engine, number)
    const victim = fileToMark(engine, number)
    const { tables } = pointingInto(version, space.references, [number])
    const isEmpty = victim.length === 0
    const input = { ...context, files: isEmpty ? [] : [victim], tables }
    const records = await interruptibly(collectVictims(input, context), signal)
    if (!isEmpty) await interruptibly(markPointers(input, context.fileSystem)(records), signal)
    const { length } = victim
    const known = version.files.get(number)
    const recentFrom = known?.role === 'log' ? flushedEnd(version, known, length) : length
    return {
      ...victim,
      file: segmentName(number),
      visit: (each) => visitAll(records, recentFrom, each),
    }
  } catch (error) {
    throw engine.viewFailure(error)
  }
}

/** A stream: the entry that points to it may be an older one of its key. */
function markedStream(engine: ReadingEngine, number: FileNumber): MarkedRecords {
  const { version, space } = engine
  const keyBytes = engine.values.streamKey(number)
  const keyEnd = keyBytes.length
  const hash = hashRange(keyBytes, 0, keyEnd, 0)
  const runs = version.levels.flatMap((level) => level.runs)
  const found = new Entry()
  let isLive = false
  for (let at = SEQUENCE_MAX; !isLive; at = found.sequence - 1) {
    if (!findInRuns(engine, runs, keyBytes, hash, at, found)) break
    isLive = found.kind === KIND.pointer && found.segment === number
  }
  const { sequence } = found
  const length = fileLength(version.files.get(number)!)!
  const [segment, offset, place] = [number, STREAM_OFFSET, 0]
  const record = { keyBytes, keyStart: 0, keyEnd, sequence, segment, offset, place, length }
  const state = isLive ? 'live' : space.holdsStream(number) ? 'recent' : 'dead'
  const file = segmentName(number)
  return { number, file, kind: 'stream', length, visit: (each) => each(record, state) }
}

/**
 * A file as the collector's jobs know it, up to where it is written now.
 * @throws WISC_INVALID_ARGUMENT if there is no file of that number
 */
export function fileToMark(engine: ReadingEngine, number: FileNumber): VictimFile {
  const file = engine.version.files.get(number)
  assert(file?.role !== 'stream', 'a stream has no records')
  if (file === undefined) throw invalidArgument(`no file holds such a segment number=${number}`)
  const length = fileLength(file) ?? engine.writtenEnd(number)
  return { kind: file.role === 'log' ? 'segment' : 'relocation', number, salt: file.salt, length }
}

function visitAll(
  records: VictimRecords,
  recentFrom: number,
  each: (record: MarkedRecord, state: RecordState) => void,
): void {
  const record = emptyVictimRecord()
  for (let page = 0; page < records.pageCount; page++) {
    records.visitPage(page, record, () => {
      const state = record.isLive ? 'live' : record.place < recentFrom ? 'dead' : 'recent'
      each(record, state)
    })
  }
}
