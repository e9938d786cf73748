/** Verification of the files of the value log: frame by frame, record by record, without the tables. */

import { SEGMENT_HEADER_BYTES } from '../../vlog/log/segment-header.ts'
import { SegmentWalk } from '../../vlog/log/segment-walk.ts'
import { RelocationReader } from '../../vlog/relocation/relocation-reader.ts'
import { CorruptionError } from '../base/errors.ts'
import { joinPath, segmentName } from '../base/files/file-names.ts'
import type { File } from '../base/files/file-system.ts'
import { findFrames } from '../base/files/find-frames.ts'
import { frameSeed } from '../base/files/frame.ts'
import type { SegmentRecords } from '../base/segment-records.ts'
import type { ReadingEngine } from '../reads/reading-engine.ts'
import { flushedEnd, logFiles, relocationFiles } from '../tree/version/version.ts'
import type { LogFile, RelocationFile } from '../tree/version/version-edit.ts'
import { findDamage, type VerifyPass } from './verify-pass.ts'

const FRAMES_PER_SLICE = 64
/** In one file; more say nothing new. */
const DAMAGE_MAX = 1000

/**
 * @returns how many records the files of the value log hold; of a damaged one, as far as it could be read, or what the
 *   version knows
 */
export async function verifyLog(pass: VerifyPass, tables: number): Promise<number> {
  const { engine, version, findings, proved } = pass
  let records = 0
  let done = 0
  for (const segment of logFiles(version)) {
    const { number } = segment
    const pause = (): Promise<void> => pass.pause(tables, done)
    await pause()
    const end = segmentEnd(engine, segment)
    let known = proved.segments.get(number)
    if (known?.end !== end) {
      const damaged: CorruptionError[] = []
      const error = await findDamage(async () => {
        known = { end, records: await verifySegment(pass, segment, end, pause, damaged) }
        if (damaged.length === 0) proved.segments.set(number, known)
      })
      // One that is no longer in the version was collected in order.
      const isHeld = engine.version.files.has(number)
      for (const each of isHeld ? [...damaged, error] : []) findings.note(each)
    }
    records += known?.records ?? 0
    done++
  }
  for (const relocation of relocationFiles(version)) {
    const { number, parts } = relocation
    const pause = (): Promise<void> => pass.pause(tables, done)
    let known = proved.relocations.get(number)
    if (known === undefined) {
      const error = await findDamage(async () => {
        known = await verifyRelocation(engine, relocation, pause)
        proved.relocations.set(number, known)
      })
      if (engine.version.files.has(number)) findings.note(error)
    }
    records += known ?? recordsOf(parts)
    done++
  }
  return records
}

/** Where the frames of a segment end. */
function segmentEnd(engine: ReadingEngine, { number, seal }: LogFile): number {
  return seal?.length ?? engine.writtenEnd(number)
}

/**
 * Walks a segment up to `end`; a deep pass also proves the values that no table has yet.
 * @param pause called now and then
 * @param damaged takes each damaged place; behind it the walk goes on at the next frame that proves itself
 * @returns its records
 * @throws IoError
 */
async function verifySegment(
  { engine, deep }: VerifyPass,
  segment: LogFile,
  end: number,
  pause: () => Promise<void>,
  damaged: CorruptionError[],
): Promise<number> {
  const { fileSystem, directory, databaseId } = engine.context
  const { number, salt } = segment
  const file = fileSystem.open(joinPath(directory, segmentName(number)), 'read')
  try {
    if (end === 0) return 0
    const seed = frameSeed({ kind: 'segment', databaseId, number, salt })
    const walkPart = async (from: number, to: number, proveValues: boolean) => {
      const damage: NonNullable<SegmentWalk['damage']>[] = []
      let records = 0
      let frames = 0
      for (let at: number | undefined = from; at !== undefined && at < to; ) {
        const part = { from: at, end: to, proveValues }
        const walk = new SegmentWalk(file, { number, seed, firstSequence: undefined, ...part })
        for (let frame = walk.next(); frame !== undefined; frame = walk.next()) {
          records += frame.recordCount
          if (++frames % FRAMES_PER_SLICE === 0) await pause()
        }
        if (walk.damage) damage.push(walk.damage)
        const isEnough = walk.damage === undefined || damage.length === DAMAGE_MAX
        at = isEnough ? undefined : firstFrame(file, seed, walk.damage.offset + 1, to)
      }
      return { records, damage }
    }
    // Below the checkpoint values that no entry points to may be holes, and the others are read through their
    // pointers. Behind it nothing has been reclaimed, and only memtables point there ...
    const replayed = replayedFrom(engine, segment, end)
    const flushed = await walkPart(SEGMENT_HEADER_BYTES, replayed, false)
    let rest = await walkPart(replayed, end, deep)
    // ... unless it was flushed, and punched, in between.
    const [first] = rest.damage
    if (first && first.offset < replayedFrom(engine, segment, end)) {
      rest = await walkPart(replayed, end, false)
    }
    for (const { offset, reason } of [...flushed.damage, ...rest.damage]) {
      damaged.push(new CorruptionError(segmentName(number), offset, reason))
    }
    return flushed.records + rest.records
  } finally {
    file.close()
  }
}

/** Where the next frame begins that proves itself. */
function firstFrame(file: File, seed: number, from: number, end: number): number | undefined {
  let first: number | undefined
  findFrames(file, seed, from, end, ({ offset }) => {
    first = offset
    return false
  })
  return first
}

/**
 * Proves all of a relocation but the values.
 * @returns its records: also those of segments that the version has forgotten, since tables know them by their places
 * @throws CorruptionError, WISC_FORMAT_VERSION, IoError
 */
async function verifyRelocation(
  engine: ReadingEngine,
  { number, salt, length }: RelocationFile,
  pause: () => Promise<void>,
): Promise<number> {
  const { fileSystem, directory, databaseId } = engine.context
  const name = segmentName(number)
  const expected = { number, salt, length, databaseId }
  const reader = RelocationReader.open(fileSystem, joinPath(directory, name), name, expected)
  try {
    for (const _slice of reader.verifySlices()) await pause()
    return recordsOf(reader.parts)
  } finally {
    reader.close()
  }
}

function recordsOf(parts: readonly SegmentRecords[]): number {
  return parts.reduce((sum, { records }) => sum + records, 0)
}

/** Where the part of a segment begins that an open after a crash would replay. */
function replayedFrom({ version }: ReadingEngine, segment: LogFile, end: number): number {
  return Math.min(end, Math.max(SEGMENT_HEADER_BYTES, flushedEnd(version, segment, end)))
}
