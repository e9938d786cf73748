/** Reads of a value reader that others make beside the calling thread, and the files that stay open for them (I10). */
import type { ValueFile } from './value-file.ts'

export class ReadsBeside {
  readonly #inPool: Set<Promise<unknown>> = new Set()
  readonly #filesMax: number
  /** Files that others read; and of these, files that have been pushed out. */
  #files = 0
  #lateFiles = 0

  /** @param filesMax how many files others may read at a time */
  constructor(filesMax: number) {
    this.#filesMax = filesMax
  }

  /** Files that are open for these reads alone. */
  get lateFiles(): number {
    return this.#lateFiles
  }

  /** Each file that others read may be pushed out, and stays open until then. */
  mayRead(file: ValueFile): boolean {
    return file.inPool > 0 || this.#files < this.#filesMax
  }

  /** Somebody reads from the file: it stays open until `unpin`. Requires: it may be read. */
  pin(file: ValueFile): void {
    if (file.inPool++ === 0) this.#files++
  }

  unpin(file: ValueFile): void {
    file.readEnded()
    if (file.inPool > 0) return
    this.#files--
    if (file.isPushedOut) this.#lateFiles--
  }

  /** The cache has no place for the file any more. With reads in flight the last of them closes it. */
  pushOut(file: ValueFile): void {
    file.isPushedOut = true
    if (file.inPool > 0) this.#lateFiles++
    file.close()
  }

  /** The file stays open, and the bytes where they are, until the read has ended. */
  count(file: ValueFile, reading: Promise<unknown>): void {
    this.#inPool.add(reading)
    this.pin(file)
    const ended = (): void => {
      this.#inPool.delete(reading)
      this.unpin(file)
    }
    reading.then(ended, ended)
  }

  /** Resolves when no read that is under way now is any more. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.#inPool)
  }
}
