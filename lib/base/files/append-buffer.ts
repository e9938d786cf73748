/** Appends to a new file in large writes from one buffer, which grows with what is written. */
import type { File } from './file-system.ts'

const BUFFER_BYTES_AT_FIRST = 8 * 1024
const BUFFER_BYTES_MAX = 256 * 1024

export class AppendBuffer {
  readonly #file: File
  #buffer: Uint8Array = new Uint8Array(BUFFER_BYTES_AT_FIRST)
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
    if (length > BUFFER_BYTES_MAX - this.#filled) this.flush()
    if (length > BUFFER_BYTES_MAX) {
      this.#file.write(source, start, length, this.#written)
      this.#written += length
      return
    }
    if (this.#filled + length > this.#buffer.length) this.#grow(this.#filled + length)
    if (start === 0 && end === source.length) this.#buffer.set(source, this.#filled)
    else this.#buffer.set(source.subarray(start, end), this.#filled)
    this.#filled += length
  }

  #grow(needed: number): void {
    const bytes = Math.min(Math.max(needed, 2 * this.#buffer.length), BUFFER_BYTES_MAX)
    const grown = new Uint8Array(bytes)
    grown.set(this.#buffer.subarray(0, this.#filled))
    this.#buffer = grown
  }

  /** Writes what is still in the buffer. */
  flush(): void {
    if (this.#filled === 0) return
    this.#file.write(this.#buffer, 0, this.#filled, this.#written)
    this.#written += this.#filled
    this.#filled = 0
  }
}
