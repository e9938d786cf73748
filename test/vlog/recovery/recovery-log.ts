/**
 * A log of four segments, what may damage it, and what recovery finds.
 *
 *   segment 3 (sealed) | 4 (sealed) | 5: f0 f1 | f2 ... | 6: f0 f1 | 7 (empty)
 *                                            W          X where the test damages it
 */
import { expect } from 'vitest'
import { CorruptionError } from '#dist/lib/base/errors.js'
import { LOG_START, type LogPosition } from '#dist/lib/base/log-position.js'
import { type LogRecoveryPlan, planLogRecovery } from '#dist/vlog/recovery/recovery-plan.js'
import { type KnownSegment, type LogSurvey, surveyLog } from '#dist/vlog/recovery/survey.js'
import type { DiskImage } from '../../support/files/disk-model.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import {
  bytesOf,
  LOG_DIRECTORY,
  logContext,
  SegmentMaker,
  segmentPath,
} from '../../support/parts/log-segments.ts'

export interface Log {
  readonly image: DiskImage
  readonly segments: ReadonlyMap<number, SegmentMaker>
  readonly known: readonly KnownSegment[]
}

export const FRAME: Parameters<SegmentMaker['frame']>[0] = [
  { key: 'a', value: bytesOf(30) },
  { key: 'b', value: bytesOf(50) },
]

/** @param durables what the frames of 5 and 6 name as durable: [segment, index of a frame] */
export function makeLog(durables: readonly (readonly [number, number])[] = []): Log {
  const fileSystem = new FaultFileSystem()
  fileSystem.makeDirectory(LOG_DIRECTORY)
  const segments = new Map<number, SegmentMaker>()
  let before: SegmentMaker | undefined
  let next = 0
  for (const number of [3, 4, 5, 6]) {
    // Sequences jump between segments.
    const first = (before?.nextSequence ?? 1) + 10
    const maker: SegmentMaker = new SegmentMaker(fileSystem, number, first, before?.end)
    segments.set(number, maker)
    for (let i = 0; i < 4; i++) {
      const named = number > 4 ? durables[next++] : undefined
      const durable = named ? endOf(segments, named[0], named[1]) : LOG_START
      maker.frame(FRAME, durable, number * 10 + i)
    }
    before = maker
  }
  fileSystem.open(segmentPath(7), 'create')
  const makers = [...segments.values()]
  const known = makers.map((maker) => maker.known(maker.number < 5))
  known.push({ number: 7, ordinal: 7, salt: 77, sealed: undefined })
  return { image: fileSystem.visibleImage(), segments, known }
}

export function endOf(
  segments: ReadonlyMap<number, SegmentMaker>,
  number: number,
  frame: number,
): LogPosition {
  return { ordinal: number, offset: segments.get(number)!.frames[frame]!.end }
}

export function survey(
  log: Log,
  durable: LogPosition,
  checkpoint: LogPosition = { ordinal: 3, offset: 0 },
): LogSurvey {
  const fileSystem = new FaultFileSystem({}, log.image)
  try {
    return surveyLog(logContext(fileSystem), log.known, checkpoint, durable)
  } finally {
    expect(fileSystem.openFiles).toBe(0)
    expect(fileSystem.log).toEqual([])
  }
}

export function plan(log: Log, found: LogSurvey): LogRecoveryPlan {
  return planLogRecovery(found, log.known[1]!.sealed!.lastSequence)
}

export function damage(
  log: Log,
  number: number,
  change: (bytes: Uint8Array) => Uint8Array | undefined,
): Log {
  const files = new Map(log.image.files)
  const changed = change(files.get(segmentPath(number))!.slice())
  if (changed) files.set(segmentPath(number), changed)
  else files.delete(segmentPath(number))
  return { ...log, image: { directories: log.image.directories, files } }
}

export function corruption(action: () => unknown): CorruptionError {
  try {
    action()
  } catch (error) {
    if (error instanceof CorruptionError) return error
    throw error
  }
  return expect.unreachable('nothing was found')
}
