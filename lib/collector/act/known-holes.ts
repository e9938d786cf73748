/** The holes that files are known to have: a punch makes only those that are new. Memory is bounded (I10). */
import type { HoleMarks } from '../../../vlog/collect/hole-marks.ts'
import type { FileNumber } from '../../base/ids.ts'
import type { Version } from '../../tree/version/version.ts'

/** Those of files of 256 GiB together. */
const MARKS_BYTES_MAX = 8 * 1024 * 1024

export class KnownHoles {
  readonly #bytesMax: number
  /** The file that was punched last is the last one. */
  readonly #marks: Map<FileNumber, HoleMarks> = new Map()
  #bytes = 0

  constructor(bytesMax: number = MARKS_BYTES_MAX) {
    this.#bytesMax = bytesMax
  }

  /** Memory that they take. */
  get bytes(): number {
    return this.#bytes
  }

  of(number: FileNumber): HoleMarks | undefined {
    return this.#marks.get(number)
  }

  /** A punch has ended. Files that have left the version are forgotten, and where there are too many the oldest. */
  note(number: FileNumber, marks: HoleMarks, { files }: Pick<Version, 'files'>): void {
    this.#forget(number)
    this.#marks.set(number, marks)
    this.#bytes += marks.length
    for (const known of this.#marks.keys()) if (!files.has(known)) this.#forget(known)
    for (const known of this.#marks.keys()) {
      if (this.#bytes <= this.#bytesMax) return
      this.#forget(known)
    }
  }

  #forget(number: FileNumber): void {
    this.#bytes -= this.#marks.get(number)?.length ?? 0
    this.#marks.delete(number)
  }
}
