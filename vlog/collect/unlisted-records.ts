/**
 * What lives in victims by a list of what died: all records but those in the list, whose heads alone are read.
 *
 *   | dead | live | dead | dead | live |          the list knows where the dead ones begin and end
 *          ^ head               ^ head            what is read
 *
 * A list is a hint. What is left must be, segment by segment, as many records and bytes as the tables point to in it:
 * then it is what they point to, if no list names a record that lives (which a list can do by a fault alone, and then
 * the sums differ, unless another record of the same length is missing in it). Else the tables are asked.
 */
import type { SegmentDead } from '../../lib/base/dead-records.ts'
import { CorruptionError } from '../../lib/base/errors.ts'
import type { SegmentNumber } from '../../lib/base/ids.ts'
import type { RecordSum, SegmentRecords } from '../../lib/base/segment-records.ts'
import { RECORD_KIND } from '../record.ts'
import { ListedDead } from './listed-dead.ts'
import type { CollectorPorts } from './victim.ts'
import { emptyVictimRecord, type VictimRecord } from './victim-page.ts'
import type { VictimRecords } from './victim-records.ts'
import { collectVictims, type VictimInput } from './victim-walk.ts'

/** Records that one step passes: about a millisecond. */
const STEP_RECORDS = 8192
/** Of the bytes of victims: what heads of frames, tombstones and inline values may take beside dead and living. */
const OTHER_SHARE_MAX = 1 / 16

export interface ListedInput extends VictimInput {
  /** What is known to be dead; there may be more, and several lists for a segment. */
  readonly dead: readonly SegmentDead[]
  /** What the tables point to in the segments of the victims. */
  readonly references: readonly SegmentRecords[]
}

/** True if it is worth a try: the victims hold next to nothing but what the list and the tables name. */
export function isListComplete({ files, dead, references }: ListedInput): boolean {
  const bytes = files.reduce((sum, { length }) => sum + length, 0)
  const living = references.reduce((sum, part) => sum + part.bytes, 0)
  let listed = 0
  for (const { lengths } of dead) for (const length of lengths) listed += length
  return bytes - living - listed <= OTHER_SHARE_MAX * bytes
}

/**
 * The records of the victims that live, sorted. Yields the bytes that each step read.
 * @returns undefined if the list does not say which they are
 * @throws IoError, WISC_FORMAT_VERSION, WISC_CODEC_UNAVAILABLE
 */
export function* collectUnlisted(
  input: ListedInput,
  ports: Pick<CollectorPorts, 'fileSystem'>,
): Generator<number, VictimRecords | undefined> {
  let records: VictimRecords
  try {
    records = yield* collectVictims(input, ports, new ListedDead(input.dead))
  } catch (error) {
    // By a wrong list records seem to be damaged that are not: those who go by the tables will tell.
    if (error instanceof CorruptionError) return undefined
    throw error
  }
  const names = new Names(records, input.references)
  for (let from = 0; from < records.count; from += STEP_RECORDS) {
    names.count(from, Math.min(from + STEP_RECORDS, records.count))
    yield 0
  }
  if (!names.agree()) return undefined
  for (let from = 0; from < records.count; from += STEP_RECORDS) {
    names.mark(from, Math.min(from + STEP_RECORDS, records.count))
    yield 0
  }
  return records
}

/**
 * Which name the tables have for each record that is left: its address, or its place in a relocation (I8). All records
 * of a part must have one kind of name: the sums say no more.
 */
class Names {
  readonly #records: VictimRecords
  readonly #references: Map<SegmentNumber, RecordSum> = new Map()
  /** What is left of each logical segment, and the index of the file that holds it. */
  readonly #left: Map<SegmentNumber, RecordSum & { readonly file: number }> = new Map()
  readonly #namedByPlace: Set<SegmentNumber> = new Set()
  readonly #record: VictimRecord = emptyVictimRecord()

  constructor(records: VictimRecords, references: readonly SegmentRecords[]) {
    this.#records = records
    for (const { segment, records: count, bytes } of references) {
      this.#references.set(segment, { records: count, bytes })
    }
  }

  count(from: number, to: number): void {
    const record = this.#record
    for (let position = from; position < to; position++) {
      this.#records.loadAt(position, record)
      if (record.kind !== RECORD_KIND.put) continue
      const { segment, file } = record
      let sum = this.#left.get(segment)
      if (sum === undefined) {
        sum = { records: 0, bytes: 0, file }
        this.#left.set(segment, sum)
      }
      sum.records++
      sum.bytes += record.length
    }
  }

  /** @returns true if what is left is what the tables point to */
  agree(): boolean {
    const open = this.#references
    for (const [segment, sum] of this.#left) {
      const { number } = this.#records.files[sum.file]!
      const isByPlace = segment !== number && (open.get(segment)?.records ?? 0) === 0
      if (isByPlace) this.#namedByPlace.add(segment)
      const named = open.get(isByPlace ? number : segment)
      if (named === undefined) return false
      named.records -= sum.records
      named.bytes -= sum.bytes
    }
    return [...open.values()].every(({ records, bytes }) => records === 0 && bytes === 0)
  }

  mark(from: number, to: number): void {
    const records = this.#records
    const record = this.#record
    for (let position = from; position < to; position++) {
      records.loadAt(position, record)
      const { segment, offset, place, length, kind, file } = record
      if (kind !== RECORD_KIND.put) continue
      if (this.#namedByPlace.has(segment)) {
        records.mark(position, records.files[file]!.number, place, length)
      } else records.mark(position, segment, offset, length)
    }
  }
}
