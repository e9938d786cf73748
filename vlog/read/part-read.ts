/** The read of a part of a value of several chunks: of a record, or of the file of a stream. */
import type { StreamReader } from '../stream/stream-reader.ts'
import type { ValuePart } from '../value-chunks.ts'
import { checkStream } from './stream-requests.ts'
import type { ValueFile } from './value-file.ts'
import { PartPlan } from './value-parts.ts'
import type { PlacedRequest } from './value-requests.ts'

export class PartRead {
  /** Bytes that it reads, about. */
  readonly length: number
  readonly #file: ValueFile
  readonly #part: ValuePart
  /** Of a record. */
  readonly #plan: PartPlan | undefined

  /** What tells of the chunks is read at once. @throws as {@link PartPlan} */
  constructor(file: ValueFile, request: PlacedRequest, part: ValuePart) {
    this.#file = file
    this.#part = part
    if (file.stream) checkStream(file.stream, request)
    else this.#plan = new PartPlan(file.file, request, part)
    this.length = this.#plan?.length ?? Math.min(part.length, request.length)
  }

  /** The part, read at once. @throws CorruptionError, IoError */
  now(): Buffer {
    return this.#plan?.read(this.#file.file) ?? this.#stream.read(this.#part)
  }

  /**
   * The same through the thread pool.
   * @param memory where whole chunks may go, if there is room for them: nobody else may use it until the read has ended
   */
  later(memory?: Buffer): Promise<Buffer> {
    const { file } = this.#file
    return this.#plan?.readLater(file, memory) ?? this.#stream.readAsync(this.#part, memory)
  }

  get #stream(): StreamReader {
    return this.#file.stream!
  }
}
