/** Deleting ranges: space that comes back, and a million keys beside classic-level's `clear`. */
import { runChild } from '../harness/children.ts'
import type { SpecialFigure } from './figures.ts'
import type { RangeDeleteJob, RangeDeleteReport } from './range-delete-child.ts'

const CHILD = new URL('./range-delete-child.js', import.meta.url)
const CLEARED_KEYS = 1_000_000
/** One peer at a time, interleaved. */
const ENGINES = ['wisc', 'classic-level'] as const
const ORDERS = ['key order', 'random order'] as const

/** What this needs to know of the run. */
export interface RangeDeleteContext {
  readonly repetitions: number
  /** Of values in the store of which half is deleted. */
  readonly rangeBytes: number
  /** Called before each process that is measured. */
  readonly prepare: () => Promise<void>
}

/** Of all repetitions the least. */
export async function deleteRanges(
  { repetitions, rangeBytes, prepare }: RangeDeleteContext,
  directory: string,
  clear: () => void,
): Promise<SpecialFigure[]> {
  const figures = new Map<string, SpecialFigure>()
  const measure = async (what: string, job: RangeDeleteJob): Promise<void> => {
    clear()
    await prepare()
    await runChild<RangeDeleteReport>(CHILD, job, (report) => {
      for (const [part, { unit, value }] of Object.entries(report)) {
        const name = `range-delete ${what}: ${part}`
        const before = figures.get(name)?.value ?? Number.POSITIVE_INFINITY
        figures.set(name, { name, unit, value: Math.min(before, value) })
      }
    })
  }
  for (let i = 0; i < repetitions; i++) {
    for (const order of ORDERS) {
      const job: RangeDeleteJob = { step: 'halve', directory, bytes: rangeBytes, order }
      await measure(`half of a store in ${order}`, job)
    }
    for (const engine of ENGINES) {
      const job: RangeDeleteJob = { step: 'clear', directory, engine, keys: CLEARED_KEYS }
      await measure(`a million keys, ${engine}`, job)
    }
  }
  return [...figures.values()]
}
