/**
 * Claims of compactions on the relocations that they fold into: taken before one begins, given back when its edit is
 * durable or refused.
 */
import { segmentName } from '../base/files/file-names.ts'
import type { FileNumber, SegmentNumber } from '../base/ids.ts'
import { emitSafely } from '../contract/events.ts'
import type { CompactionPlan } from '../tree/compaction/compaction-plan.ts'
import { Folds, type FoldTarget } from '../tree/compaction/fold.ts'
import { planInPlace } from '../tree/compaction/picker.ts'
import type { TableMeta } from '../tree/entry.ts'
import type { TreeShapeOptions } from '../tree/version/tree-shape.ts'
import { relocationCount } from '../tree/version/version.ts'
import type { TreeWorkParts } from './tree-work.ts'

/** What may be spent to know what tables point to, before a compaction begins; in microseconds. */
const UPDATE_WORK = 3000

export interface BegunFolding {
  readonly targets: readonly FoldTarget[]
  /** Segments that nothing names any more when the compaction has ended. @param unreadable relocations */
  forgotten(unreadable: readonly FileNumber[]): readonly SegmentNumber[]
  /** When the edit of the compaction is durable or refused. */
  end(): void
}

export class Folding {
  readonly #parts: TreeWorkParts
  /** Relocations that a compaction could not read: nothing is folded into them. */
  readonly #unreadable: Set<FileNumber> = new Set()
  /** Where the search for a table to be written anew goes on. */
  #looked = 0

  constructor(parts: TreeWorkParts) {
    this.#parts = parts
  }

  /** The table that is due to be written anew because too many old segments are known. */
  due(shape: TreeShapeOptions): CompactionPlan | undefined {
    const folds = this.#folds()
    if (!folds?.isOver) return undefined
    const { levels, tables } = this.#parts.versions.current
    const { worst, looked } = folds.worstTable(levels, this.#looked)
    this.#looked = (this.#looked + looked) % Math.max(1, tables.size)
    return worst && planInPlace(levels, shape, worst)
  }

  /** What a compaction of these tables, which begins in this turn, folds. To be ended. */
  begin(tables: readonly TableMeta[]): BegunFolding {
    const folds = this.#folds()
    const targets = folds?.targets(tables) ?? []
    const nameless = folds?.nameless(targets, tables) ?? []
    const end = this.#parts.claims.fold(targets.map(({ number }) => number))
    const forgotten = (unreadable: readonly FileNumber[]): readonly SegmentNumber[] => {
      const kept = targets.filter(({ number }) => unreadable.includes(number))
      return nameless.filter((segment) => !kept.some(({ segments }) => segments.includes(segment)))
    }
    return { targets, forgotten, end }
  }

  /** Relocations that could not be read are left alone from now on. */
  leaveAlone(files: readonly FileNumber[]): void {
    for (const file of files) {
      this.#unreadable.add(file)
      const message = `the index of a relocation cannot be read: ${segmentName(file)}`
      emitSafely(this.#parts.context.events, 'warning', message)
    }
  }

  /** Undefined: nothing was ever moved, or it is not known yet what tables point to. */
  #folds(): Folds | undefined {
    const { versions, claims } = this.#parts
    const { references } = this.#parts.space
    const { current } = versions
    if (relocationCount(current) === 0) return undefined
    try {
      if (!references.update(current, { work: UPDATE_WORK })) return undefined
    } catch {
      // A table that cannot be read: the compaction that needs it will say so.
      return undefined
    }
    return new Folds(
      current,
      references,
      (file) => !claims.isMoved(file) && !this.#unreadable.has(file),
    )
  }
}
