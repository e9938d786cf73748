/** What is known of files, and would be found anew if it were forgotten. Memory is bounded (I10). */
import type { FileNumber } from '../../base/ids.ts'
import type { Version } from '../../tree/version/version.ts'

export class FileHints<Hint> {
  readonly #bytesMax: number
  readonly #bytesOf: (hint: Hint) => number
  /** That of the file that was noted last is the last one. */
  readonly #hints: Map<FileNumber, Hint> = new Map()
  #bytes = 0

  /** @param bytesOf the memory that one takes */
  constructor(bytesMax: number, bytesOf: (hint: Hint) => number) {
    this.#bytesMax = bytesMax
    this.#bytesOf = bytesOf
  }

  /** Memory that they take. */
  get bytes(): number {
    return this.#bytes
  }

  of(number: FileNumber): Hint | undefined {
    return this.#hints.get(number)
  }

  /**
   * What is known of a file now. Files that have left the version are forgotten, and where that is not enough those
   * that were noted longest ago.
   */
  note(number: FileNumber, hint: Hint, { files }: Pick<Version, 'files'>): void {
    this.#forget(number)
    this.#hints.set(number, hint)
    this.#bytes += this.#bytesOf(hint)
    for (const known of this.#hints.keys()) if (!files.has(known)) this.#forget(known)
    for (const known of this.#hints.keys()) {
      if (this.#bytes <= this.#bytesMax) return
      this.#forget(known)
    }
  }

  #forget(number: FileNumber): void {
    const hint = this.#hints.get(number)
    if (hint === undefined) return
    this.#bytes -= this.#bytesOf(hint)
    this.#hints.delete(number)
  }
}
