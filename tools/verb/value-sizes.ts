/** How large the values of a store are, for the verbs that show it. */
import { sampleSizes } from '../../lib/inspect/collection/value-sample.ts'
import { type SizeBucket, SizeHistogram } from '../../lib/inspect/size-histogram.ts'
import { measureValueSizes, type ValueSizes } from '../../lib/inspect/value-sizes.ts'
import { InterruptedError } from '../terminal/exit-code.ts'
import { formatCount } from '../terminal/units.ts'
import type { VerbContext } from './verb.ts'
import { inspectAgain } from './with-store.ts'

/** What the tables tell, and the sizes as they were given: of compressed values by samples. */
export interface MeasuredSizes extends ValueSizes {
  readonly buckets: readonly SizeBucket[]
}

export async function valueSizes(path: string, context: VerbContext): Promise<MeasuredSizes> {
  const sizes = await walk(path, context)
  const given = await inspectAgain(path, context, (store) => sampleSizes(store, sizes.samples))
  const histogram = new SizeHistogram()
  histogram.addCorrected(sizes.inline, [])
  histogram.addCorrected(sizes.separated, given)
  return { ...sizes, buckets: histogram.buckets() }
}

async function walk(path: string, { progress, signal }: VerbContext): Promise<ValueSizes> {
  const steps = measureValueSizes(path)
  let entries = 0
  for (;;) {
    const step = steps.next()
    if (step.done) {
      progress.clear()
      return step.value
    }
    if (signal.aborted) throw new InterruptedError('interrupted')
    entries += step.value
    progress.note(`${formatCount(entries)} entries`)
    await progress.advance(0)
  }
}
