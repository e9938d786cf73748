/**
 * Why a file of the value log is still there: who points into it, who reads what lies in it, and what it would take to
 * be rid of it. Walks the tree and the heads of the file; writes nothing (I11).
 */

import { invalidArgument } from '../../base/errors.ts'
import { tableName } from '../../base/files/file-names.ts'
import type { FileNumber, SegmentNumber, Sequence } from '../../base/ids.ts'
import { bytesInVain } from '../../collector/walked-tree.ts'
import type { CollectionPlan } from '../../contract/collection.ts'
import type { ReadingEngine } from '../../reads/reading-engine.ts'
import { engineOf } from '../../store/engine-of.ts'
import type { Store } from '../../store/store.ts'
import { segmentsOf } from '../../tree/version/version.ts'
import { fileHolding, markedRecords } from './marked-records.ts'
import { exactPlan, type SegmentRow, segmentRows, walkedWith } from './segment-report.ts'

const SAMPLES_MAX = 5
/** Each one takes a walk of the tree. */
const PINS_MAX = 8

/** A table with entries that point into the file. */
export interface ReferringTable {
  readonly file: string
  readonly level: number
  readonly records: number
  readonly bytes: number
}

/** A record that an entry points to. */
export interface SampleRecord {
  readonly key: Uint8Array
  readonly sequence: Sequence
  /** The segment and offset that the entry names. */
  readonly segment: SegmentNumber
  readonly offset: number
  /** The whole record. */
  readonly bytes: number
}

/** Snapshots and iterators at one sequence. */
export interface Pin {
  readonly sequence: Sequence
  readonly count: number
  /** Records of the file that it sees, and nobody who reads now does. */
  readonly bytes: number
}

export interface SegmentFacts {
  readonly segment: SegmentRow
  /** Most bytes first. */
  readonly tables: readonly ReferringTable[]
  /** Some, from all over the file. */
  readonly samples: readonly SampleRecord[]
  /** Oldest first, not all if there are many; null if nobody can say. */
  readonly pins: readonly Pin[] | null
  /** What a collection of this file alone would do, however little it frees. */
  readonly plan: CollectionPlan
  /** What a cache has evicted has lower sequences; 0: nothing was. */
  readonly evictedBelow: Sequence
}

export interface FactsOptions {
  /** What is open in the process that has the store open; undefined if nobody can say. */
  readonly readers: readonly { readonly sequence: Sequence; readonly count: number }[] | undefined
  readonly signal: AbortSignal
}

/** @throws WISC_INVALID_ARGUMENT if the store has no such segment, WISC_STALE, WISC_ABORTED, CorruptionError */
export async function segmentFacts(
  store: Store,
  segment: SegmentNumber,
  { readers, signal }: FactsOptions,
): Promise<SegmentFacts> {
  const engine = engineOf(store)
  const number = fileHolding(engine, segment)
  const sequences = readers?.map(({ sequence }) => sequence)
  const rows = await segmentRows(store, { isExact: true, readers: sequences, signal })
  const row = rows.find((each) => each.number === number)
  // One that was only prepared is no file of the account.
  if (!row) throw invalidArgument(`the segment holds nothing yet number=${number}`)
  return {
    segment: row,
    tables: referringTables(engine, number),
    samples: await samples(engine, number, signal),
    pins: readers ? await pins(engine, number, readers.slice(0, PINS_MAX), signal) : null,
    plan: await planAlone(engine, number, sequences ?? [], signal),
    evictedBelow: engine.version.evictedBelow,
  }
}

async function planAlone(
  engine: ReadingEngine,
  number: FileNumber,
  readers: readonly number[],
  signal: AbortSignal,
): Promise<CollectionPlan> {
  const wishes = { target: 1, segments: new Set([number]) }
  return (await exactPlan(engine, wishes, readers, signal)).plan
}

function referringTables(engine: ReadingEngine, file: FileNumber): ReferringTable[] {
  const segments = new Set(segmentsOf(engine.version, file))
  const found: ReferringTable[] = []
  engine.version.levels.forEach(({ runs }, level) => {
    for (const { number } of runs.flatMap((run) => run.tables)) {
      let [records, bytes] = [0, 0]
      for (const reference of engine.tables.get(number).references) {
        if (!segments.has(reference.segment)) continue
        records += reference.records
        bytes += reference.bytes
      }
      if (records > 0) found.push({ file: tableName(number), level, records, bytes })
    }
  })
  return found.sort((left, right) => right.bytes - left.bytes)
}

/** Evenly spread over the records that entries point to. */
async function samples(
  engine: ReadingEngine,
  file: FileNumber,
  signal: AbortSignal,
): Promise<SampleRecord[]> {
  const marked = await markedRecords(engine, file, signal)
  let live = 0
  marked.visit((_record, state) => {
    if (state === 'live') live++
  })
  const found: SampleRecord[] = []
  const step = Math.max(1, live / SAMPLES_MAX)
  let index = 0
  marked.visit(({ keyBytes, keyStart, keyEnd, sequence, segment, offset, length }, state) => {
    if (state !== 'live') return
    if (index++ < Math.floor(found.length * step) || found.length === SAMPLES_MAX) return
    const key = keyBytes.slice(keyStart, keyEnd)
    found.push({ key, sequence, segment, offset, bytes: length })
  })
  return found
}

async function pins(
  engine: ReadingEngine,
  file: FileNumber,
  readers: NonNullable<FactsOptions['readers']>,
  signal: AbortSignal,
): Promise<Pin[]> {
  const segments = segmentsOf(engine.version, file)
  const found: Pin[] = []
  for (const { sequence, count } of readers) {
    const walked = await walkedWith(engine, [sequence], signal)
    const { pinnedBytes: bytes } = bytesInVain(walked, segments)
    if (bytes > 0) found.push({ sequence, count, bytes })
  }
  return found
}
