/**
 * The records of one file of the value log, each with the answer whether an entry of a table points to it. Walks heads
 * only, no values; on the calling thread, in short steps. Writes nothing (I11).
 */
import type { ValueLogFile } from '../../../vlog/collect/victim.ts'
import {
  emptyVictimRecord,
  type VictimRecord,
  type VictimRecords,
} from '../../../vlog/collect/victim-records.ts'
import { collectVictims } from '../../../vlog/collect/victim-walk.ts'
import { invalidArgument } from '../../base/errors.ts'
import { segmentName } from '../../base/files/file-names.ts'
import type { ReadingEngine } from '../../reads/reading-engine.ts'
import { pointingInto } from '../../space/pointing.ts'
import { flushedEnd } from '../../state/value-log-files.ts'
import { markPointers } from '../../tree/compaction/mark-pointers.ts'
import { holderOf, isRelocated } from '../../tree/version/version.ts'
import { inTurns } from './in-turns.ts'

/** live: an entry points to it. dead: none does. recent: it is above the checkpoint, in no table yet. */
export type RecordState = 'live' | 'dead' | 'recent'

export interface MarkedRecords {
  readonly number: number
  readonly file: string
  readonly kind: ValueLogFile['kind']
  readonly length: number
  /** Calls with each record, in the order of their places. The record is the same object each time. */
  visit(each: (record: Readonly<VictimRecord>, state: RecordState) => void): void
}

/**
 * The number of the file that holds a segment: its own, or that of a relocation.
 * @param number of a file or of a logical segment
 * @throws WISC_INVALID_ARGUMENT if the store has neither
 */
export function fileHolding({ version }: ReadingEngine, number: number): number {
  const holder = holderOf(version, number)
  if (holder === undefined) throw invalidArgument(`the store has no such segment number=${number}`)
  return holder
}

/** @throws WISC_STALE, WISC_ABORTED, CorruptionError */
export async function markedRecords(
  engine: ReadingEngine,
  number: number,
  signal: AbortSignal,
): Promise<MarkedRecords> {
  try {
    const { context, version, space } = engine
    const victim = fileOfNumber(engine, number)
    const { tables } = pointingInto(version, space.references, [number])
    const isEmpty = victim.length === 0
    const input = { ...context, files: isEmpty ? [] : [victim], tables }
    const records = await inTurns(collectVictims(input, context), signal)
    if (!isEmpty) await inTurns(markPointers(input, context.fileSystem)(records), signal)
    const { kind, length } = victim
    const recentFrom = kind === 'relocation' ? length : flushedEnd(version, number, length)
    return {
      ...victim,
      file: segmentName(number),
      visit: (each) => visitAll(records, recentFrom, each),
    }
  } catch (error) {
    throw engine.viewFailure(error)
  }
}

export function fileOfNumber(engine: ReadingEngine, number: number): ValueLogFile {
  const { version } = engine
  const relocation = version.relocations.get(number)
  if (relocation) {
    const { salt, length } = relocation
    return { kind: 'relocation', number, salt, length }
  }
  const segment = version.segments.get(number)
  if (segment === undefined || isRelocated(segment)) {
    throw invalidArgument(`no file holds such a segment number=${number}`)
  }
  const length = segment.state === 'sealed' ? segment.length : engine.writtenEnd(number)
  return { kind: 'segment', number, salt: segment.salt, length }
}

function visitAll(
  records: VictimRecords,
  recentFrom: number,
  each: (record: Readonly<VictimRecord>, state: RecordState) => void,
): void {
  const record = emptyVictimRecord()
  for (let page = 0; page < records.pageCount; page++) {
    records.visitPage(page, record, () => {
      const state = record.isLive ? 'live' : record.place < recentFrom ? 'dead' : 'recent'
      each(record, state)
    })
  }
}
