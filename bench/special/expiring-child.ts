/** A store in which everything expires after a while, under a constant load: what it writes, and how large it gets. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { open } from '../../lib/index.ts'
import { takeJob, tellParent } from '../harness/children.ts'

/** What the parent asks for. */
export interface ExpiringJob {
  readonly directory: string
  readonly valueBytes: number
  readonly ttlMs: number
  readonly bytesPerSecond: number
  /** At least twice as long as what is put lives. */
  readonly durationMs: number
  readonly targetSpaceAmplification: number
  readonly segmentBytes: number
}

export interface ExpiringReport {
  readonly puts: number
  /** Log, tables, relocations, for each byte of keys and values. */
  readonly writeAmplification: number
  readonly relocatedBytes: number
  /** What lives at one moment at most, once the first values have expired. */
  readonly liveBytes: number
  /** The most that lay on disk then, without BALLAST, and what the target allows. */
  readonly diskBytes: number
  readonly boundBytes: number
  /** Of the time of the load, what calls of put took. */
  readonly putSeconds: number
}

takeJob<ExpiringJob>(run)

/** Between two looks at the disk. */
const LOOK_MS = 200

async function run(job: ExpiringJob): Promise<void> {
  const { valueBytes, ttlMs, durationMs, targetSpaceAmplification, segmentBytes } = job
  const collector = { targetSpaceAmplification }
  const store = await open(job.directory, { segmentBytes, collector })
  const value = randomBytes(valueBytes)
  const perMs = job.bytesPerSecond / 1000 / valueBytes
  const began = performance.now()
  let puts = 0
  let diskBytes = 0
  let waitedMs = 0
  for (let lookAt = ttlMs * 1.5; ; ) {
    const passedMs = performance.now() - began
    if (passedMs > durationMs) break
    for (; puts < passedMs * perMs; puts++) {
      const before = performance.now()
      await store.put(`key/${puts}`, value, { ttl: ttlMs })
      waitedMs += performance.now() - before
    }
    if (passedMs > lookAt) {
      const stats = store.stats()
      diskBytes = Math.max(diskBytes, stats.diskBytes - stats.ballastBytes)
      lookAt += LOOK_MS
    }
    await sleep(2)
  }
  const { writeAmplification, relocatedBytesWritten } = store.stats()
  await store.close()
  const liveBytes = (job.bytesPerSecond / 1000) * ttlMs
  const report: ExpiringReport = {
    puts,
    writeAmplification,
    relocatedBytes: relocatedBytesWritten,
    liveBytes,
    diskBytes,
    boundBytes: targetSpaceAmplification * liveBytes + 2 * segmentBytes,
    putSeconds: waitedMs / 1000,
  }
  await tellParent(report)
}
