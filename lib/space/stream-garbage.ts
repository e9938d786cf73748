/**
 * Streams that newer entries shadow, or range tombstones cover: counted one by one. They are few, and one of them may
 * be larger than all else, so that samples of keys, which hidden-garbage.ts goes by, would tell of it by luck alone.
 *
 * Where tables come the keys of those that live are looked up: who is found first, if it is not the stream, shadows
 * it. What is shadowed once stays so. Of very many streams the longest are counted, and the rest is left to samples.
 */
import { hashRange } from '../base/bytes.ts'
import { type FileNumber, SEQUENCE_MAX, type SegmentNumber, type Sequence } from '../base/ids.ts'
import { NumberMap } from '../base/number-map.ts'
import type { ReferenceList } from '../base/segment-records.ts'
import { isAnyBetween } from '../state/readable-sequences.ts'
import { TableRanges } from '../state/table-ranges.ts'
import { findInRuns, type LookupParts } from '../state/tables.ts'
import { Entry, hasExpired, KIND, valueLength } from '../tree/entry.ts'
import type { Memtable } from '../tree/memtable/memtable.ts'
import { EMPTY_VERSION, type Version } from '../tree/version/version.ts'
import type { References, WorkBudget } from './references.ts'

/** About so many have their keys in memory, and are looked up: half of them at least, twice as many at most. */
const STREAMS_MAX = 1024
/** In microseconds, by estimate: its file is opened for the key; the key is looked up. */
const OPEN_WORK = 50
const LOOKUP_WORK = 4

/** Of some streams that entries of tables point to. */
export interface StreamSum {
  readonly count: number
  /** As their pointers say: of records with key and value. */
  readonly recordBytes: number
  /** Of keys and values. */
  readonly valueBytes: number
}

/** The streams that are counted: what estimates leave out. */
export interface CountedStreams {
  has(segment: SegmentNumber): boolean
  /** Bytes of pointers to them. */
  bytesIn(references: ReferenceList): number
}

export const NO_STREAMS: CountedStreams = { has: () => false, bytesIn: () => 0 }

export interface StreamGarbageParts extends LookupParts {
  /** The key of a stream. @throws CorruptionError, WISC_FORMAT_VERSION, IoError */
  readonly values: { streamKey(number: FileNumber): Uint8Array }
}

const NO_LEVELS: Version['levels'] = []
/** Of pointers to streams. */
const POINTER: Entry = new Entry()
POINTER.kind = KIND.pointer

interface CountedStream {
  readonly key: Uint8Array
  readonly hash: number
  /** Of its pointer; 0: no table has one. */
  recordBytes: number
  /** As its entry says; 0: never, as far as is known. */
  expiresAt: number
  /** It is seen from the older sequence on, up to the newer one; undefined: nothing of tables shadows it. */
  shadow: { readonly older: Sequence; readonly newer: Sequence } | undefined
  /** What it was looked up in. */
  levels: Version['levels']
}

export class StreamGarbage implements CountedStreams {
  readonly #parts: StreamGarbageParts
  readonly #references: Pick<References, 'of'>
  readonly #ranges: TableRanges
  readonly #max: number
  #version: Version = EMPTY_VERSION
  /** All streams of the version, with the bytes of their files. */
  readonly #lengths: Map<FileNumber, number> = new Map()
  /** Undefined: its key has not been read yet. */
  readonly #counted: Map<FileNumber, CountedStream | undefined> = new Map()
  /** Where there are more: what is longer is counted. */
  #leastLength = 0
  /** Their keys cannot be had: whoever reads them is told why. */
  readonly #unreadable: Set<FileNumber> = new Set()
  readonly #lookup: Entry = new Entry()

  constructor(
    parts: StreamGarbageParts,
    references: Pick<References, 'of'>,
    max: number = STREAMS_MAX,
  ) {
    this.#parts = parts
    this.#references = references
    this.#ranges = new TableRanges(parts.tables)
    this.#max = max
  }

  has(segment: SegmentNumber): boolean {
    return this.#counted.get(segment as FileNumber) !== undefined
  }

  bytesIn({ segments, bytes }: ReferenceList): number {
    if (this.#counted.size === 0) return 0
    let sum = 0
    segments.forEach((segment, i) => {
      if (this.has(segment)) sum += bytes[i]!
    })
    return sum
  }

  /** All that tables point to. */
  get all(): StreamSum {
    return this.#sumOf(() => true)
  }

  /** Of these, what nobody sees who reads now, at a moment or later. */
  unseen(moment: number): StreamSum {
    return this.#sumOf(
      ({ shadow, expiresAt }) => shadow !== undefined || hasExpired(expiresAt, moment),
    )
  }

  /** What has expired by a moment, shadowed or not. */
  expired(moment: number): StreamSum {
    return this.#sumOf(({ expiresAt }) => hasExpired(expiresAt, moment))
  }

  /** Of what is shadowed, what some reader sees. @param held their sequences, ascending */
  pinnedBytes(held: readonly Sequence[]): number {
    const isPinned = ({ shadow }: CountedStream): boolean =>
      shadow !== undefined && isAnyBetween(held, shadow.older, shadow.newer)
    return held.length === 0 ? 0 : this.#sumOf(isPinned).recordBytes
  }

  /** Of what lives in tables, what memtables shadow or cover: a flush has to come first. */
  unflushed(memtables: readonly Memtable[], moment: number): StreamSum {
    const filled = memtables.filter(({ isEmpty }) => !isEmpty)
    if (filled.length === 0) return this.#sumOf(() => false)
    return this.#sumOf(
      (stream) =>
        stream.shadow === undefined &&
        !hasExpired(stream.expiresAt, moment) &&
        filled.some((each) => this.#isIn(each, stream)),
    )
  }

  #isIn(memtable: Memtable, { key, hash, recordBytes }: CountedStream): boolean {
    if (recordBytes === 0) return false
    const { ranges, largestSequence } = memtable
    if (ranges.coveringSequence(key, 0, key.length, largestSequence) > 0) return true
    return memtable.find(key, hash, largestSequence, this.#lookup)
  }

  #sumOf(counts: (stream: CountedStream) => boolean): StreamSum {
    let [count, recordBytes, valueBytes] = [0, 0, 0]
    for (const stream of this.#counted.values()) {
      if (stream === undefined || stream.recordBytes === 0 || !counts(stream)) continue
      count++
      recordBytes += stream.recordBytes
      valueBytes += valueBytesOf(stream)
    }
    return { count, recordBytes, valueBytes }
  }

  /**
   * Brings the figures to a version, which the references have been brought to before.
   * @param budget how much it may cost, less what it did cost
   * @returns false if there is more: the next call goes on
   * @throws CorruptionError, WISC_FORMAT_VERSION, IoError if a table cannot be read
   */
  update(version: Version, budget: WorkBudget): boolean {
    if (version.streams > 0 || this.#lengths.size > 0) this.#follow(version)
    for (const number of this.#counted.keys()) {
      if (budget.work <= 0) return false
      const stream = this.#counted.get(number) ?? this.#open(number, budget)
      if (stream === undefined || stream.levels === version.levels) continue
      stream.recordBytes = this.#references.of(number)?.bytes ?? 0
      if (stream.recordBytes > 0) stream.shadow ??= this.#shadowOf(number, stream, version)
      stream.levels = version.levels
      budget.work -= LOOKUP_WORK
    }
    return true
  }

  /** Which streams there are, and which of them are counted. */
  #follow(version: Version): void {
    const { files } = this.#version
    if (files === version.files) return
    NumberMap.diff(files, version.files, (number, _before, after) => {
      this.#unreadable.delete(number)
      this.#counted.delete(number)
      if (after?.role !== 'stream') {
        this.#lengths.delete(number)
        return
      }
      this.#lengths.set(number, after.length)
      if (after.length > this.#leastLength) this.#counted.set(number, undefined)
    })
    this.#version = version
    const { size } = this.#counted
    const others = this.#lengths.size - this.#unreadable.size - size
    // Seldom, since it takes a look at all streams.
    if (size > 2 * this.#max || (size < this.#max / 2 && others > 0)) this.#choose()
  }

  /** The longest are counted, and such as come and are longer than the last of them. */
  #choose(): void {
    const lengths = [...this.#lengths].filter(([number]) => !this.#unreadable.has(number))
    lengths.sort(([, left], [, right]) => right - left)
    this.#leastLength = lengths.length > this.#max ? lengths[this.#max - 1]![1] : 0
    const chosen = new Set(lengths.slice(0, this.#max).map(([number]) => number))
    for (const number of this.#counted.keys()) if (!chosen.has(number)) this.#counted.delete(number)
    for (const number of chosen)
      if (!this.#counted.has(number)) this.#counted.set(number, undefined)
  }

  #open(number: FileNumber, budget: WorkBudget): CountedStream | undefined {
    budget.work -= OPEN_WORK
    try {
      const key = this.#parts.values.streamKey(number)
      const hash = hashRange(key, 0, key.length, 0)
      const unknown = { recordBytes: 0, expiresAt: 0, shadow: undefined, levels: NO_LEVELS }
      const stream = { key, hash, ...unknown }
      this.#counted.set(number, stream)
      return stream
    } catch {
      this.#unreadable.add(number)
      this.#counted.delete(number)
      return undefined
    }
  }

  /** What in tables shadows or covers a stream; notes when that expires. */
  #shadowOf(number: FileNumber, stream: CountedStream, version: Version): CountedStream['shadow'] {
    const { key, hash } = stream
    const found = this.#lookup
    const runs = version.levels.flatMap((level) => level.runs)
    let newer = 0
    for (const ranges of this.#ranges.of(version))
      newer = Math.max(newer, ranges.coveringSequence(key, 0, key.length, SEQUENCE_MAX))
    let at = SEQUENCE_MAX
    while (findInRuns(this.#parts, runs, key, hash, at, found)) {
      const { kind, segment, sequence: older } = found
      if (kind === KIND.pointer && segment === number) {
        stream.expiresAt = found.expiresAt
        return newer > older ? { older, newer } : undefined
      }
      newer = older
      at = older - 1
    }
    return undefined
  }
}

function valueBytesOf({ key, recordBytes }: CountedStream): number {
  POINTER.length = recordBytes
  return key.length + valueLength(POINTER, key.length)
}
