/** One thread of the pool, its jobs, and the arenas that it knows. */
import { Worker } from 'node:worker_threads'
import type { PoolJob, SharedArena } from './pool-job.ts'
import type { FromWorker, ToWorker } from './worker-protocol.ts'

export interface PoolWorkerEvents {
  readonly message: (message: FromWorker) => void
  /** Once, when the thread has ended for whatever reason. */
  readonly died: (cause: unknown) => void
  /** It has no job and should end. */
  readonly idle: () => void
}

export class PoolWorker {
  readonly jobs: Map<number, PoolJob> = new Map()
  /** It takes jobs: one that has been posted may have begun. */
  isReady = false
  readonly cancelled: Set<number> = new Set()
  readonly #arenas: Map<number, SharedArrayBuffer> = new Map()
  readonly #thread: Worker
  readonly #events: PoolWorkerEvents
  readonly #idleMs: number
  #idleTimer: NodeJS.Timeout | undefined
  /** It holds memory of a store that has closed. */
  #isRetired = false

  /** @throws if the platform gives no thread */
  constructor(entry: URL, idleMs: number, events: PoolWorkerEvents) {
    this.#events = events
    this.#idleMs = idleMs
    // Flags of the process, such as --input-type and --import, are not meant for it.
    this.#thread = new Worker(entry, { name: 'wisc', execArgv: [] })
    let failure: unknown
    this.#thread.on('message', events.message)
    this.#thread.on('error', (error) => {
      failure = error
    })
    this.#thread.on('messageerror', (error) => {
      failure = error
      void this.#thread.terminate()
    })
    this.#thread.on('exit', (code) => {
      clearTimeout(this.#idleTimer)
      events.died(failure ?? new Error(`worker exited, code=${code}`))
    })
    // Last: adding a listener for messages makes the thread count again.
    this.#becomeIdle()
  }

  /** @param arena the memory that the job reads, if it reads one */
  start(placed: PoolJob, arena: SharedArena | undefined): void {
    const { id, job, rate, share } = placed
    if (arena) this.#shareArena(arena)
    this.#post({
      type: 'job',
      id,
      job: arena && job.kind === 'flush' ? withArena(job, arena.id) : job,
      store: share.id,
      bytesPerSecond: rate?.bytesPerSecond,
    })
    this.jobs.set(id, placed)
    clearTimeout(this.#idleTimer)
    this.#thread.ref()
  }

  setRate(id: number, bytesPerSecond: number | undefined): void {
    if (this.jobs.has(id)) this.#post({ type: 'rate', id, bytesPerSecond })
  }

  /** It answers with an error, or with its result if that came first. */
  cancel(id: number): void {
    if (!this.jobs.has(id)) return
    this.cancelled.add(id)
    this.#post({ type: 'cancel', id })
  }

  /** @returns the job that has ended */
  ended(id: number): PoolJob | undefined {
    const placed = this.jobs.get(id)
    this.jobs.delete(id)
    this.cancelled.delete(id)
    if (this.jobs.size === 0) this.#becomeIdle()
    return placed
  }

  /**
   * The store of these arenas has closed. A thread lets go of shared memory when it collects garbage, which an idle one
   * never does: one that knows some of them ends as soon as it has no job.
   */
  retire(arenaIds: readonly number[]): void {
    // All of them are deleted.
    const known = arenaIds.filter((id) => this.#arenas.delete(id))
    if (known.length === 0) return
    this.#isRetired = true
    if (this.jobs.size === 0) this.#events.idle()
    else for (const id of known) this.#post({ type: 'forgetArena', id })
  }

  forgetArena(id: number): void {
    if (this.#arenas.delete(id)) this.#post({ type: 'forgetArena', id })
  }

  async terminate(): Promise<void> {
    await this.#thread.terminate()
  }

  /** From here on it keeps no process alive, and ends when no job comes. */
  #becomeIdle(): void {
    this.#thread.unref()
    clearTimeout(this.#idleTimer)
    if (this.#isRetired) {
      this.#events.idle()
      return
    }
    this.#idleTimer = setTimeout(this.#events.idle, this.#idleMs)
    this.#idleTimer.unref()
  }

  #shareArena({ id, buffer }: SharedArena): void {
    if (this.#arenas.get(id) === buffer) return
    this.#arenas.set(id, buffer)
    this.#post({ type: 'arena', id, buffer })
  }

  #post(message: ToWorker): void {
    this.#thread.postMessage(message)
  }
}

/** The job, with the name that its arena has in the pool. */
function withArena<J extends { readonly memtable: object }>(job: J, arenaId: number): J {
  return { ...job, memtable: { ...job.memtable, arenaId } }
}
