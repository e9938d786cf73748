/** Tells each job what its directory must be, and the store at once when a job has found that it is not. */
import type { Ground } from '../base/files/ground.ts'
import type { Job, ResultOf } from './messages.ts'
import type { JobRunner, RunOptions } from './runner.ts'

export class GroundedRunner implements JobRunner {
  readonly #base: JobRunner
  readonly #ground: Ground

  constructor(base: JobRunner, ground: Ground) {
    this.#base = base
    this.#ground = ground
  }

  async run<J extends Job>(job: J, options?: RunOptions): Promise<ResultOf<J>> {
    try {
      return await this.#base.run({ ...job, ground: this.#ground.marks }, options)
    } catch (error) {
      // What a job cannot read may be somebody else's by now.
      throw this.#ground.look() ?? error
    }
  }

  shareArena(id: number, buffer: SharedArrayBuffer): void {
    this.#base.shareArena(id, buffer)
  }

  forgetArena(id: number): void {
    this.#base.forgetArena(id)
  }

  close(): Promise<void> {
    return this.#base.close()
  }
}
