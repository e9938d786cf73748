/**
 * A part of a value: of its record are read the head, the blocks of its table that tell of the part, and the chunks
 * that hold it. All of that is proved, and nothing else is looked at.
 *
 *   record   head root block block block ... chunk chunk chunk chunk ...
 *            ---first read---        -----          =====part===
 *                                    second read    third read: whole chunks
 *
 * The steps say what is to be read, and do not care whether that is done at once or later. Until they have ended the
 * file must stay open, and the record where it is.
 */
import { giveBuffer, takeBuffer } from '../../lib/base/buffer-pool.ts'
import { CorruptionError } from '../../lib/base/errors.ts'
import { segmentName } from '../../lib/base/files/file-names.ts'
import type { File } from '../../lib/base/files/file-system.ts'
import { OPTION_BYTES_MAX } from '../../lib/base/record-size.ts'
import {
  firstPieceSum,
  pointedHeader,
  RECORD_KEY_BYTES_MAX,
  type RecordHeader,
  type RecordPointer,
  recordHeadBytes,
  valueMismatch,
} from '../record.ts'
import {
  BLOCK_BYTES,
  BLOCK_CHUNKS,
  blockCount,
  blockLength,
  blockOffset,
  blockSum,
  ChunkList,
  CODEC_NONE,
  rootBytes,
  tableBytes,
  VALUE_CHUNK_BYTES,
  type ValuePart,
  wrongRoot,
} from '../value-chunks.ts'
import { SlabAllocator } from './slab.ts'

/** Reads a part at once. @throws as {@link partSteps}, and IoError */
export function readPart(file: File, request: RecordPointer, part: ValuePart): Buffer {
  const steps = partSteps(request, part)
  let step = steps.next(0)
  while (!step.done) {
    const { bytes, at, length, offset } = step.value
    step = steps.next(file.read(bytes, at, length, offset))
  }
  return step.value
}

/** The same through the thread pool, in up to three reads and more for a part of many MiB. */
export async function readPartLater(
  file: File,
  request: RecordPointer,
  part: ValuePart,
): Promise<Buffer> {
  const steps = partSteps(request, part)
  let step = steps.next(0)
  while (!step.done) {
    const { bytes, at, length, offset } = step.value
    step = steps.next(await file.readAsync(bytes, at, length, offset))
  }
  return step.value
}

/** A read that a step wants done: `length` bytes of the file from `offset` on, in `bytes` from `at` on. */
interface PartRead {
  readonly bytes: Uint8Array
  readonly at: number
  readonly length: number
  readonly offset: number
}

/** Yields reads, is told how many bytes each has got, and ends with the part. */
type PartSteps = Generator<PartRead, Buffer, number>

/** A part of so few chunks is read in one go and copied; of more, whole chunks are read to where they belong. */
const COPIED_CHUNKS_MAX = 4
/** What is read in one go then: 16 chunks. */
const RUN_BYTES: number = 16 * VALUE_CHUNK_BYTES

/** The memory that steps work in: what was read first, a block, chunks of which only a part is wanted. */
const FRONT_BYTES: number =
  recordHeadBytes(RECORD_KEY_BYTES_MAX) + OPTION_BYTES_MAX + VALUE_CHUNK_BYTES
const CHUNKS_AT: number = FRONT_BYTES + BLOCK_BYTES
const WORK_BYTES: number = CHUNKS_AT + COPIED_CHUNKS_MAX * VALUE_CHUNK_BYTES

const slabs = new SlabAllocator()

/**
 * The steps that read a part of the value of a record; cut at the end of the value, empty behind it.
 * @throws CorruptionError if what is read is not what was asked for, WISC_FORMAT_VERSION, WISC_CODEC_UNAVAILABLE
 */
function* partSteps(request: RecordPointer, part: ValuePart): PartSteps {
  const work = takeBuffer(WORK_BYTES)
  try {
    const record = new PartRecord(request, work)
    const header = yield* record.headSteps()
    const from = Math.min(part.offset, header.rawLength)
    const to = Math.min(from + part.length, header.rawLength)
    const memory = slabs.allocate(to - from)
    const target = memory.subarray(slabs.start, slabs.start + to - from)
    let chunk = Math.floor(from / VALUE_CHUNK_BYTES)
    const end = from === to ? chunk : Math.ceil(to / VALUE_CHUNK_BYTES)
    while (chunk < end) {
      const chunks = yield* record.blockSteps(Math.floor(chunk / BLOCK_CHUNKS))
      const blockEnd = Math.min(end, chunks.end)
      while (chunk < blockEnd) {
        chunk = yield* record.copySteps(chunks, chunk, blockEnd, { target, from, to })
      }
    }
    return target
  } finally {
    giveBuffer(work)
  }
}

/** Bytes from .. to of a value, and where they go. */
interface Wanted {
  readonly target: Uint8Array
  readonly from: number
  readonly to: number
}

class PartRecord {
  readonly #request: RecordPointer
  readonly #work: Uint8Array
  /** So much of the record is in the memory, from its beginning on. */
  #frontBytes = 0
  #header!: RecordHeader // set by headSteps, which comes first

  constructor(request: RecordPointer, work: Uint8Array) {
    this.#request = request
    this.#work = work
  }

  /** Reads the head, and with it all of a record of one chunk, or what is likely to tell of the chunks. */
  *headSteps(): Generator<PartRead, RecordHeader, number> {
    const { keyStart, keyEnd, length } = this.#request
    const headMax = recordHeadBytes(keyEnd - keyStart) + OPTION_BYTES_MAX
    const isShort = length <= headMax + VALUE_CHUNK_BYTES
    this.#frontBytes = isShort ? length : headMax + BLOCK_BYTES
    yield* this.#read(this.#work, 0, this.#frontBytes, 0)
    const header = pointedHeader(this.#work, 0, this.#frontBytes, this.#request)
    if (typeof header === 'string') throw this.#damage(header)
    this.#header = header
    return header
  }

  /** What is known of the chunks of a block. */
  *blockSteps(block: number): Generator<PartRead, ChunkList, number> {
    const header = this.#header
    const { rawLength, headBytes } = header
    const first = firstPieceSum(this.#work, 0)
    const blocks = blockCount(rawLength)
    if (blocks === 0) return ChunkList.ofOne(header, first)
    let sum = first
    if (blocks > 1) {
      const length = rootBytes(rawLength)
      const root = length <= BLOCK_BYTES ? this.#work : new Uint8Array(length)
      const at = yield* this.#bring(root, headBytes, length)
      const bytes = root.subarray(at, at + length)
      const bad = wrongRoot(header, first, bytes)
      if (bad !== undefined) throw this.#damage(bad)
      sum = blockSum(bytes, block)
    }
    const length = blockLength(rawLength, block)
    const at = yield* this.#bring(this.#work, headBytes + blockOffset(rawLength, block), length)
    const chunks = ChunkList.ofBlock(header, block, sum, this.#work.subarray(at, at + length))
    if (typeof chunks === 'string') throw this.#damage(chunks)
    return chunks
  }

  /**
   * Copies what is wanted of some chunks, from `chunk` on, to where it belongs.
   * @returns the first chunk that is left
   */
  *copySteps(
    chunks: ChunkList,
    chunk: number,
    end: number,
    { target, from, to }: Wanted,
  ): Generator<PartRead, number, number> {
    const { codec, headBytes, rawLength } = this.#header
    const place = headBytes + tableBytes(rawLength) + chunks.start(chunk)
    const start = chunk * VALUE_CHUNK_BYTES
    // Up to here chunks are wanted whole, and can be read to where they belong.
    const wholeEnd = to === rawLength ? end : Math.min(end, Math.floor(to / VALUE_CHUNK_BYTES))
    if (codec === CODEC_NONE && end - chunk > COPIED_CHUNKS_MAX && start >= from) {
      const runEnd = Math.min(wholeEnd, chunks.runEnd(chunk, RUN_BYTES))
      yield* this.#read(target, start - from, chunks.start(runEnd) - chunks.start(chunk), place)
      this.#prove(chunks, chunk, runEnd, target, start - from)
      return runEnd
    }
    const isFew = end - chunk <= COPIED_CHUNKS_MAX
    const runEnd = isFew ? end : chunk + 1
    const at = yield* this.#bring(
      this.#work,
      place,
      chunks.start(runEnd) - chunks.start(chunk),
      CHUNKS_AT,
    )
    this.#prove(chunks, chunk, runEnd, this.#work, at)
    const skip = Math.max(0, from - start)
    const rawEnd = Math.min(to, runEnd * VALUE_CHUNK_BYTES)
    target.set(this.#work.subarray(at + skip, at + rawEnd - start), start + skip - from)
    return runEnd
  }

  #prove(chunks: ChunkList, from: number, end: number, bytes: Uint8Array, at: number): void {
    const wrong = chunks.wrong(from, end, bytes, at)
    if (wrong >= 0) throw this.#damage(valueMismatch(wrong))
  }

  /** @returns where in `bytes` `length` bytes of the record lie, from `from` on: read if they are not there yet */
  *#bring(
    bytes: Uint8Array,
    from: number,
    length: number,
    readTo: number = FRONT_BYTES,
  ): Generator<PartRead, number, number> {
    if (bytes === this.#work && from + length <= this.#frontBytes) return from
    const at = bytes === this.#work ? readTo : 0
    yield* this.#read(bytes, at, length, from)
    return at
  }

  *#read(
    bytes: Uint8Array,
    at: number,
    length: number,
    from: number,
  ): Generator<PartRead, void, number> {
    const got = yield { bytes, at, length, offset: this.#request.offset + from }
    if (got < length) throw this.#damage('segment ends before the record')
  }

  #damage(reason: string): CorruptionError {
    const { segment, offset } = this.#request
    return new CorruptionError(segmentName(segment), offset, reason)
  }
}
