/**
 * Reads values through their pointers: one positioned read of the whole record, everything checked.
 *
 * A synchronous read of 4 KiB from the page cache costs 1.3 us, through the thread pool 30 us or more. So
 * `readSoon` reads at once while that is fast. When several reads of a file turn out slow (its pages are cold) the
 * next ones of that file go to the pool, then one is tried again. Values above 1 MiB always go there.
 *
 * A pointer names a segment as it was written. If the collector has moved what survives of it, the request is
 * turned into one for the place where the record lies now, before anything else is done with it.
 */

import { assert, CorruptionError } from '../../lib/base/errors.ts'
import type { BlockCache } from '../../lib/base/files/block-cache.ts'
import { segmentName } from '../../lib/base/files/file-names.ts'
import type { File, ReadHelper } from '../../lib/base/files/file-system.ts'
import { OpenCache } from '../../lib/base/files/open-cache.ts'
import type { StoreDirectory } from '../../lib/base/files/store-directory.ts'
import type { FileNumber } from '../../lib/base/ids.ts'
import { OPTION_BYTES_MAX } from '../../lib/base/record-size.ts'
import { type RecordHeader, recordHeadBytes } from '../record.ts'
import { pointedHeader } from '../record-pointer.ts'
import type { ValuePart } from '../value-chunks.ts'
import { groupNeighbours, type Neighbours } from './neighbours.ts'
import { PartRead } from './part-read.ts'
import { damaged, provedValue } from './proved-value.ts'
import { ReadsBeside } from './reads-beside.ts'
import { SLAB_BYTES, SlabAllocator } from './slab.ts'
import { checkWhole, streamHeader, wholeStream } from './stream-requests.ts'
import { openValueFile, type Relocations, ValueFile } from './value-file.ts'
import {
  copyRequest,
  inItsFile,
  type PlacedRequest,
  type PlacedRequests,
  type ValueRequest,
} from './value-requests.ts'

/** Longer records are read in the pool, so that the event loop is not held up. */
export const SYNC_READ_BYTES_MAX: number = 1024 * 1024 + 65536
/** What is no longer is not worth a trip through the pool. */
const SMALL_PART_BYTES = 65536
/** So many reads at once are worth waking somebody for. */
const HELPED_RUNS_MIN = 24

export type { ValueRequest } from './value-requests.ts'

export class ValueReader {
  readonly #files: OpenCache<ValueFile>
  readonly #relocations: Relocations
  readonly #cache: BlockCache
  readonly #helper: ReadHelper | undefined
  readonly #slabs: SlabAllocator = new SlabAllocator()
  readonly #beside: ReadsBeside

  /**
   * @param capacity how many files may be open at a time (I10), but for those that are written
   * @param cache for the indexes of relocations, and the tables of chunks of large values
   */
  constructor(
    context: StoreDirectory,
    capacity: number,
    relocations: Relocations,
    cache: BlockCache,
  ) {
    this.#relocations = relocations
    this.#cache = cache
    this.#helper = context.fileSystem.readHelper
    // Most are for the cache.
    const besideMax = Math.max(1, capacity >> 2)
    this.#beside = new ReadsBeside(besideMax)
    this.#files = new OpenCache(
      capacity - besideMax,
      (number) => openValueFile(context, relocations, number),
      (file) => this.#beside.pushOut(file),
    ).shares()
  }

  get openFiles(): number {
    return this.#files.size + this.#beside.lateFiles
  }

  /** Resolves when no read that the thread pool has now is under way any more: what it reads may be a hole then. */
  async poolReadsEnded(): Promise<void> {
    await this.#beside.ended()
  }

  /** The request for the place where the record lies now. */
  #locate(request: ValueRequest): PlacedRequest {
    if (this.#relocations.count === 0) return inItsFile(request)
    const { segment, offset } = request
    const holder = this.#relocations.holderOf(segment)
    if (holder === undefined) return inItsFile(request)
    const place = this.#files.get(holder).relocation!.locate(segment, offset, this.#cache)
    if (place < 0) {
      const reason = `relocation holds no record of segment ${segment} at ${offset}`
      throw new CorruptionError(segmentName(holder), 0, reason)
    }
    const { keyBytes, keyStart, keyEnd, sequence, length } = request
    return { keyBytes, keyStart, keyEnd, sequence, segment: holder, offset: place, length }
  }

  /** The key of a stream of the current version. @throws CorruptionError, WISC_FORMAT_VERSION, IoError */
  streamKey(number: FileNumber): Uint8Array {
    const { stream } = this.#files.get(number)
    assert(stream !== undefined, 'the file is a stream')
    return stream.key
  }

  /** A segment that is being written is read through its writer's file, which must stay open. */
  adopt(number: FileNumber, file: File): void {
    this.#files.adopt(number, new ValueFile(file), true)
  }

  release(number: FileNumber): void {
    this.#files.unpin(number)
  }

  drop(number: FileNumber): void {
    this.#files.drop(number)
  }

  keepOnly(isKept: (number: FileNumber) => boolean): void {
    this.#files.keepOnly(isKept)
  }

  close(): void {
    this.#files.closeAll()
  }

  /**
   * The value, read at once. It belongs to the caller; a small one shares its memory with others.
   * @throws CorruptionError if the record is not exactly the one that was asked for
   */
  read(request: ValueRequest): Buffer {
    const located = this.#locate(request)
    return this.#readFrom(this.#files.get(located.segment), located)
  }

  #readFrom(reader: ValueFile, request: ValueRequest): Buffer {
    if (reader.stream !== undefined) return wholeStream(reader.stream, request)
    const { offset, length } = request
    const slabs = this.#slabs
    const bytes = slabs.allocate(length)
    const at = slabs.start
    const got = reader.file.read(bytes, at, length, offset)
    return provedValue(request, bytes, at, got)
  }

  /**
   * The header of a record, without reading the value.
   * @throws CorruptionError if it is not exactly the one that was asked for
   */
  readHead(asked: ValueRequest): RecordHeader {
    const request = this.#locate(asked)
    const file = this.#files.get(request.segment)
    if (file.stream !== undefined) return streamHeader(file.stream, request)
    const { keyStart, keyEnd, offset, length } = request
    const wanted = Math.min(length, recordHeadBytes(keyEnd - keyStart) + OPTION_BYTES_MAX)
    const bytes = Buffer.allocUnsafeSlow(wanted)
    const got = file.file.read(bytes, 0, wanted, offset)
    const header = pointedHeader(bytes, 0, got, request)
    if (typeof header === 'string') throw damaged(request, header)
    return header
  }

  /** The value, read at once if that is likely to be fast, else through the thread pool. */
  readSoon(asked: ValueRequest): Buffer | Promise<Buffer> {
    return this.#readSoon(this.#locate(asked))
  }

  #readSoon(request: PlacedRequest): Buffer | Promise<Buffer> {
    const file = this.#files.get(request.segment)
    if (this.#goesToPool(file, request.length)) return this.#readLater(file, request)
    if (file.untimed > 0) {
      file.untimed--
      return this.#readFrom(file, request)
    }
    const before = performance.now()
    const result = this.#readFrom(file, request)
    file.note(performance.now() - before)
    return result
  }

  /** Counts the read as one of the pool's. */
  #goesToPool(file: ValueFile, length: number): boolean {
    const isLong = length > SYNC_READ_BYTES_MAX
    if (file.poolReads === 0 && !isLong) return false
    if (!this.#beside.mayRead(file)) return false
    if (!isLong) file.poolReads--
    return true
  }

  #readLater(file: ValueFile, request: ValueRequest): Promise<Buffer> {
    const { offset, length } = request
    const { stream } = file
    if (stream !== undefined) {
      checkWhole(stream, request)
      return this.#later(file, stream.readAsync({ offset: 0, length: stream.size }))
    }
    // A copy: the caller uses the request again for its next lookup.
    const asked = copyRequest(request)
    const bytes = this.#slabs.allocate(length)
    const at = this.#slabs.start
    const reading = this.#later(file, file.file.readAsync(bytes, at, length, offset))
    return reading.then((got) => provedValue(asked, bytes, at, got))
  }

  /** A part of a value, read at once. @throws as {@link read} */
  readPart(asked: ValueRequest, part: ValuePart): Buffer {
    const request = this.#locate(asked)
    return new PartRead(this.#files.get(request.segment), request, part, this.#cache).now()
  }

  /** The same, read at once if that is likely to be fast, else through the thread pool. */
  readPartSoon(asked: ValueRequest, part: ValuePart): Buffer | Promise<Buffer> {
    const request = this.#locate(asked)
    const file = this.#files.get(request.segment)
    const read = new PartRead(file, request, part, this.#cache)
    if (this.#goesToPool(file, read.length)) return this.#later(file, read.later())
    const before = performance.now()
    const result = read.now()
    file.note(performance.now() - before)
    return result
  }

  /**
   * A part that somebody wants soon, and not yet: the thread pool reads it meanwhile.
   * @param memory where it may go: nobody else may use it until the read has ended
   */
  readPartAhead(
    asked: ValueRequest,
    part: ValuePart,
    memory: Buffer | undefined,
  ): Buffer | Promise<Buffer> {
    const request = this.#locate(asked)
    const file = this.#files.get(request.segment)
    const read = new PartRead(file, request, part, this.#cache)
    const isSmall = read.length <= SMALL_PART_BYTES
    return isSmall || !this.#beside.mayRead(file)
      ? read.now()
      : this.#later(file, read.later(memory))
  }

  #later<T>(file: ValueFile, reading: Promise<T>): Promise<T> {
    this.#beside.count(file, reading)
    return reading
  }

  /**
   * Many values at once, in the order of their places: neighbours are read in one go, cold ones in parallel.
   * @param values gets the value of requests[i] at i; entries without a request (undefined) are left alone
   * @returns undefined if all is done, else a promise
   * @throws (or rejects with) CorruptionError, IoError
   */
  readMany(
    requests: readonly (ValueRequest | undefined)[],
    values: (Buffer | undefined)[],
  ): Promise<void> | undefined {
    const pending: Promise<void>[] = []
    try {
      this.#readAll(this.#locateAll(requests), values, pending)
    } catch (error) {
      if (pending.length === 0) throw error
      // Their own failures must not go unheard: this one counts.
      return Promise.allSettled(pending).then(() => Promise.reject(error))
    }
    return pending.length === 0 ? undefined : Promise.all(pending).then(() => undefined)
  }

  #locateAll(requests: readonly (ValueRequest | undefined)[]): PlacedRequests {
    if (this.#relocations.count === 0) return requests as PlacedRequests
    return requests.map((request) => request && this.#locate(request))
  }

  /** Reads at once what is likely to be fast; what the thread pool reads is added to `pending`. */
  #readAll(
    requests: PlacedRequests,
    values: (Buffer | undefined)[],
    pending: Promise<void>[],
  ): void {
    const runs = groupNeighbours(requests)
    const helper = runs.length >= HELPED_RUNS_MIN ? this.#helper : undefined
    if (helper) this.#readHelped(helper, runs, requests, values, pending)
    else for (const run of runs) this.#readRun(run, requests, values, pending)
  }

  /** The same; if there is help, somebody reads from the last run on. */
  #readHelped(
    helper: ReadHelper,
    runs: readonly Neighbours[],
    requests: PlacedRequests,
    values: (Buffer | undefined)[],
    pending: Promise<void>[],
  ): void {
    const pinned: ValueFile[] = []
    let done = 0
    try {
      const places = helper.begin() ? this.#offer(helper, runs, pinned) : undefined
      for (const [i, run] of runs.entries()) {
        const place = places === undefined ? -1 : places[i]!
        if (place >= 0 && helper.wasRead(place)) {
          const { bytes, start } = this.#allocate(run)
          helper.take(place, bytes, start)
          cut(run, requests, bytes, start, run.length, values)
        } else this.#readRun(run, requests, values, pending)
      }
      // What waits for the disk says nothing of help.
      if (pending.length === 0) done = runs.length
    } finally {
      helper.end(done)
      for (const file of pinned) this.#beside.unpin(file)
    }
  }

  /** Offers what is likely to be fast. @returns the place of each run, or -1; its file is added to `pinned` */
  #offer(helper: ReadHelper, runs: readonly Neighbours[], pinned: ValueFile[]): number[] {
    let file: ValueFile | undefined
    let segment = -1
    const places = runs.map((run) => {
      if (run.length > SLAB_BYTES) return -1
      if (run.segment !== segment) {
        segment = run.segment
        file = this.#pinIfWarm(segment)
        if (file) pinned.push(file)
      }
      return file ? helper.offer(file.file, run.length, run.offset) : -1
    })
    helper.share()
    return places
  }

  #pinIfWarm(segment: FileNumber): ValueFile | undefined {
    const file = this.#files.get(segment)
    const isHelped = file.poolReads === 0 && file.stream === undefined
    if (!isHelped || !this.#beside.mayRead(file)) return undefined
    this.#beside.pin(file)
    return file
  }

  #allocate({ indexes, length }: Neighbours): { bytes: Buffer; start: number } {
    const slabs = this.#slabs
    const bytes = indexes.length === 1 ? slabs.allocate(length) : slabs.allocateShared(length)
    return { bytes, start: slabs.start }
  }

  #readRun(
    run: Neighbours,
    requests: PlacedRequests,
    values: (Buffer | undefined)[],
    pending: Promise<void>[],
  ): void {
    if (run.indexes.length > 1) {
      const later = this.#readNeighbours(run, requests, values)
      if (later !== undefined) pending.push(later)
      return
    }
    const index = run.indexes[0]!
    const set = (buffer: Buffer): void => {
      values[index] = buffer
    }
    const result = this.#readSoon(requests[index]!)
    if (result instanceof Promise) pending.push(result.then(set))
    else set(result)
  }

  #readNeighbours(
    run: Neighbours,
    requests: PlacedRequests,
    values: (Buffer | undefined)[],
  ): Promise<void> | undefined {
    const { segment, offset, length } = run
    const file = this.#files.get(segment)
    const { bytes, start } = this.#allocate(run)
    if (this.#goesToPool(file, length)) {
      const reading = this.#later(file, file.file.readAsync(bytes, start, length, offset))
      return reading.then((got) => cut(run, requests, bytes, start, got, values))
    }
    const before = performance.now()
    const got = file.file.read(bytes, start, length, offset)
    file.note(performance.now() - before)
    cut(run, requests, bytes, start, got, values)
    return undefined
  }
}

/** Proves the records of a run, of which `got` bytes lie at `start`. */
function cut(
  { indexes, offset }: Neighbours,
  requests: PlacedRequests,
  bytes: Buffer,
  start: number,
  got: number,
  values: (Buffer | undefined)[],
): void {
  for (const index of indexes) {
    const request = requests[index]!
    const at = request.offset - offset
    values[index] = provedValue(request, bytes, start + at, Math.max(0, got - at))
  }
}
