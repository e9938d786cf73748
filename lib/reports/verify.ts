/**
 * Verify: everything that a store can prove about itself, without writing.
 *
 *   manifest -> tables (blocks, order, counts, references) -> pointers -> records; the log, frame by frame;
 *   relocations, record by record; the accounting (I9), recounted from the entries
 *
 * It goes on after damage and reports all of it. Runs on the calling thread in short steps, over the version that
 * was current when it began; a table that a compaction removes meanwhile is proved by its successor, and a file that
 * the collector takes away or punches is no damage unless an entry still points to what is missing.
 *
 * A store that only reads cannot keep its files. What seems to be damaged is looked at again in a newer view
 * (look-again.ts): files that were proved need no second proof, so each look has less to do than the one before.
 */
import { basename } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  CorruptionError,
  IoError,
  invalidArgument,
  isMissing,
  type WiscError,
} from '../base/errors.ts'
import { segmentName, tableName } from '../base/files/file-names.ts'
import { checkSignal, throwIfAborted } from '../contract/arguments.ts'
import { mustBe } from '../contract/given.ts'
import { plainObject, refuseUnknown } from '../contract/options.ts'
import { Looks } from '../reads/look-again.ts'
import type { ReadingEngine } from '../reads/reading-engine.ts'
import type { SegmentUse } from '../space/references.ts'
import { openTable, tableMap, tablesOf } from '../state/tables.ts'
import { Lookup } from '../state/tree-reader.ts'
import { type EntryCursor, KIND, type TableMeta } from '../tree/entry.ts'
import type { TableReader } from '../tree/table/table-reader.ts'
import { holdsValueLogFile, isRelocated, type Version } from '../tree/version/version.ts'
import { VersionSet } from '../tree/version/version-set.ts'
import { segmentEnd, verifyRelocation, verifySegment } from './verify-log.ts'

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

/** What was found in the entries of a table. */
interface TableFigures {
  entries: number
  pointers: number
  valueBytes: number
  /** What they point to, by segment. */
  readonly uses: Map<number, SegmentUse>
  /** False if an entry cannot be followed. */
  isWhole: boolean
}

/** Files in which nothing is damaged, by number, for looks at later versions that still have them. */
interface ProvedFiles {
  readonly tables: Map<number, TableFigures>
  /** Up to where, and how many records there are. */
  readonly segments: Map<number, { readonly end: number; readonly records: number }>
  readonly relocations: Set<number>
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type GrowingReport = Omit<Mutable<VerifyReport>, 'damage' | 'affectedEntries'> & {
  /** By place and reason. */
  readonly found: Map<string, { readonly error: WiscError; entries: number }>
}

const POINTERS_PER_STEP = 256

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
    return await verifyViews(engine, { deep, signal, onProgress }, checkOpen)
  } finally {
    pin.release()
  }
}

/** Of an engine that writes there is one view, and what is damaged in it is damage. */
async function verifyViews(
  engine: ReadingEngine,
  options: ResolvedVerify,
  checkOpen: () => void,
): Promise<VerifyReport> {
  const looks = new Looks()
  const proved: ProvedFiles = { tables: new Map(), segments: new Map(), relocations: new Set() }
  for (;;) {
    const { view } = engine
    const report = await verifyVersion(engine, options, checkOpen, proved)
    if (engine.moveOn === undefined || !looks.areNew(report.damage)) return report
    try {
      engine.moveOn(view)
    } catch (error) {
      // Looked at again, it cannot even be opened.
      if (error instanceof CorruptionError) return withDamage(report, error)
      throw error
    }
  }
}

function withDamage(report: VerifyReport, error: CorruptionError): VerifyReport {
  if (report.damage.some(({ message }) => message === error.message)) return report
  const { damage, affectedEntries } = report
  return { ...report, damage: [...damage, error], affectedEntries: [...affectedEntries, 0] }
}

async function verifyVersion(
  engine: ReadingEngine,
  { deep, signal, onProgress }: ResolvedVerify,
  checkOpen: () => void,
  proved: ProvedFiles,
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
  for (const error of engine.damage ?? []) note(report, missingFile(error) ?? error)
  note(
    report,
    await attempt(() => void VersionSet.read(engine.context.fileSystem, engine.context.directory)),
  )
  for (const [index, table] of tables.entries()) {
    await step(index, 0)
    let figures = proved.tables.get(table.number)
    if (figures === undefined) {
      figures = { entries: 0, pointers: 0, valueBytes: 0, uses: new Map(), isWhole: true }
      const found = figures
      const error = await attempt(() =>
        verifyTable(engine, version, table, deep, report, found, () => step(index, 0)),
      )
      if (!isGone(engine, table.number)) note(report, error)
      if (error === undefined && found.isWhole) proved.tables.set(table.number, found)
    }
    addFigures(report, recount, figures)
  }
  for (const [index, segment] of segments.entries()) {
    const { number } = segment
    const pause = (): Promise<void> => step(tables.length, index)
    await pause()
    const end = segmentEnd(engine, segment)
    let known = proved.segments.get(number)
    if (known?.end !== end) {
      const damaged: CorruptionError[] = []
      const error = await attempt(async () => {
        known = { end, records: await verifySegment(engine, segment, end, deep, pause, damaged) }
        if (damaged.length === 0) proved.segments.set(number, known)
      })
      const isHeld = holdsValueLogFile(engine.version, number)
      for (const each of isHeld ? [...damaged, error] : []) note(report, each)
    }
    report.records += known?.records ?? 0
  }
  for (const [index, relocation] of relocations.entries()) {
    const { number, parts } = relocation
    const pause = (): Promise<void> => step(tables.length, segments.length + index)
    if (!proved.relocations.has(number)) {
      const error = await attempt(async () => {
        await verifyRelocation(engine, relocation, pause)
        proved.relocations.add(number)
      })
      if (holdsValueLogFile(engine.version, number)) note(report, error)
    }
    report.records += parts.reduce((sum, { records }) => sum + records, 0)
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
    const missing = missingFile(error)
    if (missing) return missing
    if (!(error instanceof CorruptionError)) throw error
    return error
  }
}

/** A file that is not there, as damage of it. @returns undefined for anything else */
function missingFile(error: unknown): CorruptionError | undefined {
  const cause = error instanceof CorruptionError ? error.cause : error
  if (!(cause instanceof IoError) || !isMissing(cause)) return undefined
  return new CorruptionError(basename(cause.path), 0, 'file is missing', { cause })
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
  figures: TableFigures,
  pause: () => Promise<void>,
): Promise<void> {
  const reader = openTable(engine.context, version, table.number)
  try {
    proveTable(reader, report)
    const cursor = reader.cursor()
    let sinceStep = 0
    for (cursor.seekToFirst(); cursor.valid; cursor.next()) {
      figures.entries++
      if (cursor.kind !== KIND.pointer) continue
      figures.pointers++
      count(figures.uses, cursor.segment, 1, cursor.length)
      try {
        figures.valueBytes += verifyPointer(engine, table, cursor, deep)
      } catch (error) {
        // One bad value, or one file of values that is not there, says nothing of the others.
        const damage = missingFile(error) ?? error
        if (!(damage instanceof CorruptionError)) throw damage
        figures.isWhole = false
        if (isStillThere(engine, cursor)) note(report, damage, 1)
      }
      if (++sinceStep < POINTERS_PER_STEP) continue
      sinceStep = 0
      await pause()
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

function count(
  uses: Map<number, SegmentUse>,
  segment: number,
  records: number,
  bytes: number,
): void {
  const use = uses.get(segment) ?? { records: 0, bytes: 0 }
  use.records += records
  use.bytes += bytes
  uses.set(segment, use)
}

function addFigures(
  report: GrowingReport,
  recount: Map<number, SegmentUse>,
  { entries, pointers, valueBytes, uses }: TableFigures,
): void {
  report.entries += entries
  report.pointers += pointers
  report.valueBytes += valueBytes
  for (const [segment, { records, bytes }] of uses) count(recount, segment, records, bytes)
}

/** False if the entry has been dropped since: then its record may be gone. */
function isStillThere(engine: ReadingEngine, cursor: EntryCursor): boolean {
  const { keyBytes, keyStart, keyEnd, sequence, segment, offset } = cursor
  const found = new Lookup()
  try {
    engine.tree.find(keyBytes.slice(keyStart, keyEnd), sequence, found)
  } catch (error) {
    // Where tables are damaged, too, nothing speaks for it.
    if (error instanceof CorruptionError || isMissing(error)) return true
    throw error
  }
  return found.sequence === sequence && found.segment === segment && found.offset === offset
}

/** I8: the pointer leads to a record with the same key and sequence. @returns bytes of values that were read */
function verifyPointer(
  engine: ReadingEngine,
  table: TableMeta,
  cursor: EntryCursor,
  deep: boolean,
): number {
  const segment = engine.version.segments.get(cursor.segment)
  if (!segment) {
    const reason = `table points to segment ${cursor.segment}, which is not in the version`
    throw new CorruptionError(tableName(table.number), 0, reason)
  }
  if (segment.state === 'sealed' && cursor.offset + cursor.length > segment.length) {
    const reason = `table ${tableName(table.number)} points behind the end of the segment`
    throw new CorruptionError(segmentName(cursor.segment), cursor.offset, reason)
  }
  if (deep) return engine.values.read(cursor).length
  engine.values.checkHead(cursor)
  return 0
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
