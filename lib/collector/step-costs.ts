/**
 * What holes cost beside copies, measured on the way: a hole waits for the journal of the file system, which takes
 * 70 us on a quiet disk and ten times that on one that syncs all the time.
 */
import type { CollectionStep } from '../../vlog/collection-plan.ts'
import type { StepResult } from './run-step.ts'

/** Weight of the latest figure in the mean. */
const WEIGHT = 0.3
/** A copied byte also wears the disk and takes room in its cache: in time alone it would look too cheap. */
const COPY_WEIGHT = 2
const HOLE_COST_MIN = 8 * 1024
const HOLE_COST_MAX = 64 * 1024

export class StepCosts {
  #holeMs: number | undefined
  #copiedBytesPerMs: number | undefined

  /** A step took so long. */
  note({ action }: CollectionStep, { holes, bytesCopied }: StepResult, ms: number): void {
    if (action === 'punch' && holes > 0) this.#holeMs = mean(this.#holeMs, ms / holes)
    if (action === 'rewrite' && bytesCopied > 0) {
      this.#copiedBytesPerMs = mean(this.#copiedBytesPerMs, bytesCopied / Math.max(1, ms))
    }
  }

  /** One hole in copied bytes; undefined before both have been measured. */
  get holeCostBytes(): number | undefined {
    if (this.#holeMs === undefined || this.#copiedBytesPerMs === undefined) return undefined
    const cost = (this.#holeMs * this.#copiedBytesPerMs) / COPY_WEIGHT
    return Math.min(HOLE_COST_MAX, Math.max(HOLE_COST_MIN, cost))
  }
}

function mean(before: number | undefined, latest: number): number {
  return before === undefined ? latest : before + (latest - before) * WEIGHT
}
