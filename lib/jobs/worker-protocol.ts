/** What pool and worker say to each other. Messages of one direction arrive in order. */
import type { ErrorMessage } from './error-message.ts'
import type { Job, JobResult } from './messages.ts'

export type ToWorker =
  | { readonly type: 'arena'; readonly id: number; readonly buffer: SharedArrayBuffer }
  | { readonly type: 'forgetArena'; readonly id: number }
  | {
      readonly type: 'job'
      readonly id: number
      readonly job: Job
      /** Whose it is: stores take turns. */
      readonly store: number
      readonly bytesPerSecond: number | undefined
    }
  | { readonly type: 'rate'; readonly id: number; readonly bytesPerSecond: number | undefined }
  | { readonly type: 'cancel'; readonly id: number }

export type FromWorker =
  /** The first one: before it no job has begun. */
  | { readonly type: 'ready' }
  | { readonly type: 'result'; readonly id: number; readonly result: JobResult }
  | { readonly type: 'error'; readonly id: number; readonly error: ErrorMessage }
