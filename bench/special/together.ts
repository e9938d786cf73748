/** Writing together: updates of a hot key and a queue that hands out jobs, beside lmdb's transactions. */
import { askChild } from '../harness/children.ts'
import { beginAnew, type SpecialContext, type SpecialReading } from './figures.ts'
import type { TogetherJob, TogetherReport } from './together-child.ts'

const CHILD = new URL('./together-child.js', import.meta.url)
/** One peer at a time, interleaved. */
const ENGINES = ['wisc', 'lmdb-nosync'] as const
const COUNTS = { update: 100_000, claim: 30_000 } as const

export async function writeTogether(context: SpecialContext): Promise<SpecialReading[]> {
  const readings: SpecialReading[] = []
  for (const step of ['update', 'claim'] as const) {
    for (const engine of ENGINES) {
      await beginAnew(context)
      const { directory } = context
      const job: TogetherJob = { engine, step, directory, count: COUNTS[step] }
      const { perSecond, cpuMicroseconds } = await askChild<TogetherReport>(CHILD, job)
      const name = `together ${step} ${engine}`
      readings.push(
        { name, unit: '/s', value: perSecond },
        { name: `${name}, of the processor`, unit: 'us each', value: cpuMicroseconds },
      )
    }
  }
  return readings
}
