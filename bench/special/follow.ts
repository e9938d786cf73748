/** A store that follows a writer of another process: how far it is behind, and what that costs. */
import { askChild } from '../harness/children.ts'
import { beginAnew, type SpecialContext, type SpecialReading } from './figures.ts'
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

export async function followWriters(context: SpecialContext): Promise<SpecialReading[]> {
  const readings: SpecialReading[] = []
  for (const [step, load] of Object.entries(STEPS)) {
    await beginAnew(context)
    const job: FollowJob = { ...load, directory: context.directory, seconds: SECONDS }
    const { lag, puts, followerCpu, writerCpu } = await askChild<FollowReport>(CHILD, job)
    const name = `follow, ${step}`
    if (lag) {
      readings.push(
        { name: `${name}: behind, p50`, unit: 'ms', value: lag.p50Ms },
        { name: `${name}: behind, p99`, unit: 'ms', value: lag.p99Ms },
        { name: `${name}: behind, at most`, unit: 'ms', value: lag.maxMs },
        { name: `${name}: puts`, unit: '/s', value: puts },
        { name: `${name}: processor of the writer`, unit: 'ms/s', value: writerCpu },
      )
    }
    readings.push({ name: `${name}: processor of the follower`, unit: 'ms/s', value: followerCpu })
  }
  return readings
}
