/**
 * Copies the valid, unproved frames of a recovered log to a new segment (see survey.ts).
 *
 * Records are copied as they are, with their sequences; frames get new headers, because a frame proves its place. Each
 * record is proved as it is copied: what the survey proved were bytes of another read, and when the edit is
 * made the originals go.
 */

import { AppendBuffer } from '../../lib/base/files/append-buffer.ts'
import { joinPath, segmentName } from '../../lib/base/files/file-names.ts'
import type { File } from '../../lib/base/files/file-system.ts'
import { FileWindow } from '../../lib/base/files/file-window.ts'
import { FRAME_HEADER_BYTES, frameSeed, writeFrameHeader } from '../../lib/base/files/frame.ts'
import type { StoreDirectory } from '../../lib/base/files/store-directory.ts'
import type { FileNumber, Sequence, VersionNumber } from '../../lib/base/ids.ts'
import type { LogPosition } from '../../lib/base/log-position.ts'
import type { NewSegment } from '../log/log-parts.ts'
import { SEGMENT_HEADER_BYTES, writeSegmentHeader } from '../log/segment-header.ts'
import { copyFrame } from '../log/segment-walk.ts'
import type { LogRecoveryPlan } from './recovery-plan.ts'

export interface CopiedTail extends NewSegment {
  readonly length: number
  readonly lastSequence: Sequence
}

/** The frames that are copied, at least one, and what they say from then on. */
export interface UnprovedTail {
  readonly copy: LogRecoveryPlan['copy']
  /** The segment that the new one follows, and where that one ends. */
  readonly predecessor: LogPosition
  readonly durable: LogPosition
  readonly durableEdit: VersionNumber
}

/**
 * Writes and syncs the new segment; its directory entry is not durable yet.
 * @throws CorruptionError if the records are not what the survey has proved: nothing is left of the copy then; IoError
 */
export function copyTail(
  context: StoreDirectory,
  target: NewSegment,
  { copy, predecessor, durable, durableEdit }: UnprovedTail,
): CopiedTail {
  const { fileSystem, directory, databaseId } = context
  const { number, salt, ordinal } = target
  const identity = { kind: 'segment' as const, databaseId, number, salt }
  const seed = frameSeed(identity)
  const file = fileSystem.open(joinPath(directory, segmentName(number)), 'create')
  let source:
    | { readonly number: FileNumber; readonly file: File; readonly window: FileWindow }
    | undefined
  let written = false
  try {
    const out = new AppendBuffer(file)
    const header = new Uint8Array(SEGMENT_HEADER_BYTES)
    writeSegmentHeader(header, 0, {
      identity,
      ordinal,
      predecessor: predecessor.ordinal,
      predecessorLength: predecessor.offset,
      firstSequence: copy[0]!.frame.firstSequence,
    })
    out.append(header, 0, header.length)
    let lastSequence = 0
    for (const { segment, frame } of copy) {
      if (source?.number !== segment) {
        source?.file.close()
        const opened = fileSystem.open(joinPath(directory, segmentName(segment)), 'read')
        const window = new FileWindow(opened, opened.stat().size)
        source = { number: segment, file: opened, window }
      }
      const offset = out.length
      writeFrameHeader(header, 0, seed, { ...frame, offset, durable, durableEdit })
      out.append(header, 0, FRAME_HEADER_BYTES)
      copyFrame(source.window, segment, frame, (bytes, from, to) => out.append(bytes, from, to))
      lastSequence = frame.firstSequence + frame.recordCount - 1
    }
    out.flush()
    written = true
    file.dataSync()
    return { ...target, length: out.length, lastSequence }
  } catch (error) {
    file.close()
    // No edit names it: on a full disk the next attempt needs its room. After a failed sync nothing is unlinked.
    if (!written) fileSystem.unlink(file.path)
    throw error
  } finally {
    source?.file.close()
    file.close()
  }
}
