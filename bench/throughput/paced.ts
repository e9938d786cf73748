/**
 * Gets and puts at half of the rate that the engine reaches itself: latencies of a store that is busy, not swamped. The
 * rate of these rows is the pace; what counts are their latencies.
 */
import { windowEntries } from '../engines/engine.ts'
import { type DataSet, KEY_BYTES, Random } from '../harness/data-set.ts'
import { repeatAtOnce, type Work } from '../harness/measure.ts'
import { paceCalls } from '../harness/pacing.ts'
import type { Job } from './results.ts'

const SHARE = 0.5
const SALT = 4

/** @param call asks for one random entry, or puts it */
export async function pace(
  { seconds, seed }: Job,
  data: DataSet,
  call: (index: number) => unknown,
): Promise<Work> {
  const random = new Random(seed + SALT)
  const next = (): unknown => call(random.below(data.entries))
  const callers = windowEntries(data.valueBytes)
  const reached = await repeatAtOnce(callers, seconds / 2, async () => next())
  const work = await paceCalls((SHARE * reached.operations) / reached.seconds, seconds, next)
  return { ...work, userBytes: work.operations * (KEY_BYTES + data.valueBytes) }
}
