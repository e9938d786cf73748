/** A place in the bytes of a tuple, from which its items are read one after the other. */
import { invalidArgument } from '../base/errors.ts'

export class TupleReader {
  readonly bytes: Uint8Array
  at = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.at === this.bytes.length
  }

  byte(): number {
    return this.bytes[this.skip(1)]!
  }

  /** Passes `count` bytes. @returns where they begin @throws WISC_INVALID_ARGUMENT if there are not so many */
  skip(count: number): number {
    const start = this.at
    if (count > this.bytes.length - start) throw invalidArgument('no tuple: it ends within an item')
    this.at = start + count
    return start
  }
}
