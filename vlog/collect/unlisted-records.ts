/**
 * Living records of victims by a list of the dead: all records but those in the list, whose heads alone are read.
 *
 *   | dead | live | dead | dead | live |          the list knows where the dead ones begin and end
 *          ^ head               ^ head            what is read
 *
 * A list is a hint. What is left must be, segment by segment, as many records and bytes as the tables point to in it,
 * and have the same fingerprint: then it is what they point to, unless 32 bits agree by chance. (A list that names a
 * record that lives, and lacks a dead one of its length, is always found out below 4 GiB.) Else the tables are asked.
 */
import type { SegmentDead } from '../../lib/base/dead-records.ts'
import { CorruptionError } from '../../lib/base/errors.ts'
import type { SegmentNumber } from '../../lib/base/ids.ts'
import {
  addPointer,
  nameTheSame,
  noReferences,
  type Reference,
  type ReferenceSum,
} from '../../lib/base/segment-records.ts'
import { RECORD_KIND } from '../record.ts'
import { ListedDead } from './listed-dead.ts'
import type { CollectorPorts } from './victim.ts'
import { emptyVictimRecord, type VictimRecord } from './victim-page.ts'
import type { VictimRecords } from './victim-records.ts'
import { collectVictims, type VictimInput } from './victim-walk.ts'

/** Records that one slice passes: about a millisecond. */
const SLICE_RECORDS = 8192
const NOTHING: Readonly<ReferenceSum> = noReferences()
/** Of the bytes of victims: what heads of frames, tombstones and inline values may take beside dead and living. */
const OTHER_SHARE_MAX = 1 / 16

export interface ListedInput extends VictimInput {
  /** What is known to be dead; there may be more, and several lists for a segment. */
  readonly dead: readonly SegmentDead[]
  /** What the tables point to in the segments of the victims. */
  readonly references: readonly Reference[]
}

/** True if it is worth a try: the victims hold next to nothing but what the list and the tables name. */
export function isListComplete({ files, dead, references }: ListedInput): boolean {
  const bytes = files.reduce((sum, { length }) => sum + length, 0)
  const living = references.reduce((sum, part) => sum + part.bytes, 0)
  let listed = 0
  for (const { lengths } of dead) for (const length of lengths) listed += length
  return bytes - living - listed <= OTHER_SHARE_MAX * bytes
}

/** What a list leaves of victims. */
export interface Unlisted {
  /** The records that live, sorted; undefined if the list does not say which they are. */
  readonly records?: VictimRecords
  /** The list names records that live. False where that is not sure. */
  readonly isWrong: boolean
}

/**
 * What lives by the list. Yields the bytes that each slice read.
 * @throws IoError, WISC_FORMAT_VERSION, WISC_CODEC_UNAVAILABLE
 */
export function* collectUnlisted(
  input: ListedInput,
  ports: Pick<CollectorPorts, 'fileSystem'>,
): Generator<number, Unlisted> {
  let records: VictimRecords
  try {
    records = yield* collectVictims(input, ports, new ListedDead(input.dead))
  } catch (error) {
    // By a wrong list records seem to be damaged that are not: those who go by the tables will tell.
    if (error instanceof CorruptionError) return { isWrong: false }
    throw error
  }
  const left = new LeftRecords(records, input.references)
  for (let from = 0; from < records.count; from += SLICE_RECORDS) {
    left.count(from, Math.min(from + SLICE_RECORDS, records.count))
    yield 0
  }
  const found = left.judge()
  if (found !== 'same') return { isWrong: found === 'other' }
  for (let from = 0; from < records.count; from += SLICE_RECORDS) {
    left.mark(from, Math.min(from + SLICE_RECORDS, records.count))
    yield 0
  }
  return { records, isWrong: false }
}

/**
 * What is left, under the names that the tables have for it: its address, or its place in a relocation (I8). All
 * records of a part must have one kind of name: the references say no more.
 */
class LeftRecords {
  readonly #records: VictimRecords
  /** By logical segment. */
  readonly #named: ReadonlyMap<SegmentNumber, Reference>
  readonly #left: Map<SegmentNumber, ReferenceSum> = new Map()
  readonly #record: VictimRecord = emptyVictimRecord()

  constructor(records: VictimRecords, references: readonly Reference[]) {
    this.#records = records
    this.#named = new Map(references.map((reference) => [reference.segment, reference]))
  }

  count(from: number, to: number): void {
    const record = this.#record
    for (let position = from; position < to; position++) {
      if (!this.#load(position)) continue
      let sum = this.#left.get(record.segment)
      if (sum === undefined) {
        sum = noReferences()
        this.#left.set(record.segment, sum)
      }
      addPointer(sum, record.offset, record.length)
    }
  }

  /** Holds it against what the tables name. */
  judge(): 'same' | 'more' | 'other' {
    let isSame = true
    let isAsMany = true
    let surplus = 0
    for (const segment of new Set([...this.#left.keys(), ...this.#named.keys()])) {
      const left = this.#left.get(segment) ?? NOTHING
      const named = this.#named.get(segment) ?? NOTHING
      isSame &&= nameTheSame(left, named)
      isAsMany &&= left.records === named.records
      surplus += left.records - named.records
    }
    if (isSame) return 'same'
    // Where tables name records of a part in both ways, there are as many in all, and not in each segment.
    return isAsMany || surplus < 0 ? 'other' : 'more'
  }

  mark(from: number, to: number): void {
    const record = this.#record
    for (let position = from; position < to; position++) {
      if (!this.#load(position)) continue
      this.#records.mark(position, record.segment, record.offset, record.length)
    }
  }

  /** Loads a record under its name. @returns false for one that no entry can name */
  #load(position: number): boolean {
    const record = this.#record
    this.#records.loadAt(position, record)
    if (record.kind !== RECORD_KIND.put) return false
    const { number } = this.#records.files[record.file]!
    if (record.segment !== number && !this.#named.has(record.segment)) {
      record.segment = number
      record.offset = record.place
    }
    return true
  }
}
