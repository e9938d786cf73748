/** Deleting ranges: space that comes back, and a million keys beside classic-level's `clear`. */
import { askChild } from '../harness/children.ts'
import { beginAnew, type SpecialContext, type SpecialReading } from './figures.ts'
import type { RangeDeleteJob, RangeDeleteReport } from './range-delete-child.ts'

const CHILD = new URL('./range-delete-child.js', import.meta.url)
const CLEARED_KEYS = 1_000_000
/** One peer at a time, interleaved. */
const ENGINES = ['wisc', 'classic-level'] as const
const ORDERS = ['key order', 'random order'] as const

export async function deleteRanges(context: SpecialContext): Promise<SpecialReading[]> {
  const { directory, rangeBytes: bytes } = context
  const readings: SpecialReading[] = []
  const measure = async (what: string, job: RangeDeleteJob): Promise<void> => {
    await beginAnew(context)
    const report = await askChild<RangeDeleteReport>(CHILD, job)
    for (const [part, { unit, value }] of Object.entries(report)) {
      readings.push({ name: `range-delete ${what}: ${part}`, unit, value })
    }
  }
  for (const order of ORDERS) {
    await measure(`half of a store in ${order}`, { step: 'halve', directory, bytes, order })
  }
  for (const engine of ENGINES) {
    const job: RangeDeleteJob = { step: 'clear', directory, engine, keys: CLEARED_KEYS }
    await measure(`a million keys, ${engine}`, job)
  }
  return readings
}
