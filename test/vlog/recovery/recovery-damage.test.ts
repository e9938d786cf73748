/** What recovery makes of a damaged log: torn tail or corruption, and what has to move. */
import { describe, expect, test } from 'vitest'
import { LOG_START } from '#dist/lib/base/log-position.js'
import { SEGMENT_HEADER_BYTES } from '#dist/vlog/log/segment-header.js'
import { segmentPath } from '../../support/parts/log-segments.ts'
import { corruption, damage, endOf, type Log, makeLog, plan, survey } from './recovery-log.ts'

/** Damages to frame `frame` of a segment. */
const DAMAGES = {
  'a bit flip': (log: Log, number: number, frame: number) =>
    damage(log, number, (bytes) => {
      bytes[log.segments.get(number)!.frames[frame]!.offset + 70]! ^= 8
      return bytes
    }),
  'a truncation': (log: Log, number: number, frame: number) =>
    damage(log, number, (bytes) =>
      bytes.slice(0, log.segments.get(number)!.frames[frame]!.end - 1),
    ),
  'a missing file': (log: Log, number: number) => damage(log, number, () => undefined),
  'a zeroed header': (log: Log, number: number) =>
    damage(log, number, (bytes) => bytes.fill(0, 0, SEGMENT_HEADER_BYTES)),
} as const

const KINDS = Object.keys(DAMAGES) as (keyof typeof DAMAGES)[]

describe.each(KINDS)('%s', (kind) => {
  const damaged = DAMAGES[kind]

  // A seal promises its segment, whatever a durable position says.
  test.each([
    ['below', [5, 1]],
    ['above', [3, 0]],
  ] as const)('in a sealed segment that lies %s W is corruption', (_, [segment, frame]) => {
    const log = makeLog()
    const error = corruption(() => survey(damaged(log, 4, 2), endOf(log.segments, segment, frame)))
    expect(error.file).toBe('000004.vlog')
  })

  test('in an open segment, below W, is corruption', () => {
    const log = makeLog()
    const error = corruption(() => survey(damaged(log, 5, 1), endOf(log.segments, 5, 2)))
    expect(error.file).toBe('000005.vlog')
    expect(corruption(() => survey(damaged(log, 5, 1), endOf(log.segments, 6, 0))).file).toBe(
      '000005.vlog',
    )
  })

  test('in an open segment, below a W that only a frame behind it names, is corruption', () => {
    // The last frame of 5 and one of 6 say that 5 was durable to its second frame.
    for (const durables of [
      [
        [4, 3],
        [4, 3],
        [4, 3],
        [5, 1],
      ],
      [
        [4, 3],
        [4, 3],
        [4, 3],
        [4, 3],
        [4, 3],
        [5, 1],
      ],
    ] as const) {
      const log = makeLog(durables)
      expect(survey(log, LOG_START).provedEnd).toEqual(endOf(log.segments, 5, 1))
      if (kind === 'a truncation' && durables.length === 4) continue // It takes that frame away.
      expect(corruption(() => survey(damaged(log, 5, 1), LOG_START)).file).toBe('000005.vlog')
    }
  })

  test('in an open segment, above W, is a torn tail (a missing file is corruption all the same)', () => {
    const log = makeLog()
    const { frames } = log.segments.get(5)!
    const header = kind === 'a zeroed header'
    const durable = header ? endOf(log.segments, 4, 3) : endOf(log.segments, 5, 0)
    if (kind === 'a missing file') {
      expect(corruption(() => survey(damaged(log, 5, 2), durable)).reason).toMatch(/missing/)
      return
    }
    const victim = damaged(log, 5, 2)
    const found = survey(victim, durable)
    expect(found.end).toEqual({ ordinal: 5, offset: header ? 0 : frames[1]!.end })
    expect(found.reason).toBeDefined()
    // What was given out may never be given out again.
    expect(found.highestSequence).toBe(log.segments.get(6)!.nextSequence - 1)
    const planned = plan(victim, found)
    const size = victim.image.files.get(segmentPath(5))!.length
    expect(planned.torn).toEqual([
      { segment: 5, from: header ? 0 : frames[1]!.end, to: size },
      { segment: 6, from: 0, to: log.segments.get(6)!.length },
    ])
    expect(planned.drop).toEqual(header ? [5, 6, 7] : [6, 7])
    expect(planned.copy.map(({ frame }) => frame.offset)).toEqual(header ? [] : [frames[1]!.offset])
    expect(planned.seal.map(({ length }) => length)).toEqual(header ? [] : [frames[0]!.end])
  })
})
