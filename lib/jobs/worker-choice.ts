/**
 * Chooses the worker of a job. Pure.
 *
 * - A job goes to an idle worker, or else to one that has less urgent work only, which stands still for it: a
 *   compaction does not wait for a rewrite. A flush goes to any worker. Else the job waits.
 * - A job that is held to a rate, or paused, does not keep a worker from taking more of its kind.
 */
import type { JobRate } from './job-rate.ts'
import { type Job, PRIORITY } from './messages.ts'

/** A job, and how fast it may go. */
export interface PlacedJob {
  readonly job: Job
  readonly rate: JobRate | undefined
}

export interface WorkerLoad {
  /** What it runs, by id. */
  readonly jobs: ReadonlyMap<number, PlacedJob>
}

/** @returns a worker, 'new' if another one should be started, undefined if the job has to wait */
export function chooseWorker<W extends WorkerLoad>(
  kind: Job['kind'],
  workers: readonly W[],
  workersMax: number,
): W | 'new' | undefined {
  const idle = workers.find(({ jobs }) => jobs.size === 0)
  if (idle) return idle
  if (workers.length < workersMax) return 'new'
  const able = workers.filter((worker) => kind === 'flush' || urgencyOf(worker) > PRIORITY[kind])
  return able.reduce<W | undefined>(
    (best, worker) => (isBetter(worker, best) ? worker : best),
    undefined,
  )
}

function isBetter(worker: WorkerLoad, best: WorkerLoad | undefined): boolean {
  if (!best) return true
  const difference = urgencyOf(worker) - urgencyOf(best)
  // Both may be Infinity.
  return difference > 0 || (!(difference < 0) && worker.jobs.size < best.jobs.size)
}

/** The priority of its most urgent job among those that hold it; Infinity if none does. */
function urgencyOf({ jobs }: WorkerLoad): number {
  let urgency = Number.POSITIVE_INFINITY
  for (const { job, rate } of jobs.values()) {
    if (rate?.bytesPerSecond === undefined) urgency = Math.min(urgency, PRIORITY[job.kind])
  }
  return urgency
}
