/**
 * The plan of a recovery: what has to move before the log is served, a pure decision from its survey (survey.ts). The
 * effects, in their durable order, are in lib/recovery/recover.ts.
 */
import type { FileNumber, LogOrdinal, Sequence } from '../../lib/base/ids.ts'
import { compareLogPositions } from '../../lib/base/log-position.ts'
import type { SegmentSeal } from '../log/log-parts.ts'
import type { FrameSummary } from '../log/segment-walk.ts'
import type { LogSurvey } from './survey.ts'

/** What must change before a recovered log is served. */
export interface LogRecoveryPlan {
  /** Open segments whose bytes up to `length` are proved: they are sealed there. */
  readonly seal: readonly (SegmentSeal & { readonly ordinal: LogOrdinal })[]
  /** Open segments that hold nothing proved: they leave the version. */
  readonly drop: readonly FileNumber[]
  /** Valid frames that are not proved, in log order: they are copied to a new segment. */
  readonly copy: readonly { readonly segment: FileNumber; readonly frame: FrameSummary }[]
  /** Byte ranges that belong to no valid frame: they are set aside. */
  readonly torn: readonly {
    readonly segment: FileNumber
    readonly from: number
    readonly to: number
  }[]
}

/** Decides for each open segment: pure. `lastSealed` is the last sequence below the first open segment. */
export function planLogRecovery(survey: LogSurvey, lastSealed: Sequence): LogRecoveryPlan {
  const seal: (SegmentSeal & { readonly ordinal: LogOrdinal })[] = []
  const drop: FileNumber[] = []
  const copy: { segment: FileNumber; frame: FrameSummary }[] = []
  const torn: { segment: FileNumber; from: number; to: number }[] = []
  let lastSequence = lastSealed
  for (const { number, ordinal, size, frames } of survey.open) {
    let length = 0
    let validEnd = 0
    for (const frame of frames) {
      validEnd = frame.offset + frame.length
      if (compareLogPositions({ ordinal, offset: validEnd }, survey.provedEnd) <= 0) {
        length = validEnd
        lastSequence = frame.firstSequence + frame.recordCount - 1
      } else {
        copy.push({ segment: number, frame })
      }
    }
    if (length > 0) seal.push({ number, ordinal, length, lastSequence })
    else drop.push(number)
    if (size > validEnd) torn.push({ segment: number, from: validEnd, to: size })
  }
  return { seal, drop, copy, torn }
}
