/**
 * Claims on files of the value log: a compaction folds into some, a rewrite moves some, and no file is both at a time.
 *
 * A record in a relocation R has two names that tables may have for it: its address (segment, offset), which R's index
 * knows, and its place (R, offset in R). A compaction that folds changes the one into the other, by its edit. A rewrite
 * of R copies the record, and the new index knows it by the name that the tables of its pinned version have. So no
 * table may change a name of R's records from when a rewrite of R pins its version until its edit is durable; and R
 * must stay from when a compaction begins to fold into it until its edit is (I8). The rule:
 *
 *   - Both say what they take before they begin, in one turn, and give it back when their edit is durable or refused.
 *   - A compaction takes no file that a rewrite has taken. It never waits: those pointers stay as they are.
 *   - A rewrite takes its files whatever they are, and waits until the compaction that runs has given back those that
 *     it folds into. None that begins later folds into them, so it waits for one at most; and only one that somebody
 *     asked for: the collector by itself passes over what is folded into, and takes another file.
 *
 * Nothing else needs a claim. A drop and a forget ask in the turn of their edit whether any entry points to the file,
 * by any name: what a compaction is about to point to is pointed to by its inputs until then. A punch leaves records
 * where they are, and its mark goes by the tables of its version: what is folded meanwhile lives there, too. Readers
 * look up an entry and find its place in one turn, by the same version.
 */
import type { FileNumber } from '../base/ids.ts'
import { Signal } from '../base/signal.ts'

const NOTHING: ReadonlySet<FileNumber> = new Set()

export class RelocationClaims {
  readonly #moved: Set<FileNumber> = new Set()
  #foldedInto: ReadonlySet<FileNumber> = NOTHING
  /** Told when the compaction has given back what it took. */
  readonly #givenBack: Signal = new Signal()

  /** Files that the compaction which runs folds into. */
  get foldedInto(): ReadonlySet<FileNumber> {
    return this.#foldedInto
  }

  /** A rewrite has taken the file. */
  isMoved(file: FileNumber): boolean {
    return this.#moved.has(file)
  }

  /** A compaction takes relocations, none of which is moved; one compaction at a time. @returns gives them back */
  fold(files: Iterable<FileNumber>): () => void {
    this.#foldedInto = new Set(files)
    return () => {
      this.#foldedInto = NOTHING
      this.#givenBack.tell()
    }
  }

  /**
   * A rewrite takes files, which no other has taken. Resolves when no compaction folds into any of them.
   * @returns gives them back
   * @throws WISC_ABORTED when the signal fires: then nothing is taken
   */
  async move(files: readonly FileNumber[], signal: AbortSignal): Promise<() => void> {
    const giveBack = (): void => {
      for (const file of files) this.#moved.delete(file)
    }
    for (const file of files) this.#moved.add(file)
    try {
      while (files.some((file) => this.#foldedInto.has(file))) {
        await this.#givenBack.next({ signal })
      }
      return giveBack
    } catch (error) {
      giveBack()
      throw error
    }
  }
}
