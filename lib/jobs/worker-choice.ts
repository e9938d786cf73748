/**
 * Chooses the worker of a job. Pure.
 *
 * - A flush goes to an idle worker, or else to one whose work can stand still for it.
 * - Of two or more workers one is always left for flushes: at most all but one have other jobs.
 * - Any other job goes to an idle worker, or else to one that has less urgent work only: a compaction does not wait for
 *   a rewrite. If there is none it waits.
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
  const behind = workers.filter(hasBackgroundWork).length
  const mayUseAnother = kind === 'flush' || behind < Math.max(1, workersMax - 1)
  if (mayUseAnother) {
    const idle = workers.find(({ jobs }) => jobs.size === 0)
    if (idle) return idle
    if (workers.length < workersMax) return 'new'
  }
  const able = workers.filter(
    (worker) =>
      kind === 'flush' ||
      ((mayUseAnother || hasBackgroundWork(worker)) && urgencyOf(worker) > PRIORITY[kind]),
  )
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

function hasBackgroundWork({ jobs }: WorkerLoad): boolean {
  for (const { job } of jobs.values()) if (job.kind !== 'flush') return true
  return false
}

/** The priority of its most urgent job among those that hold it; Infinity if none does. */
function urgencyOf({ jobs }: WorkerLoad): number {
  let urgency = Number.POSITIVE_INFINITY
  for (const { job, rate } of jobs.values()) {
    if (rate?.bytesPerSecond === undefined) urgency = Math.min(urgency, PRIORITY[job.kind])
  }
  return urgency
}
