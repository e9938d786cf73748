/**
 * Hidden garbage, estimated: what of the puts in tables is shadowed by newer tables. The scheduler asks often, on the
 * main thread, so nothing is walked: of each table a few keys are kept, evenly spread, and looked up in the older runs.
 *
 * A key of a table shadows at most one entry: the newest one of the next older run that has the key. What that run
 * shadows in its turn counts there, so the sum over all tables counts each shadowed entry once. Older entries of a key
 * inside one table (a flush or compaction kept them for a reader) are counted apart, from the table's own figures.
 *
 * Streams are counted one by one instead (stream-garbage.ts), and memtables are not its business. What is shadowed is
 * so whoever reads; whether somebody sees it, so that it is pinned, is asked apart, since readers come and go faster
 * than tables.
 * The exact figures are those of lib/tree/compaction/shadow-walk.ts.
 */

import { SEQUENCE_MAX, type Sequence } from '../base/ids.ts'
import { isAnyBetween } from '../state/readable-sequences.ts'
import { findInRuns, type LookupParts } from '../state/tables.ts'
import { Entry, KIND, type TableMeta, valueLength } from '../tree/entry.ts'
import { entryWeight, tableWeight } from '../tree/entry-weight.ts'
import type { KeySample } from '../tree/table/key-samples.ts'
import type { TableReader } from '../tree/table/table-reader.ts'
import { type Level, overlappingTables, type Run, type Version } from '../tree/version/version.ts'
import { type CountedStreams, NO_STREAMS } from './stream-garbage.ts'

/** Keys of a table that are looked up ... */
const TABLE_SAMPLES_MAX = 64
/** ... and of all tables together: with more than 64 tables each gets fewer. */
const SAMPLES_MAX = 4096

/** Work of one call, in lookups of about 2 us: one to two milliseconds. */
const TURN_WORK = 512
/** What a sample costs when it is taken: a block is read and decoded. */
const TAKE_WORK = 8
/** What a table costs when it is first seen: it is opened. */
const OPEN_WORK = 64

/** Bytes of records are those of whole records of the value log; inline values have none that the tree points to. */
export interface HiddenGarbage {
  readonly hiddenRecords: number
  readonly hiddenRecordBytes: number
  /** Keys and values, inline ones too, of shadowed puts: what the live bytes of the tables are too high by. */
  readonly hiddenValueBytes: number
  /** What shadowed puts take of their tables (entry-weight.ts). */
  readonly hiddenWeight: number
  /** The same for older entries inside a table: pinned while somebody reads at an older sequence, hidden after that. */
  readonly duplicateBytes: number
  readonly duplicateValueBytes: number
  readonly duplicateWeight: number
}

/** Of what is shadowed: what some reader sees. The same bytes and weight as above. */
export interface PinnedShadows {
  readonly recordBytes: number
  readonly weight: number
}

type Figures = { -readonly [Name in keyof HiddenGarbage]: HiddenGarbage[Name] }

function noFigures(): Figures {
  return {
    hiddenRecords: 0,
    hiddenRecordBytes: 0,
    hiddenValueBytes: 0,
    hiddenWeight: 0,
    duplicateBytes: 0,
    duplicateValueBytes: 0,
    duplicateWeight: 0,
  }
}

/** What is kept of a table of the version. */
interface SeenTable {
  readonly distinctKeys: number
  readonly smallestSequence: Sequence
  readonly largestSequence: Sequence
  readonly figures: Figures
  /** What its keys shadow, for each sample that shadows something. */
  shadows: readonly Shadow[]
  /** Undefined while the table overlapped no older run. */
  samples: readonly KeySample[] | undefined
  /** The older runs that the figures hold for; undefined before the first evaluation. */
  olderRuns: readonly Run[] | undefined
}

/** What the keys shadow that a sample stands for: it is seen from the older sequence on, up to the newer one. */
interface Shadow {
  readonly older: Sequence
  readonly newer: Sequence
  readonly recordBytes: number
  readonly weight: number
}

export class HiddenGarbageEstimate {
  readonly #parts: LookupParts
  readonly #streams: CountedStreams
  readonly #samplesMax: number
  readonly #seen: Map<number, SeenTable> = new Map()
  readonly #lookup: Entry = new Entry()
  #figures: HiddenGarbage = noFigures()
  /** The levels that the figures are for. They are the same object as long as no table changes. */
  #levels: readonly Level[] = []

  /**
   * @param streams are left out, but for what their entries take of tables
   * @param samplesMax fewer are quicker, and less exact: each takes reading a block or two
   */
  constructor(
    parts: LookupParts,
    streams: CountedStreams = NO_STREAMS,
    samplesMax: number = SAMPLES_MAX,
  ) {
    this.#parts = parts
    this.#streams = streams
    this.#samplesMax = samplesMax
  }

  /** Those of the last version that was evaluated as a whole. */
  get figures(): HiddenGarbage {
    return this.#figures
  }

  /** Of the same version: what of all that is shadowed these readers see. @param held their sequences, ascending */
  pinnedBy(held: readonly Sequence[]): PinnedShadows {
    let recordBytes = 0
    let weight = 0
    if (held.length === 0) return { recordBytes, weight }
    for (const { smallestSequence, largestSequence, figures, shadows } of this.#seen.values()) {
      for (const shadow of shadows) {
        if (!isAnyBetween(held, shadow.older, shadow.newer)) continue
        recordBytes += shadow.recordBytes
        weight += shadow.weight
      }
      if (!isAnyBetween(held, smallestSequence, largestSequence)) continue
      recordBytes += figures.duplicateBytes
      weight += figures.duplicateWeight
    }
    return { recordBytes: Math.round(recordBytes), weight: Math.round(weight) }
  }

  /**
   * Goes on with the evaluation of the current version, for a millisecond or two.
   * @returns true if the figures are those of this version; else the former ones stay, call again in a later turn
   * @throws CorruptionError, WISC_FORMAT_VERSION, IoError
   */
  advance(version: Version): boolean {
    if (version.levels === this.#levels) return true
    const runs = version.levels.flatMap((level) => level.runs)
    const tables = runs.slice(0, -1).reduce((sum, run) => sum + run.tables.length, 0)
    const samples = Math.min(TABLE_SAMPLES_MAX, Math.ceil(this.#samplesMax / Math.max(1, tables)))
    let work = TURN_WORK
    for (let i = 0; i < runs.length; i++) {
      const olderRuns = runs.slice(i + 1)
      for (const table of runs[i]!.tables) {
        if (work <= 0) return false
        work -= this.#evaluate(table, olderRuns, samples)
      }
    }
    this.#finish(runs)
    this.#levels = version.levels
    return true
  }

  /** @returns the work that it took: 0 if the figures of the table still hold */
  #evaluate(table: TableMeta, olderRuns: readonly Run[], sampleCount: number): number {
    const { tables, cache } = this.#parts
    const { number } = table
    let seen = this.#seen.get(number)
    let work = 0
    if (seen === undefined) {
      seen = firstSeen(tables.get(number), this.#streams)
      this.#seen.set(number, seen)
      work += OPEN_WORK
    }
    if (seen.olderRuns !== undefined && isSameRuns(seen.olderRuns, olderRuns)) return work
    if (olderRuns.some((run) => overlaps(run, table))) {
      if (seen.samples === undefined) {
        seen.samples = tables.get(number).sampleKeys(sampleCount, cache)
        work += seen.samples.length * TAKE_WORK
      }
      this.#lookUpSamples(seen, seen.samples, olderRuns, sampleCount)
      work += Math.min(seen.samples.length, sampleCount)
    } else {
      setShadowed(seen.figures, 0, 0, 0, 0)
      seen.shadows = []
    }
    seen.olderRuns = olderRuns
    return work
  }

  #lookUpSamples(
    seen: SeenTable,
    samples: readonly KeySample[],
    olderRuns: readonly Run[],
    sampleCount: number,
  ): void {
    let weights = 0
    let records = 0
    let recordBytes = 0
    let valueBytes = 0
    let entryWeights = 0
    const found: Shadow[] = []
    const lookup = this.#lookup
    // More tables than when the samples were taken: some of them, evenly.
    const stride = Math.ceil(samples.length / sampleCount)
    for (let i = stride >> 1; i < samples.length; i += stride) {
      const { key, hash, sequence, weight } = samples[i]!
      weights += weight
      const isFound = findInRuns(this.#parts, olderRuns, key, hash, SEQUENCE_MAX, lookup)
      if (!isFound || lookup.kind === KIND.tombstone) continue
      // Its entry takes of the table what others do; the rest is counted elsewhere.
      if (lookup.kind === KIND.pointer && this.#streams.has(lookup.segment)) {
        entryWeights += weight * entryWeight(lookup, key.length)
        continue
      }
      valueBytes += weight * (key.length + valueLength(lookup, key.length))
      const inTable = weight * entryWeight(lookup, key.length)
      const inLog = lookup.kind === KIND.pointer ? weight * lookup.length : 0
      entryWeights += inTable
      found.push({ older: lookup.sequence, newer: sequence, recordBytes: inLog, weight: inTable })
      if (lookup.kind !== KIND.pointer) continue
      records += weight
      recordBytes += inLog
    }
    const factor = weights === 0 ? 0 : seen.distinctKeys / weights
    seen.shadows = found.map((shadow) => ({
      ...shadow,
      recordBytes: shadow.recordBytes * factor,
      weight: shadow.weight * factor,
    }))
    const { figures } = seen
    setShadowed(
      figures,
      records * factor,
      recordBytes * factor,
      valueBytes * factor,
      entryWeights * factor,
    )
  }

  /** Adds up the figures of all tables, and forgets those of tables that have left. */
  #finish(runs: readonly Run[]): void {
    const numbers = new Set(runs.flatMap((run) => run.tables.map((table) => table.number)))
    const sum = noFigures()
    for (const [number, { figures }] of this.#seen) {
      if (!numbers.has(number)) {
        this.#seen.delete(number)
        continue
      }
      for (const name of Object.keys(sum) as (keyof Figures)[]) sum[name] += figures[name]
    }
    for (const name of Object.keys(sum) as (keyof Figures)[]) sum[name] = Math.round(sum[name])
    this.#figures = sum
  }
}

function overlaps({ tables }: Run, table: TableMeta): boolean {
  return overlappingTables(tables, table).length > 0
}

function firstSeen(
  { meta, properties, references }: TableReader,
  streams: CountedStreams,
): SeenTable {
  const { distinctKeys, valueBytes, keyBytes, smallestSequence, largestSequence } = properties
  const duplicates = (meta.entries - distinctKeys) / Math.max(1, meta.entries)
  const streamBytes = streams.bytesIn(references)
  const figures = noFigures()
  figures.duplicateBytes = (meta.pointedBytes - streamBytes) * duplicates
  figures.duplicateValueBytes = Math.max(0, valueBytes + keyBytes - streamBytes) * duplicates
  figures.duplicateWeight = tableWeight(meta, properties, references).puts * duplicates
  const range = { smallestSequence, largestSequence }
  return { distinctKeys, ...range, figures, shadows: [], samples: undefined, olderRuns: undefined }
}

function setShadowed(
  figures: Figures,
  records: number,
  recordBytes: number,
  valueBytes: number,
  weight: number,
): void {
  figures.hiddenWeight = weight
  figures.hiddenRecords = records
  figures.hiddenRecordBytes = recordBytes
  figures.hiddenValueBytes = valueBytes
}

/** A run is the same object as long as none of its tables changes. */
function isSameRuns(left: readonly Run[], right: readonly Run[]): boolean {
  return left.length === right.length && left.every((run, i) => run === right[i])
}
