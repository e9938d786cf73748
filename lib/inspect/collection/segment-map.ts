/** Where in a file of the value log live and dead records lie: sums over parts of equal length. */
import type { FileNumber } from '../../base/ids.ts'
import { engineOf } from '../../store/engine-of.ts'
import type { Store } from '../../store/store.ts'
import {
  fileHolding,
  type MarkedRecords,
  markedRecords,
  type RecordState,
} from './marked-records.ts'

/** Bytes of whole records in a part of a file. What is left of the part belongs to frames, header and index. */
export type MapCell = Readonly<Record<RecordState, number>>

export interface SegmentMap {
  /** Number of the file. */
  readonly number: FileNumber
  readonly file: string
  readonly kind: MarkedRecords['kind']
  readonly totalBytes: number
  readonly diskBytes: number
  /** Of the last one, what the file has left. */
  readonly cellBytes: number
  readonly cells: readonly MapCell[]
  readonly records: Readonly<Record<RecordState, number>>
  readonly bytes: Readonly<Record<RecordState, number>>
}

type Sums = Record<RecordState, number>

function noSums(): Sums {
  return { live: 0, dead: 0, recent: 0 }
}

/**
 * @param number of a file, or of a logical segment
 * @param cellCount at most so many parts
 * @throws WISC_INVALID_ARGUMENT if there is none, WISC_STALE, WISC_ABORTED, CorruptionError
 */
export async function segmentMap(
  store: Store,
  number: FileNumber,
  cellCount: number,
  signal: AbortSignal,
): Promise<SegmentMap> {
  const engine = engineOf(store)
  const marked = await markedRecords(engine, fileHolding(engine, number), signal)
  const { file, kind, length } = marked
  const cellBytes = Math.max(1, Math.ceil(length / cellCount))
  const cells = Array.from({ length: Math.ceil(length / cellBytes) }, noSums)
  const [records, bytes] = [noSums(), noSums()]
  marked.visit((record, state) => {
    records[state]++
    bytes[state] += record.length
    spread(cells, cellBytes, record.place, record.place + record.length, state)
  })
  const diskBytes = engine.space.usage.ofValueLogFile(marked.number)
  return {
    number: marked.number,
    file,
    kind,
    totalBytes: length,
    diskBytes,
    cellBytes,
    cells,
    records,
    bytes,
  }
}

function spread(
  cells: Sums[],
  cellBytes: number,
  from: number,
  to: number,
  state: RecordState,
): void {
  for (let at = from; at < to; ) {
    const index = Math.floor(at / cellBytes)
    const next = Math.min(to, (index + 1) * cellBytes)
    cells[index]![state] += next - at
    at = next
  }
}
