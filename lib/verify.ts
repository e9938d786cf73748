/**
 * Verify: everything that a store can prove about itself, without writing.
 *
 *   manifest -> tables (blocks, order, counts, references) -> pointers -> records; the log, frame by frame;
 *   relocations, record by record; the accounting (I9), recounted from the entries
 *
 * It goes on after damage and reports all of it. Runs on the calling thread in short steps, over the version that
 * was current when it began; a table that a compaction removes meanwhile is proved by its successor, and a file that
 * the collector takes away or punches is no damage unless an entry still points to what is missing.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { RelocationReader } from '../vlog/relocation-reader.ts'
import { FIRST_FRAME_OFFSET, SegmentWalk } from '../vlog/segment-walk.ts'
import { checkSignal, throwIfAborted } from './arguments.ts'
import { CorruptionError, invalidArgument, isMissing, type WiscError } from './base/errors.ts'
import { joinPath, segmentName, tableName } from './base/file-names.ts'
import { frameSeed } from './base/frame.ts'
import type { SegmentUse } from './collector/references.ts'
import { mustBe } from './given.ts'
import { plainObject, refuseUnknown } from './options.ts'
import type { ReadingEngine } from './reading-engine.ts'
import { openTable, tableMap, tablesOf } from './tables.ts'
import { type EntryCursor, KIND, type TableMeta } from './tree/entry.ts'
import type { TableReader } from './tree/table-reader.ts'
import { holdsValueLogFile, isRelocated, type SegmentState, type Version } from './tree/version.ts'
import type { RelocationState } from './tree/version-edit.ts'
import { VersionSet } from './tree/version-set.ts'
import { Lookup } from './tree-reader.ts'

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
  /** Files of the value log. */
  readonly segments: number
  readonly records: number
  /** Bytes of values that were read through pointers of tables and proved; 0 unless deep. */
  readonly valueBytes: number
  /** All damage that was found, in the order in which it was found; each place and reason once. */
  readonly damage: readonly WiscError[]
  /** For each of these, how many entries of tables cannot be followed because of it. */
  readonly affectedEntries: readonly number[]
}

interface ResolvedVerify {
  readonly deep: boolean
  readonly signal: AbortSignal | undefined
  readonly onProgress: ((progress: VerifyProgress) => void) | undefined
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type GrowingReport = Omit<Mutable<VerifyReport>, 'damage' | 'affectedEntries'> & {
  /** By place and reason. */
  readonly found: Map<string, { readonly error: WiscError; entries: number }>
}

const POINTERS_PER_STEP = 256
const FRAMES_PER_STEP = 64

export async function verifyStore(
  engine: ReadingEngine,
  options: VerifyOptions = {},
  checkOpen: () => void = () => {},
): Promise<VerifyReport> {
  refuseUnknown(plainObject(options, 'verify options'), ['deep', 'signal', 'onProgress'], 'verify')
  const { deep = true, signal, onProgress } = options
  if (typeof deep !== 'boolean') throw invalidArgument(mustBe('a boolean', 'deep', deep))
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw invalidArgument(mustBe('a function', 'onProgress', onProgress))
  }
  checkSignal(signal)
  // I5: what is being read stays, also across the turns of the event loop.
  const pin = engine.pin()
  try {
    return await verifyVersion(engine, { deep, signal, onProgress }, checkOpen)
  } finally {
    pin.release()
  }
}

async function verifyVersion(
  engine: ReadingEngine,
  { deep, signal, onProgress }: ResolvedVerify,
  checkOpen: () => void,
): Promise<VerifyReport> {
  const { version } = engine
  const tables = tablesOf(version)
  const segments = [...version.segments.values()].filter((segment) => !isRelocated(segment))
  const relocations = [...version.relocations.values()]
  const files = segments.length + relocations.length
  const recount = new Map<number, SegmentUse>()
  const report: GrowingReport = {
    ok: true,
    tables: tables.length,
    entries: 0,
    pointers: 0,
    segments: files,
    records: 0,
    valueBytes: 0,
    found: new Map(),
  }
  const step = async (tablesDone: number, segmentsDone: number): Promise<void> => {
    onProgress?.({ tablesDone, tables: tables.length, segmentsDone, segments: files })
    await nextTurn()
    throwIfAborted(signal)
    checkOpen()
  }
  note(
    report,
    await attempt(() => void VersionSet.read(engine.context.fileSystem, engine.context.directory)),
  )
  for (const [index, table] of tables.entries()) {
    await step(index, 0)
    const error = await attempt(() =>
      verifyTable(engine, version, table, deep, report, recount, step, index),
    )
    if (!isGone(engine, table.number)) note(report, error)
  }
  for (const [index, segment] of segments.entries()) {
    await step(tables.length, index)
    const pause = (): Promise<void> => step(tables.length, index)
    const error = await attempt(() => verifySegment(engine, segment, deep, report, pause))
    if (holdsValueLogFile(engine.version, segment.number)) note(report, error)
  }
  for (const [index, relocation] of relocations.entries()) {
    const done = segments.length + index
    const pause = (): Promise<void> => step(tables.length, done)
    const error = await attempt(() => verifyRelocation(engine, relocation, report, pause))
    if (holdsValueLogFile(engine.version, relocation.number)) note(report, error)
  }
  await step(tables.length, files)
  const { found, ...sums } = report
  if (found.size === 0 && engine.version.levels === version.levels) {
    note(report, await attempt(() => verifyAccounting(engine, recount)))
  }
  const damage = [...found.values()]
  return {
    ...sums,
    ok: damage.length === 0,
    damage: damage.map(({ error }) => error),
    affectedEntries: damage.map(({ entries }) => entries),
  }
}

/** Runs a check. @returns the damage that it found; other errors are thrown */
async function attempt(check: () => Promise<void> | void): Promise<WiscError | undefined> {
  try {
    await check()
    return undefined
  } catch (error) {
    const isDamage = error instanceof CorruptionError || isMissing(error)
    if (!isDamage) throw error
    return error as WiscError
  }
}

/** The message says the place and the reason. */
function note({ found }: GrowingReport, error: WiscError | undefined, entries: number = 0): void {
  if (!error) return
  const known = found.get(error.message)
  if (known) known.entries += entries
  else found.set(error.message, { error, entries })
}

/** A table that is no longer in the version was removed in order: its absence is no damage. */
function isGone(engine: ReadingEngine, number: number): boolean {
  return !tableMap(engine.version).has(number)
}

async function verifyTable(
  engine: ReadingEngine,
  version: Version,
  table: TableMeta,
  deep: boolean,
  report: GrowingReport,
  recount: Map<number, SegmentUse>,
  step: (tablesDone: number, segmentsDone: number) => Promise<void>,
  index: number,
): Promise<void> {
  const reader = openTable(engine.context, version, table.number)
  try {
    proveTable(reader, report)
    const cursor = reader.cursor()
    let sinceStep = 0
    for (cursor.seekToFirst(); cursor.valid; cursor.next()) {
      report.entries++
      if (cursor.kind !== KIND.pointer) continue
      count(recount, cursor)
      try {
        verifyPointer(engine, table, cursor, deep, report)
      } catch (error) {
        // One bad value says nothing of the others.
        if (!(error instanceof CorruptionError)) throw error
        if (isStillThere(engine, cursor)) note(report, error, 1)
      }
      if (++sinceStep < POINTERS_PER_STEP) continue
      sinceStep = 0
      await step(index, 0)
    }
  } finally {
    reader.close()
  }
}

/** @throws CorruptionError for the first damage; that of other blocks was noted then */
function proveTable(reader: TableReader, report: GrowingReport): void {
  try {
    reader.verify()
  } catch (error) {
    if (error instanceof CorruptionError) {
      for (const damage of reader.damagedBlocks()) note(report, damage)
    }
    throw error
  }
}

function count(recount: Map<number, SegmentUse>, { segment, length }: EntryCursor): void {
  const use = recount.get(segment) ?? { records: 0, bytes: 0 }
  use.records++
  use.bytes += length
  recount.set(segment, use)
}

/** False if the entry has been dropped since: then its record may be gone. */
function isStillThere(engine: ReadingEngine, cursor: EntryCursor): boolean {
  const { keyBytes, keyStart, keyEnd, sequence, segment, offset } = cursor
  const found = new Lookup()
  engine.tree.find(keyBytes.slice(keyStart, keyEnd), sequence, found)
  return found.sequence === sequence && found.segment === segment && found.offset === offset
}

/** I8: the pointer leads to a record with the same key and sequence. */
function verifyPointer(
  engine: ReadingEngine,
  table: TableMeta,
  cursor: EntryCursor,
  deep: boolean,
  report: GrowingReport,
): void {
  report.pointers++
  const segment = engine.version.segments.get(cursor.segment)
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
    const walkPart = async (from: number, to: number, proveValues: boolean) => {
      const part = { from, end: to, proveValues }
      const walk = new SegmentWalk(file, { number, seed, firstSequence: undefined, ...part })
      let records = 0
      let frames = 0
      for (let frame = walk.next(); frame !== undefined; frame = walk.next()) {
        records += frame.recordCount
        if (++frames % FRAMES_PER_STEP === 0) await pause()
      }
      return { records, damage: walk.damage }
    }
    // Below the checkpoint values that no entry points to may be holes, and the others are read through their
    // pointers. Behind it nothing has been reclaimed, and only memtables point there ...
    const replayed = replayedFrom(engine.version, number, end)
    const flushed = await walkPart(FIRST_FRAME_OFFSET, replayed, false)
    let rest = await walkPart(replayed, end, deep)
    // ... unless it was flushed, and punched, in between.
    if (rest.damage && rest.damage.offset < replayedFrom(engine.version, number, end)) {
      rest = await walkPart(replayed, end, false)
    }
    report.records += flushed.records + rest.records
    const damage = flushed.damage ?? rest.damage
    if (damage) throw new CorruptionError(segmentName(number), damage.offset, damage.reason)
  } finally {
    file.close()
  }
}

async function verifyRelocation(
  engine: ReadingEngine,
  { number, salt, length, parts }: RelocationState,
  report: GrowingReport,
  pause: () => Promise<void>,
): Promise<void> {
  const { fileSystem, directory, databaseId } = engine.context
  const name = segmentName(number)
  const expected = { number, salt, length, databaseId }
  const reader = RelocationReader.open(fileSystem, joinPath(directory, name), name, expected)
  try {
    for (const _step of reader.verifySteps()) await pause()
    report.records += parts.reduce((sum, { records }) => sum + records, 0)
  } finally {
    reader.close()
  }
}

/** I9: the sums that the collector acts on are those of the entries, and no file holds less than is referenced. */
function verifyAccounting(engine: ReadingEngine, recount: ReadonlyMap<number, SegmentUse>): void {
  const { references } = engine.space
  references.update(engine.version)
  for (const number of engine.version.segments.keys()) {
    const counted = recount.get(number) ?? { records: 0, bytes: 0 }
    const { records, bytes } = references.of(number) ?? { records: 0, bytes: 0 }
    if (records === counted.records && bytes === counted.bytes) continue
    const reason = `accounting differs records=${records} bytes=${bytes} counted=${counted.records},${counted.bytes}`
    throw new CorruptionError(segmentName(number), 0, reason)
  }
  for (const { number, parts } of engine.version.relocations.values()) {
    for (const part of parts) {
      if ((recount.get(part.segment)?.bytes ?? 0) <= part.bytes) continue
      const reason = `relocation holds less of segment ${part.segment} than entries point to`
      throw new CorruptionError(segmentName(number), 0, reason)
    }
  }
}

/** Where the part of a segment begins that an open after a crash would replay. */
function replayedFrom({ checkpoint }: Version, segment: number, end: number): number {
  if (segment !== checkpoint.segment) return segment < checkpoint.segment ? end : FIRST_FRAME_OFFSET
  return Math.max(FIRST_FRAME_OFFSET, Math.min(end, checkpoint.offset))
}
