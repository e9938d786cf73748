/**
 * Worker threads for the jobs of all stores that share them: as a rule all of one process.
 *
 * A thread starts with the first job that needs one, keeps the process alive only while it works, and ends when it has
 * been idle for a while. There are at most as many as the store with the largest share asks for, and each store's jobs
 * are on at most as many as it asks for itself. Which one a job goes to is said in worker-choice.ts; there jobs of
 * several stores take turns, and one may stand still for a more urgent one of its own store (slice-queue.ts).
 *
 * A worker that dies fails its jobs, and what they have made is removed; the next job starts another. Where no thread
 * can be had (the process has no descriptor or no thread left), a job runs on the calling thread, and the next one asks
 * for a thread again. Where there is no code for a thread (the program was bundled without it), all jobs run there, and
 * each store says so.
 */
import { IoError, toWiscError, WiscError } from '../base/errors.ts'
import { Ground } from '../base/files/ground.ts'
import { GuardedFileSystem } from '../base/files/guarded-file-system.ts'
import { unlinkIfPossible } from '../base/files/unlink.ts'
import { nodeFileSystem } from '../base/platform/node-file-system.ts'
import { type Job, type JobResult, PRIORITY } from './messages.ts'
import type { PoolJob, PoolShare } from './pool-job.ts'
import { PoolWorker } from './pool-worker.ts'
import { jobAborted } from './runner.ts'
import { chooseWorker } from './worker-choice.ts'
import { mayExist, noWorkerWarning, unusableCode, WORKER_ENTRY } from './worker-entry.ts'
import { type FromWorker, fromErrorMessage } from './worker-protocol.ts'

/** Starting again costs a burst 20 to 400 ms; staying costs an idle process 9 MiB for each thread. */
const IDLE_MS = 3000
/** Workers that die in a row with jobs of one kind, of one store: then something is wrong with these jobs. */
const DEATHS_MAX = 5

export class WorkerPool {
  readonly #entry: URL | undefined
  readonly #idleMs: number
  readonly #workers: Set<PoolWorker> = new Set()
  readonly #shares: Set<PoolShare> = new Set()
  /** Jobs that no worker is free for: the most urgent first, then in order of arrival. */
  #queued: PoolJob[] = []
  /** Cancel what runs on the calling thread, by id. */
  readonly #inlineAborts: Map<number, AbortController> = new Map()
  #lastId = 0
  /** Why no thread will ever begin, when that is known. */
  #without: string | undefined
  /** Some thread has begun: its code is there. */
  #workersBegan = false
  readonly #warned: WeakSet<PoolShare> = new WeakSet()

  /**
   * @param entry the code of a worker; a test passes one of its own
   * @param idleMs how long a thread without a job stays
   */
  constructor(entry: URL | undefined = WORKER_ENTRY, idleMs: number = IDLE_MS) {
    this.#entry = entry
    this.#idleMs = idleMs
  }

  /** Threads that there are now. */
  get threads(): number {
    return this.#workers.size
  }

  /** A number for a share, a job or an arena that nothing else in the pool has. */
  newId(): number {
    return ++this.#lastId
  }

  join(share: PoolShare): void {
    this.#shares.add(share)
  }

  /**
   * Requires: all jobs of the share have been settled.
   * @param arenaIds what it shared
   */
  leave(share: PoolShare, arenaIds: readonly number[]): void {
    this.#shares.delete(share)
    for (const worker of [...this.#workers]) worker.retire(arenaIds)
  }

  add(added: PoolJob): void {
    const priority = PRIORITY[added.job.kind]
    const behind = this.#queued.findIndex(({ job }) => PRIORITY[job.kind] > priority)
    this.#queued.splice(behind < 0 ? this.#queued.length : behind, 0, added)
    this.#startQueued()
  }

  setRate(id: number, bytesPerSecond: number | undefined): void {
    for (const worker of this.#workers) worker.setRate(id, bytesPerSecond)
    // A job that is held back from now on leaves room for others.
    this.#startQueued()
  }

  cancel(id: number): void {
    const queued = this.#queued.find((other) => other.id === id)
    this.#queued = this.#queued.filter((other) => other !== queued)
    queued?.share.settle(id, undefined, jobAborted())
    for (const worker of this.#workers) worker.cancel(id)
    this.#inlineAborts.get(id)?.abort()
  }

  forgetArena(id: number): void {
    for (const worker of this.#workers) worker.forgetArena(id)
  }

  /** Ends all threads; for a pool of one's own. Requires: no share is left. */
  async close(): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.terminate()))
  }

  /** A job that has to wait holds up none of another store that has not used up its share. */
  #startQueued(): void {
    for (const queued of [...this.#queued]) {
      const worker = this.#workerFor(queued.job.kind, queued.share)
      if (!worker) continue
      this.#queued = this.#queued.filter((other) => other !== queued)
      if (worker === 'none') this.#runInline(queued)
      else {
        this.#dispatch(queued, worker)
        // The next worker starts ahead, so that a flush that comes finds it idle.
        if (queued.job.kind !== 'flush') this.#workerFor('flush', queued.share)
      }
    }
  }

  get #workersMax(): number {
    let most = 0
    for (const { workersMax } of this.#shares) most = Math.max(most, workersMax)
    return most
  }

  /** @returns undefined if the job has to wait; 'none' if there is no thread, and none can be had */
  #workerFor(kind: Job['kind'], share: PoolShare): PoolWorker | 'none' | undefined {
    const workers = [...this.#workers]
    const choice = chooseWorker(kind, share, workers, this.#workersMax)
    if (choice !== 'new') return choice
    const entry = this.#code(share)
    if (!entry) return 'none'
    try {
      return this.#addWorker(entry)
    } catch {
      // No thread can be had now: those that there are do the work, or else the calling thread.
      const other = chooseWorker(kind, share, workers, this.threads)
      return this.threads === 0 || other === 'new' ? 'none' : other
    }
  }

  /** The code of a worker; undefined if there is none, which the store is told once. */
  #code(share: PoolShare): URL | undefined {
    const entry = this.#entry
    if (this.#without === undefined) {
      if (entry && mayExist(entry, nodeFileSystem)) return entry
      this.#without = `there is no ${entry?.href ?? 'address of its code'}`
    }
    if (!this.#warned.has(share)) share.warn(noWorkerWarning(this.#without))
    this.#warned.add(share)
    return undefined
  }

  #runInline({ id, job, rate, share }: PoolJob): void {
    const abort = new AbortController()
    this.#inlineAborts.set(id, abort)
    const ended = (result: JobResult | undefined, error: WiscError | undefined): void => {
      this.#inlineAborts.delete(id)
      share.settle(id, result, error)
    }
    share.inline.run(job, { signal: abort.signal, ...(rate && { rate }) }).then(
      (result) => ended(result, undefined),
      (error: unknown) => ended(undefined, toWiscError(error)),
    )
  }

  #addWorker(entry: URL): PoolWorker {
    const worker: PoolWorker = new PoolWorker(entry, this.#idleMs, {
      message: (message) => this.#onMessage(worker, message),
      died: (cause) => this.#onDeath(worker, cause),
      idle: () => {
        this.#workers.delete(worker)
        void worker.terminate()
      },
    })
    this.#workers.add(worker)
    return worker
  }

  #dispatch(placed: PoolJob, worker: PoolWorker): void {
    const { id, job, share } = placed
    try {
      const arena = job.kind === 'flush' ? share.arena(job.memtable.arenaId) : undefined
      worker.start(placed, arena)
    } catch (error) {
      share.settle(id, undefined, toWiscError(error))
    }
  }

  #onMessage(worker: PoolWorker, message: FromWorker): void {
    if (message.type === 'ready') {
      worker.isReady = true
      this.#workersBegan = true
      return
    }
    const { id } = message
    if (message.type === 'made') {
      worker.jobs.get(id)?.made.push(message.path)
      return
    }
    const placed = worker.ended(id)
    const share = placed?.share
    if (message.type === 'result') {
      share?.deaths.delete(placed!.job.kind)
      share?.settle(id, message.result, undefined)
    } else share?.settle(id, undefined, fromErrorMessage(message.error))
    this.#startQueued()
  }

  #onDeath(worker: PoolWorker, cause: unknown): void {
    this.#workers.delete(worker)
    if (!worker.isReady && !this.#workersBegan) this.#without = unusableCode(cause)
    if (worker.isReady) countDeath(worker.jobs.values())
    for (const placed of worker.jobs.values()) {
      const { id, share } = placed
      if (worker.isReady) {
        removeMade(placed)
        share.settle(id, undefined, deathOf(placed, cause))
        continue
      }
      // It has begun nothing: its thread had no descriptor for its own needs, for instance.
      if (worker.cancelled.has(id)) share.settle(id, undefined, jobAborted())
      else {
        this.#code(share)
        this.#runInline(placed)
      }
    }
    this.#startQueued()
  }
}

/**
 * As a rule it was out of memory, which may pass as any shortage does: the job is made again then. Where one dies again
 * and again that is a fault of the program.
 */
function deathOf({ job, share }: PoolJob, cause: unknown): WiscError {
  const message = 'worker thread died'
  const isFault = share.deaths.get(job.kind)! >= DEATHS_MAX
  if (isFault) return new WiscError('WISC_INTERNAL', message, { cause })
  return new IoError('work', job.directory, 'ENOMEM', { message, cause })
}

/** Once for each kind of job of each store: which of them it died of nobody knows. */
function countDeath(jobs: Iterable<PoolJob>): void {
  const counted = new Map<PoolJob['share'], Set<PoolJob['job']['kind']>>()
  for (const { job, share } of jobs) {
    const kinds = counted.get(share) ?? new Set()
    counted.set(share, kinds.add(job.kind))
  }
  for (const [{ deaths }, kinds] of counted)
    for (const kind of kinds) deaths.set(kind, (deaths.get(kind) ?? 0) + 1)
}

/** What a job has left behind whose thread has ended: nothing names it, and nobody writes to it any more. */
function removeMade({ job, made }: PoolJob): void {
  const { ground } = job
  const fileSystem = ground
    ? new GuardedFileSystem(nodeFileSystem, new Ground(nodeFileSystem, ground))
    : nodeFileSystem
  for (const path of made) unlinkIfPossible(fileSystem, path)
}
