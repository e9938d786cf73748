/** The files that the collector works on, its victims, and what its jobs get to find them. */

import { CorruptionError } from '../../lib/base/errors.ts'
import { joinPath, segmentName } from '../../lib/base/files/file-names.ts'
import type { File, FileSystem } from '../../lib/base/files/file-system.ts'
import type { DatabaseDirectory } from '../../lib/base/files/store-directory.ts'
import type { FileNumber } from '../../lib/base/ids.ts'
import type { Random } from '../../lib/base/random.ts'
import {
  readSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from '../log/segment-header.ts'

/** A file of the value log as the version knows it: a sealed segment or a relocation. */
export interface VictimFile {
  readonly kind: 'segment' | 'relocation'
  readonly number: FileNumber
  readonly salt: number
  /** Nothing behind it belongs to the log. */
  readonly length: number
}

/** What the collector's jobs get from outside. */
export interface CollectorPorts {
  readonly fileSystem: FileSystem
  readonly random: Random
  /** See EarlySync. Infinity for callers that never let the event loop turn, as tests. */
  readonly earlySyncBytes?: number
  /** Called now and then with how much is done: 0 to 1. */
  readonly progress?: (share: number) => void
}

export function victimPath({ directory }: DatabaseDirectory, { number }: VictimFile): string {
  return joinPath(directory, segmentName(number))
}

/**
 * The header of a sealed segment, if the file is the one that the version means.
 * @throws CorruptionError, WISC_FORMAT_VERSION, IoError
 */
export function readVictimHeader(
  file: File,
  { number, salt }: VictimFile,
  { databaseId }: DatabaseDirectory,
): SegmentHeader {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES)
  const got = file.read(bytes, 0, bytes.length, 0)
  const header = readSegmentHeader(bytes.subarray(0, got), number, databaseId)
  if (header.identity.salt !== salt) {
    throw new CorruptionError(segmentName(number), 56, 'segment carries another salt')
  }
  return header
}
