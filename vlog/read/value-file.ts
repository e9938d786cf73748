/** An open file of the value log, for the value reader: how fast its reads are, and how many the thread pool has. */

import { CorruptionError, isMissing } from '../../lib/base/errors.ts'
import type { BlockCache } from '../../lib/base/files/block-cache.ts'
import { FILE_HEADER_BYTES, readFileHeader } from '../../lib/base/files/file-header.ts'
import { joinPath, segmentName } from '../../lib/base/files/file-names.ts'
import type { File } from '../../lib/base/files/file-system.ts'
import type { StoreDirectory } from '../../lib/base/files/store-directory.ts'
import type { FileNumber, SegmentNumber } from '../../lib/base/ids.ts'
import { RelocationReader } from '../relocation/relocation-reader.ts'
import { openStream, type StreamReader } from '../stream/stream-reader.ts'
import { RecordFront } from './record-front.ts'
import type { PlacedRequest } from './value-requests.ts'

/** A read that takes longer was not served by the page cache. */
const SLOW_READ_MS = 0.1
/** What one timed read weighs in the share of slow ones: two of them close together send a file's reads to the pool. */
const SHARE_WEIGHT = 1 / 16
/**
 * Above this share reads go to the pool. Waiting for the disk costs the calling thread some 100 to 250 us, a trip
 * through the pool 15: about one in twelve is where both cost the same.
 */
const SLOW_SHARE_MAX = 1 / 12
/** Reads that go to the pool then, before one is tried again: twice as many after each that was slow. */
const POOL_READS = 96
const POOL_READS_MAX = 16 * POOL_READS
/** Below this share only one read in so many is timed: two looks at the clock cost a tenth of a microsecond. */
const FAST_SHARE_MAX = 1 / 64
const UNTIMED_READS = 7

/** A file of the value log that was written once and whole. */
export interface KnownFile {
  readonly role: 'relocation' | 'stream'
  readonly salt: number
  readonly length: number
}

/** Where the records of segments lie now: the port through which the reader asks the version. */
export interface Relocations {
  /** How many relocations there are. */
  readonly count: number
  /** The relocation that holds what survives of a segment; undefined: its own file, which may be a relocation. */
  holderOf(segment: SegmentNumber): number | undefined
  /** What is known of a file if it is no file of the log. */
  find(file: FileNumber): KnownFile | undefined
}

/** Of readers of the log's tail, which no collection reaches. */
export const NO_RELOCATIONS: Relocations = {
  count: 0,
  holderOf: () => undefined,
  find: () => undefined,
}

/** An open segment, relocation or stream. */
export class ValueFile {
  readonly file: File
  readonly relocation: RelocationReader | undefined
  readonly stream: StreamReader | undefined
  /** Reads that still go to the pool. */
  poolReads = 0
  /** So many when the file is found to be cold again. */
  #poolReadsNext = POOL_READS
  /** Reads that are not timed. */
  untimed = 0
  /** Of the timed reads lately, those that were slow. */
  #slowShare = 0
  /** Reads that the pool has. The last one to end closes the file, if it has been pushed out meanwhile. */
  inPool = 0
  isPushedOut = false
  /** Of the record of which a part was read last. */
  #front: RecordFront | undefined
  #isClosing = false

  constructor(file: File, relocation?: RelocationReader, stream?: StreamReader) {
    this.file = file
    this.relocation = relocation
    this.stream = stream
  }

  /** What is known of the front of a record of several chunks. */
  frontOf(request: PlacedRequest, cache: BlockCache): RecordFront {
    if (cache.capacityBytes === 0) return new RecordFront(request, cache)
    if (this.#front?.isOf(request)) return this.#front
    this.#front?.drop()
    this.#front = new RecordFront(request, cache)
    return this.#front
  }

  /** A stream stays open until its reads in the pool have ended: one of them takes several calls. */
  close(): void {
    this.#isClosing = true
    this.#front?.drop()
    if (this.inPool > 0 && this.stream) return
    const reader = this.relocation ?? this.stream ?? this.file
    reader.close()
  }

  /** A read of the pool has ended. */
  readEnded(): void {
    if (--this.inPool === 0 && this.#isClosing && this.stream) this.stream.close()
  }

  /** Takes note of a timed read. A single slow one says little: the thread may have lost its core meanwhile. */
  note(elapsedMs: number): void {
    const slow = elapsedMs > SLOW_READ_MS ? 1 : 0
    this.#slowShare += (slow - this.#slowShare) * SHARE_WEIGHT
    if (!slow) this.#poolReadsNext = POOL_READS
    if (this.#slowShare > SLOW_SHARE_MAX) {
      this.poolReads = this.#poolReadsNext
      if (slow) this.#poolReadsNext = Math.min(2 * this.#poolReadsNext, POOL_READS_MAX)
    } else if (this.#slowShare < FAST_SHARE_MAX) this.untimed = UNTIMED_READS
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
  const known = relocations.find(number)
  try {
    if (known === undefined) {
      const file = fileSystem.open(path, 'read')
      checkSegment(file, name, number, databaseId)
      return new ValueFile(file)
    }
    const expected = { ...known, number, databaseId }
    if (known.role === 'stream') {
      const stream = openStream(fileSystem, path, name, expected)
      return new ValueFile(stream.file, undefined, stream)
    }
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
