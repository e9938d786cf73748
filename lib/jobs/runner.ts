/**
 * The runner of jobs: the worker threads that stores share (pool-runner.ts), or the calling thread itself
 * (inline-runner.ts).
 */
import { WiscError } from '../base/errors.ts'
import type { JobProgress } from './job-progress.ts'
import type { JobRate } from './job-rate.ts'
import type { Job, ResultOf } from './messages.ts'

export interface RunOptions {
  /** Ends the job at its next slice; what it has written is unlinked. */
  readonly signal?: AbortSignal
  /** Holds the job to a rate. A job that waits for its time, or is paused, holds up no other. */
  readonly rate?: JobRate
  /** Where it says how much of it is done. */
  readonly progress?: JobProgress | undefined
}

export interface JobRunner {
  /**
   * Runs a job. A flush goes before compactions, and these before the collector's jobs, those that have begun
   * included.
   * @throws WISC_ABORTED if it was cancelled, WISC_NOT_OPEN if the runner is closed, WISC_INTERNAL
   *   if its worker died; else what the job threw, with all its fields
   */
  run<J extends Job>(job: J, options?: RunOptions): Promise<ResultOf<J>>
  /**
   * Makes an arena known to jobs that begin from now on. Sharing the same memory again costs
   * nothing.
   */
  shareArena(id: number, buffer: SharedArrayBuffer): void
  /** Lets go of an arena that is not used again. Requires: no job reads it. */
  forgetArena(id: number): void
  /** Cancels all jobs, waits for their ends, and stops. A second call does nothing more. */
  close(): Promise<void>
}

export function jobAborted(): WiscError {
  return new WiscError('WISC_ABORTED', 'job was cancelled')
}

export function runnerClosed(): WiscError {
  return new WiscError('WISC_NOT_OPEN', 'the store is closed')
}
