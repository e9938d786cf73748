/** What recovery makes of an undamaged log, of segments that do not follow each other, and of markers. */
import { describe, expect, test } from 'vitest'
import { CorruptionError, IoError } from '#dist/lib/base/errors.js'
import { FRAME_HEADER_BYTES } from '#dist/lib/base/files/frame.js'
import { LOG_START } from '#dist/lib/base/log-position.js'
import { planLogRecovery } from '#dist/vlog/recovery/recovery-plan.js'
import { surveyLog } from '#dist/vlog/recovery/survey.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import {
  LOG_DIRECTORY,
  logContext,
  SegmentMaker,
  segmentPath,
} from '../../support/parts/log-segments.ts'
import {
  corruption,
  damage,
  endOf,
  FRAME,
  type Log,
  makeLog,
  plan,
  survey,
} from './recovery-log.ts'

describe('an undamaged log', () => {
  test('is proved as far as edits and frames say; the rest is copied', () => {
    const log = makeLog()
    const found = survey(log, endOf(log.segments, 5, 1))
    expect(found).toMatchObject({
      provedEnd: endOf(log.segments, 5, 1),
      end: endOf(log.segments, 6, 3),
      reason: undefined,
      lastSequence: log.segments.get(6)!.nextSequence - 1,
      highestSequence: log.segments.get(6)!.nextSequence - 1,
      durableEdit: 63,
    })
    const planned = plan(log, found)
    const { frames } = log.segments.get(5)!
    expect(planned.seal).toEqual([
      {
        number: 5,
        ordinal: 5,
        length: frames[1]!.end,
        lastSequence: found.open[0]!.frames[2]!.firstSequence - 1,
      },
    ])
    expect(planned.drop).toEqual([6, 7])
    expect(planned.copy.map(({ segment, frame }) => [segment, frame.offset])).toEqual([
      [5, frames[2]!.offset],
      [5, frames[3]!.offset],
      ...log.segments.get(6)!.frames.map(({ offset }) => [6, offset]),
    ])
    expect(planned.torn).toEqual([])
  })

  test('that is durable to its end needs no copy', () => {
    const log = makeLog()
    const planned = plan(log, survey(log, endOf(log.segments, 6, 3)))
    expect(planned.seal.map(({ number, length }) => [number, length])).toEqual([
      [5, log.segments.get(5)!.length],
      [6, log.segments.get(6)!.length],
    ])
    expect(planned).toMatchObject({ drop: [7], copy: [], torn: [] })
  })

  test('is proved by any of its frames', () => {
    const log = makeLog([
      [4, 3],
      [5, 0],
      [5, 1],
      [5, 0],
    ])
    expect(survey(log, LOG_START).provedEnd).toEqual(endOf(log.segments, 5, 1))
  })

  test('is walked from the checkpoint on: sealed segments before it are not read', () => {
    const log = damage(makeLog(), 3, (bytes) => bytes.fill(0))
    const at = { ordinal: 4, offset: log.segments.get(4)!.frames[2]!.offset }
    expect(survey(log, endOf(log.segments, 6, 3), at).end).toEqual(endOf(log.segments, 6, 3))
    const inFront = damage(log, 4, (bytes) => {
      bytes[log.segments.get(4)!.frames[1]!.offset + 5]! ^= 1
      return bytes
    })
    expect(survey(inFront, LOG_START, at).end).toEqual(endOf(log.segments, 6, 3))
  })

  test('goes from file to file by their ordinals, whatever numbers these have', () => {
    const fileSystem = new FaultFileSystem()
    fileSystem.makeDirectory(LOG_DIRECTORY)
    const makers: SegmentMaker[] = []
    for (const number of [30, 20, 40, 10]) {
      const before = makers.at(-1)
      const ordinal = makers.length + (makers.length < 2 ? 3 : 5)
      const first = (before?.nextSequence ?? 1) + 10
      const maker = new SegmentMaker(fileSystem, number, first, before?.end, ordinal)
      maker.frame(FRAME, before?.end ?? LOG_START, ordinal)
      maker.frame(FRAME, before?.end ?? LOG_START, ordinal)
      makers.push(maker)
    }
    const known = makers.map((maker) => maker.known(maker.ordinal < 5))
    const log = { image: fileSystem.visibleImage(), segments: new Map(), known }
    const found = survey(log, LOG_START)
    expect(found).toMatchObject({
      end: { ordinal: 8, offset: makers[3]!.length },
      endFile: 10,
      provedEnd: makers[2]!.end,
      lastSequence: makers[3]!.nextSequence - 1,
      durableEdit: 8,
    })
    const { seal, copy, drop } = plan(log, found)
    expect(seal.map(({ number }) => number)).toEqual([40])
    expect(copy.map(({ segment }) => segment)).toEqual([10, 10])
    expect(drop).toEqual([10])
    // The wrong order is no log.
    const reversed = { ...log, known: known.toReversed() }
    expect(() => survey(reversed, LOG_START)).toThrow(CorruptionError)
  })
})

describe('chains', () => {
  test('a segment that does not follow the one before ends the log, or is corruption below W', () => {
    const log = makeLog()
    // 5 is cut at a frame border: 6 names another length of it.
    const cut = damage(log, 5, (bytes) => bytes.slice(0, log.segments.get(5)!.frames[2]!.end))
    const found = survey(cut, endOf(log.segments, 5, 2))
    expect(found.end).toEqual(endOf(log.segments, 5, 2))
    expect(found.reason).toMatch(/000006\.vlog, which does not follow/)
    expect(plan(cut, found).torn).toEqual([
      { segment: 6, from: 0, to: log.segments.get(6)!.length },
    ])
    expect(corruption(() => survey(cut, endOf(log.segments, 5, 3)))).toMatchObject({
      file: '000005.vlog',
      offset: log.segments.get(5)!.frames[2]!.end,
    })
  })

  test('a sealed segment whose seal names another end is corruption', () => {
    const log = makeLog()
    const known = log.known.map((segment) => {
      const { sealed } = segment
      return segment.number === 3 && sealed
        ? { ...segment, sealed: { ...sealed, lastSequence: 999 } }
        : segment
    })
    expect(corruption(() => survey({ ...log, known }, LOG_START)).reason).toMatch(
      /another sequence/,
    )
    const shorter = log.known.map((segment) => {
      const length = log.segments.get(3)!.frames[2]!.end
      const lastSequence = log.segments.get(3)!.nextSequence - 3
      return segment.number === 3 ? { ...segment, sealed: { length, lastSequence } } : segment
    })
    expect(corruption(() => survey({ ...log, known: shorter }, LOG_START)).reason).toMatch(
      /does not follow/,
    )
  })

  test('a file with another salt is another file', () => {
    const log = makeLog()
    const known = log.known.map((segment) =>
      segment.number === 4 ? { ...segment, salt: 1 } : segment,
    )
    expect(corruption(() => survey({ ...log, known }, LOG_START)).reason).toMatch(/another salt/)
  })

  test('a file with another ordinal is not the one that is due', () => {
    const log = makeLog()
    const known = log.known.map((segment) =>
      segment.ordinal > 4 ? { ...segment, ordinal: segment.ordinal + 1 } : segment,
    )
    expect(survey({ ...log, known }, LOG_START).reason).toMatch(/another place in the log/)
    const sealed = log.known.map((segment) =>
      segment.ordinal === 4 ? { ...segment, ordinal: 4.5 } : segment,
    )
    expect(() => survey({ ...log, known: sealed }, LOG_START)).toThrow(/another place in the log/)
  })

  test('segments that lay below the checkpoint may be gone', () => {
    const log = makeLog()
    const rest = damage({ ...log, known: log.known.slice(1) }, 3, () => undefined)
    expect(survey(rest, LOG_START, { ordinal: 4, offset: 0 }).end).toEqual(
      endOf(log.segments, 6, 3),
    )
    expect(() => survey(rest, LOG_START, { ordinal: 3, offset: 0 })).toThrow(CorruptionError)
  })
})

test('bytes behind the length of a sealed segment do not belong to the log', () => {
  const log = damage(makeLog(), 4, (bytes) => Buffer.concat([bytes, bytes]))
  expect(survey(log, LOG_START).end).toEqual(endOf(log.segments, 6, 3))
})

test('a marker proves what it names', () => {
  const fileSystem = new FaultFileSystem()
  fileSystem.makeDirectory(LOG_DIRECTORY)
  const maker = new SegmentMaker(fileSystem, 3)
  maker.frame(FRAME)
  const durable = maker.end
  maker.frame([], durable, 2)
  const known = [maker.known(false)]
  const log: Log = { image: fileSystem.visibleImage(), segments: new Map([[3, maker]]), known }
  const found = survey(log, LOG_START)
  expect(found.provedEnd).toEqual(durable)
  const planned = planLogRecovery(found, 0)
  expect(planned.seal).toEqual([{ number: 3, ordinal: 3, length: durable.offset, lastSequence: 2 }])
  expect(planned.copy).toMatchObject([
    { segment: 3, frame: { recordCount: 0, length: FRAME_HEADER_BYTES } },
  ])
})

test('a read error is never taken for a torn tail', () => {
  const log = makeLog()
  const fileSystem = new FaultFileSystem({}, log.image)
  fileSystem.faults = ({ kind, path }) =>
    kind === 'read' && path === segmentPath(6) ? { errno: 'EIO' } : undefined
  const act = (): unknown => surveyLog(logContext(fileSystem), log.known, LOG_START, LOG_START)
  expect(act).toThrow(IoError)
  expect(fileSystem.openFiles).toBe(0)
})
