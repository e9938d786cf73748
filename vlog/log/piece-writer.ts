/**
 * Writes a frame in the thread pool: values that lie in their callers' memory go through memory of ours.
 *
 *   callers' values: | value | value ...          |    copied, proved by the tables of their records, written
 *                            v
 *   two pieces:      | 1 MiB | 1 MiB |                 one is filled while the pool writes the other
 *
 * The pool reads while JavaScript runs, so a caller could change, shrink or give away the memory that it reads: bytes
 * would be stored that no checksum covers, or freed memory be read. So it only ever sees memory of the store. Pieces go
 * to the file in order: a frame whose value changed misses its end, and no crash can make it whole.
 */
import { lengthOf } from '../../lib/base/bytes.ts'
import { checksum } from '../../lib/base/checksum.ts'
import { WiscError } from '../../lib/base/errors.ts'
import type { File } from '../../lib/base/files/file-system.ts'
import { chunkSum, VALUE_CHUNK_BYTES } from '../value-chunks.ts'
import type { BorrowedValue } from './group.ts'

/** Two of them hold all values of a group of several batches, even if neither is filled to its last chunk. */
const PIECE_BYTES = 16 * VALUE_CHUNK_BYTES

/** A caller changed a value before it was written. */
export class ChangedValueError extends WiscError {
  constructor() {
    super('WISC_INVALID_ARGUMENT', 'a value changed while it was written')
  }
}

export class PieceWriter {
  readonly #pieces: Uint8Array[] = []
  /** The piece that is being filled, and how far it is. */
  #index = 0
  #filled = 0

  /**
   * Writes the sources of a group one after the other. Called in the turn in which the checksums were made.
   * @throws {ChangedValueError} or IoError, when nothing is being written any more
   */
  async write(
    file: File,
    sources: readonly Uint8Array[],
    borrowed: readonly BorrowedValue[],
    position: number,
  ): Promise<void> {
    // One write at a time: nobody reads what an earlier one has left.
    this.#filled = 0
    const writes = this.#writesOf(sources, borrowed)
    let at = position
    let writing: Promise<void> | undefined
    try {
      // No caller has run since the checksums were made, until something is awaited.
      let awaited = false
      for (let next = writes.next(false); !next.done; next = writes.next(awaited)) {
        if (writing) {
          await writing
          awaited = true
        }
        writing = file.writevAsync(next.value, at)
        for (const part of next.value) at += part.length
      }
    } finally {
      await writing
    }
  }

  /** What one write after the other takes, a piece each. Is told whether a caller may have run meanwhile. */
  *#writesOf(
    sources: readonly Uint8Array[],
    borrowed: readonly BorrowedValue[],
  ): Generator<Uint8Array[], void, boolean> {
    let parts: Uint8Array[] = []
    let prove = false
    let loans = 0
    for (const source of sources) {
      const loan = borrowed[loans]
      if (loan?.value !== source) {
        parts.push(source)
        continue
      }
      loans++
      for (let from = 0; from < loan.bytes; from += VALUE_CHUNK_BYTES) {
        const length = Math.min(VALUE_CHUNK_BYTES, loan.bytes - from)
        if (this.#filled + length > PIECE_BYTES) {
          prove = yield parts
          parts = []
          this.#index = 1 - this.#index
          this.#filled = 0
        }
        parts.push(this.#copy(loan, from, length, prove))
      }
    }
    if (parts.length > 0) yield parts
  }

  /** A copy of a chunk of a value, proved if its caller may have changed it. */
  #copy(
    { value, bytes, table }: BorrowedValue,
    from: number,
    length: number,
    prove: boolean,
  ): Uint8Array {
    if (lengthOf(value) !== bytes) throw new ChangedValueError()
    this.#pieces[this.#index] ??= new Uint8Array(PIECE_BYTES)
    const piece = this.#pieces[this.#index]!
    const copy = piece.subarray(this.#filled, this.#filled + length)
    copy.set(value.subarray(from, from + length))
    const isAsked = !prove || checksum(copy) === chunkSum(table, bytes, from / VALUE_CHUNK_BYTES)
    if (!isAsked) throw new ChangedValueError()
    this.#filled += length
    return copy
  }
}
