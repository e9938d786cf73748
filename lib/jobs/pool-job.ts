/** The stores that share a worker pool, and their jobs, as the pool knows them. */
import type { WiscError } from '../base/errors.ts'
import type { JobRate } from './job-rate.ts'
import type { Job, JobResult } from './messages.ts'
import type { JobRunner } from './runner.ts'

/** An arena under the name that it has in the whole pool: each store counts its own from 0. */
export interface SharedArena {
  readonly id: number
  readonly buffer: SharedArrayBuffer
}

/** One store's part of a pool. */
export interface PoolShare {
  /** No other share of the pool has it. */
  readonly id: number
  /** The most threads that its jobs are on at a time, at least 1. */
  readonly workersMax: number
  /** Runs what no thread can be had for, on the calling thread. */
  readonly inline: JobRunner
  /** Workers that have died in a row with jobs of a kind, since one of that kind has given a result. */
  readonly deaths: Map<Job['kind'], number>
  /** An arena by the store's own name for it. */
  arena(id: number): SharedArena | undefined
  settle(id: number, result: JobResult | undefined, error: WiscError | undefined): void
  /** No thread can be had, and none will be: told once. */
  warn(message: string): void
}

/** A job, whose it is, and how fast it may go. */
export interface PlacedJob {
  readonly job: Job
  readonly rate: JobRate | undefined
  readonly share: Pick<PoolShare, 'workersMax'>
}

export interface PoolJob extends PlacedJob {
  /** No other job of the pool has it. */
  readonly id: number
  readonly share: PoolShare
  /** Files that it has made, or was about to. */
  readonly made: string[]
}
