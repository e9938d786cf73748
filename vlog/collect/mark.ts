/**
 * The mark: what lives in files of the value log, and which blocks only dead values fill.
 *
 *   | header sums key | value ...                          |   a dead record
 *                 |-----------|-----------|-----------|        blocks of the file system
 *                             |  whole blocks: hole   |
 *
 * A hole never touches the head of a record or a record that lives (I8), so the file can still be
 * walked, and every pointer into it followed, when it has been punched.
 */

import { assert, IoError } from '../../lib/base/errors.ts'
import type { FileNumber } from '../../lib/base/ids.ts'
import { RECORD_KIND, storedLengthOf } from '../record.ts'
import type { MarkLive } from './liveness.ts'
import { type CollectorPorts, type VictimFile, victimPath } from './victim.ts'
import { emptyVictimRecord, type VictimRecord } from './victim-page.ts'
import type { VictimRecords } from './victim-records.ts'
import { collectVictims, type VictimInput } from './victim-walk.ts'

export interface MarkInput extends VictimInput {
  /** Holes of fewer bytes are not worth a call. */
  readonly minimumHoleBytes: number
}

export interface MarkedFile {
  readonly number: FileNumber
  readonly records: number
  readonly liveRecords: number
  /** Bytes of whole records. */
  readonly liveBytes: number
  /** Start and end of each hole, ascending. Those that were punched before are there again. */
  readonly holes: Float64Array
  readonly holeBytes: number
}

export interface MarkResult {
  /** In the order of the input. */
  readonly files: readonly MarkedFile[]
}

/**
 * Marks the records of files. Yields the bytes that each slice read.
 * @throws CorruptionError if anything but a value is damaged, or a pointer leads nowhere (I8); IoError
 */
export function* markSlices(
  input: MarkInput,
  markLive: MarkLive,
  ports: Pick<CollectorPorts, 'fileSystem'>,
): Generator<number, MarkResult> {
  const records = yield* collectVictims(input, ports)
  return yield* markRecords(records, input, markLive, ports)
}

/** Marks records that were collected. @throws as {@link markSlices} */
export function* markRecords(
  records: VictimRecords,
  input: Omit<MarkInput, 'files'>,
  markLive: MarkLive,
  ports: Pick<CollectorPorts, 'fileSystem'>,
): Generator<number, MarkResult> {
  yield* markLive(records)
  const tallies = records.files.map((victim) => new Tally(victim, input, ports))
  yield* addUp(records, tallies)
  return { files: tallies.map((tally) => tally.result()) }
}

function* addUp(records: VictimRecords, tallies: readonly Tally[]): Generator<number, void> {
  const record = emptyVictimRecord()
  const add = (): void => tallies[record.file]!.add(record)
  for (let page = 0; page < records.pageCount; page++) {
    records.visitPage(page, record, add)
    yield 0
  }
}

/** The figures of one file; its records come in the order of their places. */
class Tally {
  readonly #number: FileNumber
  readonly #blockBytes: number
  readonly #holeBytesMin: number
  #records = 0
  #liveRecords = 0
  #liveBytes = 0
  readonly #holes: number[] = []
  #holeBytes = 0

  constructor(
    victim: VictimFile,
    input: Omit<MarkInput, 'files'>,
    { fileSystem }: Pick<CollectorPorts, 'fileSystem'>,
  ) {
    const path = victimPath(input, victim)
    const stat = fileSystem.statPath(path)
    // Whoever only reads has no hold on it: a writer may have collected it meanwhile.
    if (stat === undefined) throw new IoError('stat', path, 'ENOENT')
    this.#blockBytes = stat.blockBytes
    this.#number = victim.number
    this.#holeBytesMin = Math.max(input.minimumHoleBytes, this.#blockBytes)
  }

  add(record: VictimRecord): void {
    this.#records++
    if (record.isLive) {
      this.#liveRecords++
      this.#liveBytes += record.length
    } else if (record.kind === RECORD_KIND.put) this.#addHole(record)
  }

  #addHole({ place, length, keyStart, keyEnd, optionBytes }: VictimRecord): void {
    const end = place + length
    const valueStart = end - storedLengthOf(length - optionBytes, keyEnd - keyStart)
    const blockBytes = this.#blockBytes
    const from = Math.ceil(valueStart / blockBytes) * blockBytes
    const to = Math.floor(end / blockBytes) * blockBytes
    if (to - from < this.#holeBytesMin) return
    assert(from >= valueStart && to <= end, 'a hole lies in the value of a dead record')
    this.#holes.push(from, to)
    this.#holeBytes += to - from
  }

  result(): MarkedFile {
    return {
      number: this.#number,
      records: this.#records,
      liveRecords: this.#liveRecords,
      liveBytes: this.#liveBytes,
      holes: Float64Array.from(this.#holes),
      holeBytes: this.#holeBytes,
    }
  }
}
