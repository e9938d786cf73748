/** Appends to a new file in large writes from one buffer. */
import type { File } from './file-system.ts'

const BUFFER_BYTES = 256 * 1024

export class AppendBuffer {
  readonly #file: File
  readonly #buffer: Uint8Array = new Uint8Array(BUFFER_BYTES)
  #filled = 0
  #written = 0

  /** @param file a new, empty file; closed and synced by its owner */
  constructor(file: File) {
    this.#file = file
  }

  /** Bytes appended so far: the offset of what comes next. */
  get length(): number {
    return this.#written + this.#filled
  }

  append(source: Uint8Array, start: number, end: number): void {
    const length = end - start
    if (length > BUFFER_BYTES - this.#filled) this.flush()
    if (length > BUFFER_BYTES) {
      this.#file.write(source, start, length, this.#written)
      this.#written += length
      return
    }
    if (start === 0 && end === source.length) this.#buffer.set(source, this.#filled)
    else this.#buffer.set(source.subarray(start, end), this.#filled)
    this.#filled += length
  }

  /** Writes what is still in the buffer. */
  flush(): void {
    if (this.#filled === 0) return
    this.#file.write(this.#buffer, 0, this.#filled, this.#written)
    this.#written += this.#filled
    this.#filled = 0
  }
}
