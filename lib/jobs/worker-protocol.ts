/**
 * The protocol between pool and worker. Messages of one direction arrive in order.
 *
 * Errors cross as plain data: structured cloning would lose the class, the code and every field.
 */
import { CorruptionError, IoError, WiscError, type WiscErrorCode } from '../base/errors.ts'
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
  /** Of a file that a job is about to make: should the thread die, somebody else has to remove it. */
  | { readonly type: 'made'; readonly id: number; readonly path: string }
  | { readonly type: 'result'; readonly id: number; readonly result: JobResult }
  | { readonly type: 'error'; readonly id: number; readonly error: ErrorMessage }

/** An error as plain data. */
export interface ErrorMessage {
  readonly code: WiscErrorCode
  readonly message: string
  readonly stack: string | undefined
  readonly corruption?: { readonly file: string; readonly offset: number; readonly reason: string }
  readonly io?: { readonly operation: string; readonly path: string; readonly errno: string }
  readonly cause?: ErrorMessage | string
}

/** Causes nested deeper than this are left out. */
const CAUSES_MAX = 5

export function toErrorMessage(error: WiscError, depth: number = 0): ErrorMessage {
  const { code, message, stack, cause } = error
  let inner: ErrorMessage | string | undefined
  if (cause instanceof WiscError) {
    inner = depth < CAUSES_MAX ? toErrorMessage(cause, depth + 1) : undefined
  } else if (cause instanceof Error) inner = cause.stack ?? cause.message
  else if (cause !== undefined) inner = String(cause)
  return {
    code,
    message,
    stack,
    ...(error instanceof CorruptionError && {
      corruption: { file: error.file, offset: error.offset, reason: error.reason },
    }),
    ...(error instanceof IoError && {
      io: { operation: error.operation, path: error.path, errno: error.errno },
    }),
    ...(inner !== undefined && { cause: inner }),
  }
}

/** The error again, of its own class, with the stack of the worker. */
export function fromErrorMessage(message: ErrorMessage): WiscError {
  const { cause, corruption, io } = message
  const inner = typeof cause === 'string' ? new Error(cause) : cause && fromErrorMessage(cause)
  const options = inner === undefined ? {} : { cause: inner }
  let error: WiscError
  if (corruption) {
    error = new CorruptionError(corruption.file, corruption.offset, corruption.reason, options)
  } else if (io) error = new IoError(io.operation, io.path, io.errno, options)
  else error = new WiscError(message.code, message.message, options)
  error.message = message.message
  if (message.stack !== undefined) error.stack = message.stack
  return error
}
