/**
 * The way of one write through its sources: what the next system call takes, and what is left after it.
 *
 * A call takes at most 1024 sources (IOV_MAX) and 1 GiB (the platform's limit is 2^31 - 1 bytes), and the
 * platform may write less than it was given without an error.
 */
import { assert } from '../errors.ts'

export const CALL_BYTES_MAX: number = 2 ** 30
export const CALL_SOURCES_MAX = 1024

export class WriteCursor {
  readonly #sources: readonly Uint8Array[]
  #index = 0
  /** Bytes of the source at `#index` that are written. */
  #offset = 0
  /** Where in the file the next byte goes. */
  position: number

  constructor(sources: readonly Uint8Array[], position: number) {
    this.#sources = sources
    this.position = position
    this.#skipWritten()
  }

  get done(): boolean {
    return this.#index === this.#sources.length
  }

  /** The sources of the next call: never empty, none of them empty. */
  next(): readonly Uint8Array[] {
    const sources = this.#sources
    if (this.#offset === 0 && fitsOneCall(sources, this.#index)) {
      return this.#index === 0 ? sources : sources.slice(this.#index)
    }
    const call: Uint8Array[] = []
    let left = CALL_BYTES_MAX
    let offset = this.#offset
    for (
      let i = this.#index;
      i < sources.length && call.length < CALL_SOURCES_MAX && left > 0;
      i++
    ) {
      const source = sources[i]!
      const length = Math.min(source.length - offset, left)
      if (length > 0) call.push(source.subarray(offset, offset + length))
      left -= length
      offset = 0
    }
    return call
  }

  /** Takes note of what a call has written. */
  advance(count: number): void {
    this.position += count
    this.#offset += count
    this.#skipWritten()
  }

  #skipWritten(): void {
    const sources = this.#sources
    while (this.#index < sources.length && this.#offset >= sources[this.#index]!.length) {
      this.#offset -= sources[this.#index]!.length
      this.#index++
    }
    assert(this.#index < sources.length || this.#offset === 0, 'nothing written beyond the sources')
  }
}

function fitsOneCall(sources: readonly Uint8Array[], index: number): boolean {
  if (sources.length - index > CALL_SOURCES_MAX) return false
  let bytes = 0
  for (let i = index; i < sources.length; i++) bytes += sources[i]!.length
  return bytes <= CALL_BYTES_MAX
}
