/** The read of a part of a value: of a record that is read whole, of a longer one, or of the file of a stream. */
import type { BlockCache } from '../../lib/base/files/block-cache.ts'
import type { ValuePart } from '../value-chunks.ts'
import { checkStream } from './stream-requests.ts'
import type { ValueFile } from './value-file.ts'
import {
  isShortRecord,
  PartPlan,
  readShortPart,
  readShortPartLater,
  readStreamPart,
} from './value-parts.ts'
import type { PlacedRequest } from './value-requests.ts'

export class PartRead {
  /** Bytes that it reads, about. */
  readonly length: number
  readonly #file: ValueFile
  readonly #request: PlacedRequest
  readonly #part: ValuePart
  /** Of a record that is not read whole. */
  readonly #plan: PartPlan | undefined

  /** What tells of the chunks is read at once. @throws as {@link PartPlan} */
  constructor(file: ValueFile, request: PlacedRequest, part: ValuePart, cache: BlockCache) {
    this.#file = file
    this.#request = request
    this.#part = part
    if (file.stream) checkStream(file.stream, request)
    else if (!isShortRecord(request))
      this.#plan = new PartPlan(file.file, file.frontOf(request, cache), request, part)
    this.length = this.#plan?.length ?? Math.min(part.length, request.length)
  }

  /** The part, read at once. @throws CorruptionError, IoError */
  now(): Buffer {
    const { file, stream } = this.#file
    if (this.#plan) return this.#plan.read(file)
    if (stream) return readStreamPart(stream, this.#part)
    return readShortPart(file, this.#request, this.#part)
  }

  /**
   * The same through the thread pool.
   * @param memory where whole chunks may go, if there is room for them: nobody else may use it until the read has ended
   */
  later(memory?: Buffer): Promise<Buffer> {
    const { file, stream } = this.#file
    if (this.#plan) return this.#plan.readLater(file, memory)
    if (stream) return stream.readAsync(this.#part, memory)
    return readShortPartLater(file, this.#request, this.#part)
  }
}
