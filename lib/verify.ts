/**
 * Verify: everything that a store can prove about itself, without writing.
 *
 *   manifest -> tables (blocks, order, counts, references) -> pointers -> records; and the log, frame by frame
 *
 * It goes on after damage and reports all of it. Runs on the calling thread in short steps, over the version that
 * was current when it began; a table that a compaction removes meanwhile is proved by its successor.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { FIRST_FRAME_OFFSET, SegmentWalk } from '../vlog/segment-walk.ts'
import { checkSignal, throwIfAborted } from './arguments.ts'
import { CorruptionError, invalidArgument, isMissing, type WiscError } from './base/errors.ts'
import { joinPath, segmentName, tableName } from './base/file-names.ts'
import { frameSeed } from './base/frame.ts'
import { plainObject, refuseUnknown } from './options.ts'
import type { ReadingEngine } from './reading-engine.ts'
import { openTable, tablesOf } from './tables.ts'
import { type EntryCursor, KIND, type TableMeta } from './tree/entry.ts'
import type { SegmentState, Version } from './tree/version.ts'
import { VersionSet } from './tree/version-set.ts'

export interface VerifyOptions {
  /** Also read every value that an entry points to. Default true. */
  readonly deep?: boolean
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: VerifyProgress) => void
}

export interface VerifyProgress {
  readonly tablesDone: number
  readonly tables: number
  readonly segmentsDone: number
  readonly segments: number
}

export interface VerifyReport {
  readonly ok: boolean
  readonly tables: number
  readonly entries: number
  /** Entries that point into the value log, each followed. */
  readonly pointers: number
  readonly segments: number
  readonly records: number
  /** Bytes of values that were read through pointers of tables and proved; 0 unless deep. */
  readonly valueBytes: number
  /** All damage that was found, in the order in which it was found. */
  readonly damage: readonly WiscError[]
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type GrowingReport = Omit<Mutable<VerifyReport>, 'damage'> & { readonly damage: WiscError[] }

const POINTERS_PER_STEP = 256
const FRAMES_PER_STEP = 64

export async function verifyStore(
  engine: ReadingEngine,
  options: VerifyOptions = {},
  checkOpen: () => void = () => {},
): Promise<VerifyReport> {
  refuseUnknown(plainObject(options, 'verify options'), ['deep', 'signal', 'onProgress'], 'verify')
  const { deep = true, signal, onProgress } = options
  if (typeof deep !== 'boolean') throw invalidArgument('deep must be a boolean')
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw invalidArgument('onProgress must be a function')
  }
  checkSignal(signal)
  const { version } = engine
  const tables = tablesOf(version)
  const segments = [...version.segments.values()]
  const damage: WiscError[] = []
  const report: GrowingReport = {
    ok: true,
    tables: tables.length,
    entries: 0,
    pointers: 0,
    segments: segments.length,
    records: 0,
    valueBytes: 0,
    damage,
  }
  const step = async (tablesDone: number, segmentsDone: number): Promise<void> => {
    onProgress?.({ tablesDone, tables: tables.length, segmentsDone, segments: segments.length })
    await nextTurn()
    throwIfAborted(signal)
    checkOpen()
  }
  await attempt(
    damage,
    () => void VersionSet.read(engine.context.fileSystem, engine.context.directory),
  )
  for (const [index, table] of tables.entries()) {
    await step(index, 0)
    const found = await attempt(damage, () =>
      verifyTable(engine, version, table, deep, report, step, index),
    )
    if (found && isGone(engine, table.number)) damage.pop()
  }
  for (const [index, segment] of segments.entries()) {
    await step(tables.length, index)
    const pause = (): Promise<void> => step(tables.length, index)
    const found = await attempt(damage, () => verifySegment(engine, segment, deep, report, pause))
    if (found && !engine.version.segments.has(segment.number)) damage.pop()
  }
  await step(tables.length, segments.length)
  report.ok = damage.length === 0
  return report
}

/** Runs a check. @returns true if it found damage, which is noted; other errors are thrown */
async function attempt(damage: WiscError[], check: () => Promise<void> | void): Promise<boolean> {
  try {
    await check()
    return false
  } catch (error) {
    const isDamage = error instanceof CorruptionError || isMissing(error)
    if (!isDamage) throw error
    damage.push(error as WiscError)
    return true
  }
}

/** A table that is no longer in the version was removed in order: its absence is no damage. */
function isGone(engine: ReadingEngine, number: number): boolean {
  return !tablesOf(engine.version).some((table) => table.number === number)
}

async function verifyTable(
  engine: ReadingEngine,
  version: Version,
  table: TableMeta,
  deep: boolean,
  report: GrowingReport,
  step: (tablesDone: number, segmentsDone: number) => Promise<void>,
  index: number,
): Promise<void> {
  const reader = openTable(engine.context, version, table.number)
  try {
    reader.verify()
    const cursor = reader.cursor()
    let sinceStep = 0
    for (cursor.seekToFirst(); cursor.valid; cursor.next()) {
      report.entries++
      if (cursor.kind !== KIND.pointer) continue
      try {
        verifyPointer(engine, version, table, cursor, deep, report)
      } catch (error) {
        // One bad value says nothing of the others.
        if (!(error instanceof CorruptionError)) throw error
        report.damage.push(error)
      }
      if (++sinceStep < POINTERS_PER_STEP) continue
      sinceStep = 0
      await step(index, 0)
    }
  } finally {
    reader.close()
  }
}

/** I8: the pointer leads to a record with the same key and sequence. */
function verifyPointer(
  engine: ReadingEngine,
  version: Version,
  table: TableMeta,
  cursor: EntryCursor,
  deep: boolean,
  report: GrowingReport,
): void {
  report.pointers++
  const segment = version.segments.get(cursor.segment)
  if (!segment) {
    const reason = `table points to segment ${cursor.segment}, which is not in the version`
    throw new CorruptionError(tableName(table.number), 0, reason)
  }
  if (segment.state === 'sealed' && cursor.offset + cursor.length > segment.length) {
    const reason = `table ${tableName(table.number)} points behind the end of the segment`
    throw new CorruptionError(segmentName(cursor.segment), cursor.offset, reason)
  }
  if (deep) report.valueBytes += engine.values.read(cursor).length
  else engine.values.checkHead(cursor)
}

async function verifySegment(
  engine: ReadingEngine,
  segment: SegmentState,
  deep: boolean,
  report: GrowingReport,
  pause: () => Promise<void>,
): Promise<void> {
  const { fileSystem, directory, databaseId } = engine.context
  const { number, salt } = segment
  const file = fileSystem.open(joinPath(directory, segmentName(number)), 'read')
  try {
    const end = segment.state === 'sealed' ? segment.length : engine.writtenEnd(number)
    if (end === 0) return
    const seed = frameSeed({ kind: 'segment', databaseId, number, salt })
    // Below the checkpoint values that no entry points to may be holes, and the others are read through their
    // pointers. Behind it nothing has been reclaimed, and only memtables point there.
    const replayed = replayedFrom(engine.version, number, end)
    const parts = [
      { from: FIRST_FRAME_OFFSET, end: replayed, proveValues: false },
      { from: replayed, end, proveValues: deep },
    ]
    let frames = 0
    for (const part of parts) {
      const walk = new SegmentWalk(file, { number, seed, firstSequence: undefined, ...part })
      for (let frame = walk.next(); frame !== undefined; frame = walk.next()) {
        report.records += frame.recordCount
        if (++frames % FRAMES_PER_STEP === 0) await pause()
      }
      if (walk.damage) {
        throw new CorruptionError(segmentName(number), walk.damage.offset, walk.damage.reason)
      }
    }
  } finally {
    file.close()
  }
}

/** Where the part of a segment begins that an open after a crash would replay. */
function replayedFrom({ checkpoint }: Version, segment: number, end: number): number {
  if (segment !== checkpoint.segment) return segment < checkpoint.segment ? end : FIRST_FRAME_OFFSET
  return Math.max(FIRST_FRAME_OFFSET, Math.min(end, checkpoint.offset))
}
