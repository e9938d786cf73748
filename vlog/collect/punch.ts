/**
 * The punch: marks a file, and gives the blocks of its dead values back to the file system, in place.
 *
 * The caller has waited for all reads that began before the version of these tables: no later one can reach what is
 * dead in it (I5, I12). Nothing is synced: a hole that a crash takes back costs only space.
 */

import { CorruptionError } from '../../lib/base/errors.ts'
import { FILE_HEADER_BYTES, readFileHeader } from '../../lib/base/files/file-header.ts'
import { segmentName } from '../../lib/base/files/file-names.ts'
import type { File } from '../../lib/base/files/file-system.ts'
import type { DatabaseDirectory } from '../../lib/base/files/store-directory.ts'
import { type HoleMarks, hasHoleAt, markHoleAt, noHoles } from './hole-marks.ts'
import { type KeptHeads, packHeads, unpackHeads } from './kept-heads.ts'
import type { MarkLive } from './liveness.ts'
import { markRecords } from './mark.ts'
import { type CollectorPorts, type VictimFile, victimPath } from './victim.ts'
import { collectVictims } from './victim-walk.ts'

/** A slice ends at the first hole behind so many milliseconds: one takes 10 us, or 85 us to 4 ms if it is discarded. */
const SLICE_MS = 2

export interface PunchInput extends DatabaseDirectory {
  readonly file: VictimFile
  /** Holes of fewer bytes are not worth a call. */
  readonly minimumHoleBytes: number
  /** It ends once it has made so many. */
  readonly holesMax?: number
  /** Those that it has, as far as they are known: none is made twice. */
  readonly known?: HoleMarks | undefined
  /** The heads of its records, if they are known: then it is not walked. */
  readonly heads?: KeptHeads | undefined
}

interface PunchedHoles {
  /** False if the platform or file system has no holes. */
  readonly supported: boolean
  /** The file was left alone: its bytes are somebody else's as well, a hard-linked backup's. */
  readonly hasOtherNames: boolean
  /** By which its blocks became fewer. */
  readonly bytesFreed: number
  /** Those that were none before, by the blocks that went. */
  readonly holesMade: number
  /** What they take: what the one in their middle took, for each. */
  readonly holeMs: number
  /** None is left to make. */
  readonly isWhole: boolean
  /** Those that it has now, as far as they are known. */
  readonly known: HoleMarks
}

export interface PunchResult extends PunchedHoles {
  /** Those of earlier times included. */
  readonly holes: number
  /** Bytes of whole records that live. */
  readonly liveBytes: number
  /** Of all its records, as it was walked; undefined if it was not, or they are too many to be kept. */
  readonly heads: KeptHeads | undefined
}

/**
 * Marks the file and punches it. Yields the bytes that each slice read. Ended early, it leaves the holes that it has
 * made.
 * @throws CorruptionError if anything but a value is damaged, a pointer leads nowhere (I8), or the file is not the one
 * that the version means; IoError
 */
export function* punchSlices(
  input: PunchInput,
  markLive: MarkLive,
  ports: Pick<CollectorPorts, 'fileSystem' | 'progress'>,
): Generator<number, PunchResult> {
  const { file, heads: known } = input
  const records = known
    ? yield* unpackHeads(known, file)
    : yield* collectVictims({ ...input, files: [file] }, ports)
  const heads = known ? undefined : yield* packHeads(records)
  const { files } = yield* markRecords(records, input, markLive, ports)
  const { holes, liveBytes } = files[0]!
  const punched = yield* punchHoles(input, holes, ports)
  return { ...punched, holes: holes.length / 2, liveBytes, heads }
}

/**
 * Punches holes. Yields 0: nothing is read or written. Ended early, it leaves the holes that it has made.
 * @param holes start and end of each, whole blocks: as a mark found them
 * @throws CorruptionError if the file is not the one that the version means, IoError
 */
export function* punchHoles(
  input: Omit<PunchInput, 'minimumHoleBytes'>,
  holes: Float64Array,
  { fileSystem, progress }: Pick<CollectorPorts, 'fileSystem' | 'progress'>,
): Generator<number, PunchedHoles> {
  const file = fileSystem.open(victimPath(input, input.file), 'punch')
  const known = input.known?.slice() ?? noHoles(input.file.length)
  try {
    checkHeader(file, input)
    const { allocated } = file.stat()
    const holeBytes = meanBytes(holes)
    const holesMax = input.holesMax ?? Number.POSITIVE_INFINITY
    const leftMin = allocated - holeBytes * holesMax
    const callMs: number[] = []
    let left = allocated
    let supported = true
    let hasOtherNames = false
    let next = 0
    for (; next < holes.length && left > leftMin; yield 0) {
      hasOtherNames = file.stat().links !== 1
      if (hasOtherNames) break
      const end = punchSome(file, holes, next, { known, holesMax, callMs })
      supported = end >= 0
      if (!supported) break
      next = end
      progress?.(next / holes.length)
      left = Math.min(left, file.stat().allocated)
    }
    const bytesFreed = allocated - left
    const holesMade = Math.round(bytesFreed / holeBytes)
    const holeMs = holesMade * middleMs(callMs, holesMade)
    const isWhole = next === holes.length
    return { supported, hasOtherNames, bytesFreed, holesMade, holeMs, isWhole, known }
  } finally {
    file.close()
  }
}

/** At least a byte. */
function meanBytes(holes: Float64Array): number {
  let bytes = 0
  for (let at = 0; at < holes.length; at += 2) bytes += holes[at + 1]! - holes[at]!
  return Math.max(1, bytes / Math.max(1, holes.length / 2))
}

/**
 * What the one in the middle of those took that were made: the slowest of the calls, since one for a hole that was
 * there already takes next to nothing. Not the mean: now and then a hole waits for the journal, or its thread for a
 * core, for as long as hundreds of them take, and two of these in a file would make all of its holes dear.
 */
function middleMs(callMs: readonly number[], holesMade: number): number {
  const descending = Float64Array.from(callMs).sort().reverse()
  return descending[Math.min(holesMade, descending.length) >> 1] ?? 0
}

/**
 * Punches the holes from holes[next] on that are not there yet, for a slice, so many at most, and says what each took.
 * @returns where the next slice goes on; -1 if there can be no holes
 */
function punchSome(
  file: File,
  holes: Float64Array,
  next: number,
  { known, holesMax, callMs }: SliceOfHoles,
): number {
  let now = performance.now()
  const sliceEnd = now + SLICE_MS
  let at = next
  let left = holesMax
  for (; at < holes.length && left > 0; at += 2) {
    const start = holes[at]!
    if (hasHoleAt(known, start)) continue
    if (now > sliceEnd) break
    if (!file.punch(start, holes[at + 1]! - start)) return -1
    const end = performance.now()
    callMs.push(end - now)
    now = end
    markHoleAt(known, start)
    left--
  }
  return at
}

interface SliceOfHoles {
  readonly known: HoleMarks
  readonly holesMax: number
  /** Of all calls so far. */
  readonly callMs: number[]
}

/** The bytes that go must be those of the file that was marked. */
function checkHeader(
  file: File,
  { file: victim, databaseId }: Pick<PunchInput, 'file' | 'databaseId'>,
): void {
  const { kind, number, salt } = victim
  const name = segmentName(number)
  const bytes = new Uint8Array(FILE_HEADER_BYTES)
  const got = file.read(bytes, 0, bytes.length, 0)
  const identity = readFileHeader(bytes.subarray(0, got), name, { kind, number, databaseId })
  if (identity.salt !== salt) throw new CorruptionError(name, 56, 'file carries another salt')
}
