/** Verification of the tables: their blocks, order and counts, and each pointer up to its record (I8). */
import { CorruptionError } from '../base/errors.ts'
import { segmentName, tableName } from '../base/files/file-names.ts'
import type { ReadingEngine } from '../reads/reading-engine.ts'
import { openTable, tablesOf } from '../state/tables.ts'
import { Entry, KIND, type TableMeta } from '../tree/entry.ts'
import type { TableReader } from '../tree/table/table-reader.ts'
import { fileLength, fileOf } from '../tree/version/version.ts'
import {
  CountedEntries,
  type Findings,
  findDamage,
  missingFile,
  type VerifyPass,
} from './verify-pass.ts'

const POINTERS_PER_SLICE = 256

/** @returns what all tables hold; of a damaged one, as far as it could be read */
export async function verifyTables(pass: VerifyPass): Promise<CountedEntries> {
  const { engine, version, findings, proved } = pass
  const sum = new CountedEntries()
  for (const [index, table] of tablesOf(version).entries()) {
    const pause = (): Promise<void> => pass.pause(index, 0)
    await pause()
    let figures = proved.tables.get(table.number)
    if (figures === undefined) {
      const found = new CountedEntries()
      figures = found
      let isWhole = false
      const error = await findDamage(async () => {
        isWhole = await verifyTable(pass, table, found, pause)
      })
      // One that is no longer in the version was removed in order: its absence is no damage.
      if (engine.version.tables.has(table.number))
        findings.note(error, Math.max(0, table.entries - found.entries))
      if (isWhole) proved.tables.set(table.number, found)
    }
    sum.add(figures)
  }
  return sum
}

/** @returns false if an entry cannot be followed @throws CorruptionError, IoError */
async function verifyTable(
  pass: VerifyPass,
  table: TableMeta,
  figures: CountedEntries,
  pause: () => Promise<void>,
): Promise<boolean> {
  const { engine, version, deep, findings } = pass
  const reader = openTable(engine.context, version, table.number)
  try {
    proveTable(reader, findings)
    const cursor = reader.cursor()
    let sinceSlice = 0
    let isWhole = true
    for (cursor.seekToFirst(); cursor.valid; cursor.next()) {
      figures.entries++
      const { entry } = cursor
      if (entry.kind !== KIND.pointer) continue
      figures.references.add(entry)
      if (isEvicted(engine, entry)) continue
      figures.pointers++
      try {
        figures.valueBytes += verifyPointer(engine, table, entry, deep)
      } catch (error) {
        // One bad value, or one file of values that is not there, says nothing of the others.
        const damage = missingFile(error) ?? error
        if (!(damage instanceof CorruptionError)) throw damage
        isWhole = false
        findings.note(damageNow(pass, table, entry, damage), 1)
      }
      if (++sinceSlice < POINTERS_PER_SLICE) continue
      sinceSlice = 0
      await pause()
    }
    return isWhole
  } finally {
    reader.close()
  }
}

/** Nobody sees it any more, and what it points to has gone. */
function isEvicted({ version }: ReadingEngine, { sequence, segment }: Entry): boolean {
  return sequence < version.evictedBelow && fileOf(version, segment) === undefined
}

/** @throws CorruptionError for the first damage; that of other blocks was noted then */
function proveTable(reader: TableReader, findings: Findings): void {
  try {
    reader.verify()
  } catch (error) {
    if (error instanceof CorruptionError) {
      for (const damage of reader.damagedBlocks()) findings.note(damage)
    }
    throw error
  }
}

/**
 * What is damaged of an entry that could not be followed. It may have been dropped since: then its record may be gone,
 * and nobody misses it. Or a compaction has given its record another name since: then it is followed by that.
 */
function damageNow(
  { engine, deep }: VerifyPass,
  table: TableMeta,
  entry: Entry,
  damage: CorruptionError,
): CorruptionError | undefined {
  const { keyBytes, keyStart, keyEnd, sequence, segment, offset } = entry
  const found = new Entry()
  try {
    engine.tree.find(keyBytes.slice(keyStart, keyEnd), sequence, found)
  } catch (error) {
    // Where tables are damaged, too, nothing speaks for it.
    if (missingFile(error) ?? error instanceof CorruptionError) return damage
    throw error
  }
  const isThere = found.sequence === sequence && found.kind === KIND.pointer
  if (!isThere || isEvicted(engine, found)) return undefined
  if (found.segment === segment && found.offset === offset) return damage
  try {
    verifyPointer(engine, table, found, deep)
    return undefined
  } catch (error) {
    const present = missingFile(error) ?? error
    if (present instanceof CorruptionError) return present
    throw error
  }
}

/** I8: the pointer leads to a record with the same key and sequence. @returns bytes of values that were read */
function verifyPointer(
  engine: ReadingEngine,
  table: TableMeta,
  entry: Entry,
  deep: boolean,
): number {
  const file = fileOf(engine.version, entry.segment)
  if (file === undefined) {
    const reason = `table points to segment ${entry.segment}, which is not in the version`
    throw new CorruptionError(tableName(table.number), 0, reason)
  }
  const length = file.number === entry.segment ? fileLength(file) : undefined
  if (length !== undefined && entry.offset + entry.length > length) {
    const reason = `table ${tableName(table.number)} points behind the end of the segment`
    throw new CorruptionError(segmentName(entry.segment), entry.offset, reason)
  }
  // The chunks of a stream are proved with its file, a slice at a time.
  if (deep && file.role !== 'stream') return engine.values.read(entry).length
  engine.values.readHead(entry)
  return 0
}
