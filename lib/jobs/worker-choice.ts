/**
 * Chooses the worker of a job. Pure.
 *
 * - A job goes to an idle worker, or else to one that has less urgent work of its store only, which stands still for
 *   it: a compaction does not wait for a rewrite. Jobs of other stores take turns with it, but no worker has very many
 *   of them. A flush, or what a writer wants compressed, goes to any worker. Else the job waits.
 * - Of several idle ones the first takes the jobs of the tree, the last those of the collector: each thread compiles
 *   what it runs for itself, and so hardly ever compiles the code of both.
 * - A job that is held to a rate, or paused, does not keep a worker from taking more of its kind.
 * - The jobs of a store are on no more workers than its share allows.
 */
import { type Job, PRIORITY } from './messages.ts'
import type { PlacedJob } from './pool-job.ts'

/** Each opens the tables that it reads: so many times some ten descriptors, and a megabyte or two, for a worker. */
const JOBS_OF_OTHERS_MAX = 4

export interface WorkerLoad {
  /** What it runs, by id. */
  readonly jobs: ReadonlyMap<number, PlacedJob>
}

/**
 * @param share of the store whose job it is
 * @param workersMax threads that there may be in all
 * @returns a worker, 'new' if another one should be started, undefined if the job has to wait
 */
export function chooseWorker<W extends WorkerLoad>(
  kind: Job['kind'],
  share: PlacedJob['share'],
  workers: readonly W[],
  workersMax: number,
): W | 'new' | undefined {
  const used = workers.filter((worker) => jobsOf(worker, share).length > 0)
  const mayUseMore = used.length < share.workersMax
  const allowed = mayUseMore ? workers : used
  const idle = allowed.filter(({ jobs }) => jobs.size === 0)
  if (idle.length > 0) return idle.at(isOfTree(kind) ? 0 : -1)
  if (mayUseMore && workers.length < workersMax) return 'new'
  return allowed
    .filter((worker) => isUrgent(kind) || hasRoom(worker, kind, share))
    .reduce<W | undefined>((best, worker) => (isBetter(worker, best) ? worker : best), undefined)
}

/** What writers wait for goes to any worker. */
function isUrgent(kind: Job['kind']): boolean {
  return kind === 'flush' || kind === 'compress'
}

function isOfTree(kind: Job['kind']): boolean {
  return kind === 'flush' || kind === 'compaction'
}

function jobsOf({ jobs }: WorkerLoad, share: PlacedJob['share']): PlacedJob[] {
  return [...jobs.values()].filter((placed) => placed.share === share)
}

function hasRoom(worker: WorkerLoad, kind: Job['kind'], share: PlacedJob['share']): boolean {
  const own = jobsOf(worker, share)
  return worker.jobs.size - own.length < JOBS_OF_OTHERS_MAX && urgencyOf(own) > PRIORITY[kind]
}

function isBetter(worker: WorkerLoad, best: WorkerLoad | undefined): boolean {
  if (!best) return true
  const difference = urgencyOf([...worker.jobs.values()]) - urgencyOf([...best.jobs.values()])
  // Both may be Infinity.
  return difference > 0 || (!(difference < 0) && worker.jobs.size < best.jobs.size)
}

/** The priority of the most urgent job among those that hold a worker; Infinity if none does. */
function urgencyOf(jobs: readonly PlacedJob[]): number {
  let urgency = Number.POSITIVE_INFINITY
  for (const { job, rate } of jobs) {
    if (rate?.bytesPerSecond === undefined) urgency = Math.min(urgency, PRIORITY[job.kind])
  }
  return urgency
}
