/** Writing together: updates of a hot key and a queue that hands out jobs, beside lmdb's transactions. */
import { runChild } from '../harness/children.ts'
import type { SpecialFigure } from './figures.ts'
import type { CallsContext } from './single-calls.ts'
import type { TogetherJob, TogetherReport } from './together-child.ts'

const CHILD = new URL('./together-child.js', import.meta.url)
/** One peer at a time, interleaved. */
const ENGINES = ['wisc', 'lmdb-nosync'] as const
const COUNTS = { update: 100_000, claim: 30_000 } as const

/** Of all repetitions the highest rate, and the least time of the processor. */
export async function writeTogether(
  { repetitions, prepare }: CallsContext,
  directory: string,
  clear: () => void,
): Promise<SpecialFigure[]> {
  const best = new Map<string, TogetherReport>()
  for (let i = 0; i < repetitions; i++) {
    for (const step of ['update', 'claim'] as const) {
      for (const engine of ENGINES) {
        clear()
        const job: TogetherJob = { engine, step, directory, count: COUNTS[step] }
        await prepare()
        await runChild<TogetherReport>(CHILD, job, (report) => {
          const name = `together ${step} ${engine}`
          const before = best.get(name) ?? report
          best.set(name, {
            perSecond: Math.max(before.perSecond, report.perSecond),
            cpuMicroseconds: Math.min(before.cpuMicroseconds, report.cpuMicroseconds),
          })
        })
      }
    }
  }
  return [...best].flatMap(([name, { perSecond, cpuMicroseconds }]) => [
    { name, unit: '/s', value: perSecond },
    { name: `${name}, of the processor`, unit: 'us each', value: cpuMicroseconds },
  ])
}
