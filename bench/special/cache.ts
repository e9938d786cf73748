/** A cache under a load by Zipf's law: how often it has what is asked for, what it writes, what a put takes. */
import { runChild } from '../harness/children.ts'
import type { CacheJob, CacheReport } from './cache-child.ts'
import type { SpecialFigure } from './figures.ts'

const CHILD = new URL('./cache-child.js', import.meta.url)
const MIB = 1024 * 1024
const JOB = {
  maxBytes: 256 * MIB,
  valueBytes: 4096,
  keys: 262_144,
  operations: 600_000,
  exponent: 0.9,
} as const

export async function fillCache(
  { prepare, seed }: { readonly prepare: () => Promise<void>; readonly seed: number },
  directory: string,
  clear: () => void,
): Promise<SpecialFigure[]> {
  const figures: SpecialFigure[] = []
  clear()
  await prepare()
  const job: CacheJob = { ...JOB, directory, seed }
  await runChild<CacheReport>(CHILD, job, (report) => {
    figures.push(
      { name: 'cache hits', unit: 'of all gets', value: report.hits },
      {
        name: 'cache hits of an LRU of its bytes, simulated',
        unit: 'of all gets',
        value: report.lruHits,
      },
      {
        name: 'cache hits of a FIFO of its bytes, simulated',
        unit: 'of all gets',
        value: report.fifoHits,
      },
      { name: 'cache written', unit: 'bytes/user byte', value: report.writeAmplification },
      { name: 'cache puts', unit: '', value: report.puts },
      { name: 'cache puts of that LRU', unit: '', value: report.lruPuts },
      { name: 'cache on disk at most', unit: 'bytes', value: report.diskBytes },
      { name: 'cache put, median', unit: 'us', value: report.putP50Us },
      { name: 'cache put, 99.9 %', unit: 'us', value: report.putP999Us },
      { name: 'cache put, longest', unit: 'us', value: report.putMaxUs },
      { name: 'cache puts stood', unit: 'ms', value: report.stalledMs },
      { name: 'cache rate', unit: 'gets/s', value: report.rate },
    )
  })
  return figures
}
