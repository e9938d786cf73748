/** Errors as abstract-level has them: a code that begins with LEVEL_, and the error of the store as the cause. */
import { WiscError, type WiscErrorCode } from '../index.ts'

/** What abstract-level has a code for. An error of another kind keeps the code of the store. */
const CODES: Partial<Record<WiscErrorCode, string>> = {
  WISC_NOT_OPEN: 'LEVEL_DATABASE_NOT_OPEN',
  WISC_LOCKED: 'LEVEL_LOCKED',
  WISC_READ_ONLY: 'LEVEL_READONLY',
  WISC_CORRUPTION: 'LEVEL_CORRUPTION',
  WISC_IO: 'LEVEL_IO_ERROR',
  WISC_DISK_FULL: 'LEVEL_IO_ERROR',
  WISC_SYNC_FAILED: 'LEVEL_IO_ERROR',
  WISC_ABORTED: 'LEVEL_ABORTED',
}

/** What messages of abstract-level are searched for. */
const PHRASES: Partial<Record<WiscErrorCode, string>> = {
  WISC_NO_STORE: 'database does not exist',
  WISC_EXISTS: 'database exists',
}

export class LevelError extends Error {
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    // The platform calls an abort so, whoever reports it.
    this.name = code === 'LEVEL_ABORTED' ? 'AbortError' : 'LevelError'
    this.code = code
  }
}

/** What the store has thrown, as users of abstract-level expect it; anything else stays what it is. */
export function toLevelError(error: unknown): unknown {
  if (!(error instanceof WiscError)) return error
  const { code, message } = error
  const phrase = PHRASES[code]
  const text = phrase ? `${phrase}: ${message}` : message
  return new LevelError(codeOf(code, message), text, { cause: error })
}

/** @param message names the thing first: the key or value, of an operation or alone */
function codeOf(code: WiscErrorCode, message: string): string {
  if (code === 'WISC_INVALID_ARGUMENT') {
    const thing = /^(?:operations\[\d+\]\.)?(key|value)s?\b/.exec(message)?.[1]
    if (thing) return thing === 'key' ? 'LEVEL_INVALID_KEY' : 'LEVEL_INVALID_VALUE'
  }
  return CODES[code] ?? code
}

/** The same promise, rejected as users of abstract-level expect it. */
export function asLevel<T>(promise: Promise<T>): Promise<T> {
  return promise.catch(rethrow)
}

function rethrow(error: unknown): never {
  throw toLevelError(error)
}
