/** A store that follows a writer of another process: how far it is behind, and what that costs. */
import { runChild } from '../harness/children.ts'
import type { SpecialFigure } from './figures.ts'
import type { FollowJob, FollowReport } from './follow/follow-child.ts'

const CHILD = new URL('./follow/follow-child.js', import.meta.url)
const MIB = 1024 * 1024
/** How the writer writes: `callers` that each put one value after the other, with a pause in between. */
const STEPS = {
  'no writes': { callers: 0, valueBytes: 0, pauseMs: 0 },
  'a small put now and then': { callers: 1, valueBytes: 100, pauseMs: 170 },
  'a small put each ms': { callers: 1, valueBytes: 100, pauseMs: 1 },
  '1 MiB every 20 ms': { callers: 1, valueBytes: MIB, pauseMs: 20 },
  'full speed, 100 bytes': { callers: 64, valueBytes: 100, pauseMs: 0 },
  'full speed, 4 KiB': { callers: 64, valueBytes: 4096, pauseMs: 0 },
  'full speed, 64 KiB': { callers: 16, valueBytes: 65536, pauseMs: 0 },
} as const
const SECONDS = 5

/** Of all repetitions the median one, by its p99. */
export async function followWriters(
  { repetitions, prepare }: { readonly repetitions: number; readonly prepare: () => Promise<void> },
  directory: string,
  clear: () => void,
): Promise<SpecialFigure[]> {
  const figures: SpecialFigure[] = []
  for (const [step, load] of Object.entries(STEPS)) {
    const reports: FollowReport[] = []
    for (let i = 0; i < repetitions; i++) {
      clear()
      await prepare()
      const job: FollowJob = { ...load, directory, seconds: SECONDS }
      await runChild<FollowReport>(CHILD, job, (report) => void reports.push(report))
    }
    reports.sort((left, right) => (left.lag?.p99Ms ?? 0) - (right.lag?.p99Ms ?? 0))
    const { lag, puts, followerCpu, writerCpu } = reports[reports.length >> 1]!
    const name = `follow, ${step}`
    if (lag) {
      figures.push(
        { name: `${name}: behind, p50`, unit: 'ms', value: lag.p50Ms },
        { name: `${name}: behind, p99`, unit: 'ms', value: lag.p99Ms },
        { name: `${name}: behind, at most`, unit: 'ms', value: lag.maxMs },
        { name: `${name}: puts`, unit: '/s', value: puts },
        { name: `${name}: processor of the writer`, unit: 'ms/s', value: writerCpu },
      )
    }
    figures.push({ name: `${name}: processor of the follower`, unit: 'ms/s', value: followerCpu })
  }
  return figures
}
