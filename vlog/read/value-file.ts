/** An open file of the value log, for the value reader: how fast its reads are, and how many the thread pool has. */

import { CorruptionError, isMissing } from '../../lib/base/errors.ts'
import { FILE_HEADER_BYTES, readFileHeader } from '../../lib/base/files/file-header.ts'
import { joinPath, segmentName } from '../../lib/base/files/file-names.ts'
import type { File } from '../../lib/base/files/file-system.ts'
import type { StoreDirectory } from '../../lib/base/files/store-directory.ts'
import type { FileNumber, SegmentNumber } from '../../lib/base/ids.ts'
import { RelocationReader } from '../relocation/relocation-reader.ts'

/** A read that takes longer was not served by the page cache. */
const SLOW_READ_MS = 0.1
/** Reads that go to the pool after a slow one: doubled while slow ones follow each other. */
const POOL_READS_MIN = 8
const POOL_READS_MAX = 512
/** After a fast read so many are not timed: two looks at the clock cost a tenth of a microsecond. */
const UNTIMED_READS = 7

/** Where the records of segments lie now: the port through which the reader asks the version. */
export interface Relocations {
  /** How many relocations there are. */
  readonly count: number
  /** The relocation that holds what survives of a segment; undefined: its own file, which may be a relocation. */
  holderOf(segment: SegmentNumber): number | undefined
  /** What is known of a file if it is a relocation. */
  find(file: FileNumber): { readonly salt: number; readonly length: number } | undefined
}

/** Of readers of the log's tail, which no collection reaches. */
export const NO_RELOCATIONS: Relocations = {
  count: 0,
  holderOf: () => undefined,
  find: () => undefined,
}

/** An open segment or relocation. */
export class ValueFile {
  readonly file: File
  readonly relocation: RelocationReader | undefined
  /** Reads that still go to the pool. */
  poolReads = 0
  /** Reads that are not timed. */
  untimed = 0
  penalty: number = POOL_READS_MIN
  /** Reads that the pool has. The last one to end closes the file, if it has been pushed out meanwhile. */
  inPool = 0
  isPushedOut = false

  constructor(file: File, relocation?: RelocationReader) {
    this.file = file
    this.relocation = relocation
  }

  close(): void {
    if (this.relocation) this.relocation.close()
    else this.file.close()
  }

  note(elapsedMs: number): void {
    if (elapsedMs > SLOW_READ_MS) {
      this.poolReads = this.penalty
      this.penalty = Math.min(this.penalty * 2, POOL_READS_MAX)
      return
    }
    this.untimed = UNTIMED_READS
    this.penalty = POOL_READS_MIN
  }
}

/** @throws CorruptionError if it is missing or another one, IoError */
export function openValueFile(
  { fileSystem, directory, databaseId }: StoreDirectory,
  relocations: Relocations,
  number: FileNumber,
): ValueFile {
  const name = segmentName(number)
  const path = joinPath(directory, name)
  const relocation = relocations.find(number)
  try {
    if (relocation === undefined) {
      const file = fileSystem.open(path, 'read')
      checkSegment(file, name, number, databaseId)
      return new ValueFile(file)
    }
    const expected = { ...relocation, number, databaseId }
    const reader = RelocationReader.open(fileSystem, path, name, expected)
    return new ValueFile(reader.file, reader)
  } catch (error) {
    if (!isMissing(error)) throw error
    throw new CorruptionError(name, 0, 'segment is missing', { cause: error })
  }
}

/** Closes it if it is another file. @throws CorruptionError */
function checkSegment(file: File, name: string, number: FileNumber, databaseId: Uint8Array): void {
  try {
    const header = new Uint8Array(FILE_HEADER_BYTES)
    file.read(header, 0, header.length, 0)
    readFileHeader(header, name, { kind: 'segment', number, databaseId })
  } catch (error) {
    file.close()
    throw error
  }
}
