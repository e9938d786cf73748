/**
 * A runner around another one that stops jobs of a given kind at a given point, for tests of races: the test waits
 * until a job stands there, does what it wants, and lets it go on.
 */
import type { Job, ResultOf } from '#dist/lib/jobs/messages.js'
import type { JobRunner, RunOptions } from '#dist/lib/jobs/runner.js'

type Kind = Job['kind']
/** Before the job starts, or when it has ended and nobody knows yet. */
type Point = 'before' | 'after'

interface Gate {
  readonly point: Point
  /** Jobs that stand here, and what lets each go on. */
  readonly standing: Map<Job, () => void>
}

export class PausedRunner implements JobRunner {
  readonly #runner: JobRunner
  readonly #gates: Map<Kind, Gate> = new Map()
  #waiters: { readonly kind: Kind; readonly resolve: (job: Job) => void }[] = []

  constructor(runner: JobRunner) {
    this.#runner = runner
  }

  /** From now on jobs of this kind stop at the point. One that has passed it already goes on. */
  hold(kind: Kind, point: Point): void {
    this.release(kind)
    this.#gates.set(kind, { point, standing: new Map() })
  }

  /** Resolves with a job of this kind that stands at its point, as soon as there is one. */
  reached(kind: Kind): Promise<Job> {
    const [job] = this.#gates.get(kind)?.standing.keys() ?? []
    if (job) return Promise.resolve(job)
    return new Promise((resolve) => this.#waiters.push({ kind, resolve }))
  }

  /** Lets all jobs of this kind go on, and stops no more of them. */
  release(kind: Kind): void {
    const gate = this.#gates.get(kind)
    this.#gates.delete(kind)
    for (const goOn of gate?.standing.values() ?? []) goOn()
  }

  async run<J extends Job>(job: J, options: RunOptions = {}): Promise<ResultOf<J>> {
    const { signal } = options
    // One that is cancelled goes on at once, and is refused below.
    if (!signal?.aborted) await this.#stop(job, 'before', signal)
    try {
      return await this.#runner.run(job, options)
    } finally {
      await this.#stop(job, 'after')
    }
  }

  async #stop(job: Job, point: Point, signal?: AbortSignal): Promise<void> {
    const gate = this.#gates.get(job.kind)
    if (gate?.point !== point) return
    await new Promise<void>((goOn) => {
      gate.standing.set(job, goOn)
      signal?.addEventListener('abort', () => goOn(), { once: true })
      for (const { kind, resolve } of this.#waiters) if (kind === job.kind) resolve(job)
      this.#waiters = this.#waiters.filter(({ kind }) => kind !== job.kind)
    })
    gate.standing.delete(job)
  }

  shareArena(id: number, buffer: SharedArrayBuffer): void {
    this.#runner.shareArena(id, buffer)
  }

  forgetArena(id: number): void {
    this.#runner.forgetArena(id)
  }

  /** What stands before its start is refused; what has ended is told so. */
  async close(): Promise<void> {
    const closed = this.#runner.close()
    for (const kind of [...this.#gates.keys()]) this.release(kind)
    await closed
  }
}
