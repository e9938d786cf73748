/**
 * The shadow walk: merges all tables once, writes nothing, and says exactly what of the value log the newest entries
 * point to, and what only older ones do.
 *
 * The newest entry of a key is live, a tombstone has nothing. An older one is *pinned* if somebody may read at a
 * sequence that sees it (retention.ts), else *hidden*: the next compaction that meets it drops it. Memtables are not
 * part of the walk, and may shadow more.
 */
import { type EntryCursor, KIND, type TableMeta, valueLength } from '../entry.ts'
import { entryWeight } from '../entry-weight.ts'
import { LastKey } from '../table/last-key.ts'
import { InputRun, type TablePlace } from './input-run.ts'
import { MergeCursor } from './merge-cursor.ts'
import { Retention } from './retention.ts'
import type { JobPorts } from './run-writer.ts'

export interface ShadowWalkInput extends TablePlace {
  /** All runs of a version, newest first; the tables of a run in key order. */
  readonly runs: readonly (readonly TableMeta[])[]
  /** Sequences at which someone may still read, ascending, at least one. */
  readonly readableSequences: readonly number[]
}

/** Records of one logical segment that the tables point to; bytes are those of whole records. */
export interface SegmentShadows {
  readonly segment: number
  readonly liveBytes: number
  readonly hiddenBytes: number
  readonly hiddenRecords: number
  readonly pinnedBytes: number
  readonly pinnedRecords: number
}

export interface ShadowWalkResult {
  /** Keys whose newest entry is a put. */
  readonly keys: number
  /** Bytes of these keys and of their values, inline ones included. */
  readonly liveKeyBytes: number
  readonly liveValueBytes: number
  /**
   * Of the tables, what a compaction of all of them would give back: entries that nobody can see, and tombstones. An
   * estimate from the lengths of entries.
   */
  readonly tableGarbageBytes: number
  /** In ascending order. */
  readonly segments: readonly SegmentShadows[]
}

/** A step ends after so many entries ... */
const STEP_ENTRIES = 4000
/** ... or so many bytes of inline values, which are read with them; together 1 to 3 ms. */
const STEP_VALUE_BYTES = 1024 * 1024

/**
 * Yields after each step the bytes that it read; the tables' bytes are spread evenly over their entries.
 * @throws CorruptionError, WISC_FORMAT_VERSION, IoError
 */
export function* shadowWalkSteps(
  input: ShadowWalkInput,
  ports: Pick<JobPorts, 'fileSystem'>,
): Generator<number, ShadowWalkResult> {
  const runs = input.runs.map((tables) => new InputRun(tables, input, ports.fileSystem))
  const tables = input.runs.flat()
  const bytes = tables.reduce((sum, table) => sum + table.bytes, 0)
  const entries = tables.reduce((sum, table) => sum + table.entries, 0)
  const cursor = new MergeCursor(runs.map((run) => run.cursor))
  const walk = new Walk(cursor, new Retention(input.readableSequences, []))
  try {
    let walked = 0
    let bytesRead = 0
    for (cursor.seekToFirst(); cursor.valid; ) {
      walked += walk.step()
      const share = Math.round(bytes * (walked / entries)) - bytesRead
      bytesRead += share
      yield share
    }
    return walk.result(bytes)
  } finally {
    for (const run of runs) run.close()
  }
}

/** Fields of a row of sums. */
const LIVE_BYTES = 0
const HIDDEN_BYTES = 1
const HIDDEN_RECORDS = 2
const PINNED_BYTES = 3
const PINNED_RECORDS = 4
const ROW_FIELDS = 5

class Walk {
  readonly #cursor: EntryCursor
  readonly #retention: Retention
  readonly #lastKey: LastKey = new LastKey()
  #keys = 0
  #liveKeyBytes = 0
  #liveValueBytes = 0
  #weight = 0
  #garbageWeight = 0
  /** Where the row of a segment begins in the sums. */
  readonly #rows: Map<number, number> = new Map()
  #sums: Float64Array = new Float64Array(64 * ROW_FIELDS)
  /** The segment of the pointer before, and its row: mostly the next one's, too. */
  #lastSegment = -1
  #lastRow = 0

  constructor(cursor: EntryCursor, retention: Retention) {
    this.#cursor = cursor
    this.#retention = retention
  }

  /** Takes entries until the step is full or there are no more. @returns how many */
  step(): number {
    const cursor = this.#cursor
    const retention = this.#retention
    const lastKey = this.#lastKey
    let entries = 0
    let valueBytes = 0
    while (cursor.valid && entries < STEP_ENTRIES && valueBytes < STEP_VALUE_BYTES) {
      entries++
      const isNewest = lastKey.advance(cursor)
      if (isNewest) retention.startKey()
      // Tombstones, too, serve the readers that see them.
      const isKept = retention.keeps(cursor.sequence)
      const { kind, keyBytes, keyStart, keyEnd } = cursor
      const isGarbage =
        !isKept ||
        (kind === KIND.tombstone &&
          retention.dropsTombstone(cursor.sequence, keyBytes, keyStart, keyEnd))
      const weight = entryWeight(cursor, keyEnd - keyStart)
      this.#weight += weight
      if (isGarbage) this.#garbageWeight += weight
      if (kind === KIND.inline) valueBytes += cursor.valueEnd - cursor.valueStart
      if (isNewest && kind !== KIND.tombstone) this.#addLive(cursor)
      if (kind === KIND.pointer) this.#addRecord(cursor.segment, cursor.length, isNewest, isKept)
      cursor.next()
    }
    return entries
  }

  /** @param tableBytes of all tables that were walked */
  result(tableBytes: number): ShadowWalkResult {
    const sums = this.#sums
    const segments = [...this.#rows].map(
      ([segment, row]): SegmentShadows => ({
        segment,
        liveBytes: sums[row + LIVE_BYTES]!,
        hiddenBytes: sums[row + HIDDEN_BYTES]!,
        hiddenRecords: sums[row + HIDDEN_RECORDS]!,
        pinnedBytes: sums[row + PINNED_BYTES]!,
        pinnedRecords: sums[row + PINNED_RECORDS]!,
      }),
    )
    return {
      keys: this.#keys,
      liveKeyBytes: this.#liveKeyBytes,
      liveValueBytes: this.#liveValueBytes,
      tableGarbageBytes: Math.round(tableBytes * (this.#garbageWeight / Math.max(1, this.#weight))),
      segments: segments.sort((left, right) => left.segment - right.segment),
    }
  }

  #addLive(cursor: EntryCursor): void {
    const keyLength = cursor.keyEnd - cursor.keyStart
    this.#keys++
    this.#liveKeyBytes += keyLength
    this.#liveValueBytes += valueLength(cursor, keyLength)
  }

  #addRecord(segment: number, bytes: number, isNewest: boolean, isKept: boolean): void {
    if (segment !== this.#lastSegment) this.#useSegment(segment)
    const sums = this.#sums
    const row = this.#lastRow
    if (isNewest) {
      sums[row + LIVE_BYTES]! += bytes
    } else if (isKept) {
      sums[row + PINNED_BYTES]! += bytes
      sums[row + PINNED_RECORDS]!++
    } else {
      sums[row + HIDDEN_BYTES]! += bytes
      sums[row + HIDDEN_RECORDS]!++
    }
  }

  #useSegment(segment: number): void {
    let row = this.#rows.get(segment)
    if (row === undefined) {
      row = this.#rows.size * ROW_FIELDS
      this.#rows.set(segment, row)
      if (row === this.#sums.length) {
        const grown = new Float64Array(this.#sums.length * 2)
        grown.set(this.#sums)
        this.#sums = grown
      }
    }
    this.#lastSegment = segment
    this.#lastRow = row
  }
}
