/**
 * A value as a web stream of bytes: parts of it, one after the other, each proved when it is read.
 *
 * From one part to the next nothing is kept but a sequence, which stays readable: so the value may be overwritten,
 * deleted and moved meanwhile, and a reader that is slow holds no descriptor. The thread pool reads one part ahead.
 *
 * What is given out is its reader's: fresh memory for each part. Who brings buffers of its own gets copies, and the
 * memory of parts is used again.
 */

import type {
  ReadableByteStreamController,
  ReadableStream,
  UnderlyingByteSource,
} from 'node:stream/web'
import type { ValuePart } from '../../vlog/value-chunks.ts'
import { onAbort } from '../base/abort.ts'
import { copyBytes } from '../base/bytes.ts'
import { toWiscError, WiscError } from '../base/errors.ts'
import { keyBytes, throwIfAborted } from '../contract/arguments.ts'
import { resolveGetStream } from '../contract/stream-options.ts'
import type { GetStreamOptions, Key, ValueStat } from '../contract/types.ts'
import { type Hold, momentOf } from '../reads/hold.ts'
import type { PointReads } from '../reads/point-reads.ts'
import { staleView } from '../reads/read-again.ts'
import type { IteratorParts, Listing } from './iterator.ts'
import type { StoreReaders } from './store-readers.ts'

/** A MiB of whole chunks, so that none is read and proved twice. */
const PART_BYTES = 1024 * 1024
/** A part that is no longer shares its memory with others, and a stream gives memory away. */
const SHARED_BYTES_MAX = 65536

/** What a stream reads, from when it has begun. */
interface StreamedValue {
  /** Keeps the value readable until the stream has ended, well or not. */
  readonly hold: Hold
  /** The first byte that is read, and the one behind the last. */
  readonly from: number
  readonly to: number
  /**
   * @param memory where the part may go
   * @throws if it cannot be read any more
   */
  read(part: ValuePart, memory: Buffer | undefined): Promise<Buffer>
}

/** @returns undefined if the key has no value */
export function readStream(
  reads: PointReads,
  readers: StoreReaders,
  given: Key,
  options: GetStreamOptions | undefined,
): ReadableStream<Uint8Array> | undefined {
  const key = copyBytes(keyBytes(given))
  const { at, part, signal } = resolveGetStream(options)
  throwIfAborted(signal)
  if (!at) readers.catchUp()
  const moment = momentOf(at) ?? readers.moment
  const found = reads.stat(key, at, moment)
  if (found === undefined) return undefined
  const view = readers.stream(readers.viewOf(at?.snapshot), readers.sequence(at), moment, signal)
  const parts = new PartSource(() => streamedValue(reads, view, key, found, part), signal)
  const stream = streamOf(parts)
  parts.begin()
  return stream
}

const WHOLE: ValuePart = { offset: 0, length: Number.MAX_SAFE_INTEGER }

/**
 * The stream of a value that an iterator has come to. It begins, at the sequence of the iterator, when it is first
 * read; until then it holds nothing, so that a listing of which nobody reads the streams costs what one of keys does.
 */
export function listedStream(
  reads: PointReads,
  readers: StoreReaders,
  key: Buffer,
  listing: Listing,
): ReadableStream<Uint8Array> {
  const { signal } = listing
  const begin = (): StreamedValue => {
    throwIfAborted(signal)
    const { hold, engine } = listing.parts
    if (hold.isOver) throw notBegun()
    try {
      const { sequence } = listing.parts
      const { moment } = hold
      const found = reads.statAt(engine, key, sequence, moment)
      if (found === undefined) throw staleView()
      const view = readers.stream(engine, sequence, moment, signal)
      return streamedValue(reads, view, key, found, WHOLE)
    } catch (error) {
      throw engine.viewFailure(error)
    }
  }
  return streamOf(new PartSource(begin, signal))
}

function notBegun(): WiscError {
  const reason = 'its iterator was closed, or had come to its end, before the stream was read'
  return new WiscError('WISC_NOT_OPEN', reason)
}

function streamedValue(
  reads: PointReads,
  view: IteratorParts,
  key: Uint8Array,
  { size, sequence }: ValueStat,
  { offset, length }: ValuePart,
): StreamedValue {
  const from = Math.min(offset, size)
  const read = async (part: ValuePart, memory: Buffer | undefined): Promise<Buffer> => {
    try {
      // Asked for each part: it throws when the store is closed, or the view too old.
      const seenAt = view.sequence
      const entry = { key, sequence, seenAt, moment: view.hold.moment }
      return await reads.part(view.engine, entry, part, memory)
    } catch (error) {
      throw view.engine.viewFailure(error)
    }
  }
  return { hold: view.hold, from, to: Math.min(size, from + length), read }
}

function streamOf(parts: PartSource): ReadableStream<Uint8Array> {
  return new globalThis.ReadableStream(parts as UnderlyingByteSource, { highWaterMark: 0 })
}

class PartSource implements UnderlyingByteSource {
  readonly type = 'bytes'
  readonly #signal: AbortSignal | undefined
  /** Undefined when it has begun. */
  #open: (() => StreamedValue) | undefined
  /** Undefined until it has begun. */
  #value: StreamedValue | undefined
  #isOver = false
  #controller: ReadableByteStreamController | undefined
  #stopListening: (() => void) | undefined
  /** Where the next part begins. */
  #at = 0
  #next: Promise<Buffer> | undefined
  /** What is left of a part of which a smaller buffer of the reader's took some. */
  #rest: Buffer | undefined
  /** That of a part which was copied: the next one goes there. */
  #memory: Buffer | undefined

  constructor(open: () => StreamedValue, signal: AbortSignal | undefined) {
    this.#open = open
    this.#signal = signal
  }

  start(controller: ReadableByteStreamController): void {
    this.#controller = controller
  }

  /** From now on it holds what it reads. Ends a stream without bytes. @throws what `open` throws */
  begin(): StreamedValue {
    if (this.#value) return this.#value
    const value = this.#open!()
    this.#open = undefined
    this.#value = value
    this.#at = value.from
    value.hold.belongsTo(this)
    if (this.#signal) this.#endWith(this.#signal)
    if (value.from === value.to) this.#end(this.#controller!)
    return value
  }

  /** A signal may live as long as its process: it must not keep a stream that was forgotten. */
  #endWith(signal: AbortSignal): void {
    const weak = new WeakRef(this)
    this.#stopListening = onAbort(signal, () => {
      const error = new WiscError('WISC_ABORTED', 'the read was aborted', { cause: signal.reason })
      const source = weak.deref()
      if (source) source.#fail(error)
    })
  }

  async pull(controller: ReadableByteStreamController): Promise<void> {
    try {
      const value = this.begin()
      if (this.#isOver) return
      const part = this.#rest ?? (await this.#nextPart(value))
      // It has failed or was cancelled meanwhile.
      if (this.#isOver) return
      this.#give(controller, part)
      if (this.#next === undefined && this.#rest === undefined) this.#end(controller)
    } catch (error) {
      if (!this.#isOver) this.#fail(toWiscError(error))
    }
  }

  cancel(): void {
    this.#release()
  }

  /** The part behind it is read while this one is looked at. */
  async #nextPart(value: StreamedValue): Promise<Buffer> {
    const part = await (this.#next ?? this.#read(value))
    this.#next = this.#at < value.to && !this.#isOver ? this.#read(value) : undefined
    return part
  }

  #read(value: StreamedValue): Promise<Buffer> {
    const offset = this.#at
    const { to } = value
    const end = Math.min(to, offset - (offset % PART_BYTES) + PART_BYTES)
    this.#at = end
    const reading = value.read({ offset, length: end - offset }, this.#memory)
    this.#memory = undefined
    // Heard of when it is asked for.
    reading.catch(ended)
    return reading
  }

  #give(controller: ReadableByteStreamController, part: Buffer): void {
    const request = controller.byobRequest
    const view = request?.view
    if (!request || !view) {
      this.#rest = undefined
      controller.enqueue(part.length <= SHARED_BYTES_MAX ? new Uint8Array(part) : part)
      return
    }
    const count = Math.min(view.byteLength, part.length)
    const target = new Uint8Array(view.buffer, view.byteOffset, count)
    target.set(part.subarray(0, count))
    this.#rest = count < part.length ? part.subarray(count) : undefined
    // Parts that are shorter may share theirs with other values.
    if (!this.#rest && part.buffer.byteLength === PART_BYTES)
      this.#memory = Buffer.from(part.buffer)
    request.respond(count)
  }

  #end(controller: ReadableByteStreamController): void {
    this.#release()
    controller.close()
    // Who waits with a buffer gets it back.
    controller.byobRequest?.respond(0)
  }

  #fail(error: WiscError): void {
    this.#release()
    this.#controller?.error(error)
  }

  #release(): void {
    this.#isOver = true
    this.#stopListening?.()
    this.#stopListening = undefined
    this.#rest = undefined
    this.#memory = undefined
    this.#next = undefined
    this.#open = undefined
    this.#value?.hold.release()
  }
}

function ended(): void {}
