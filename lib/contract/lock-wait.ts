/** The option `waitForLock` of `open`. */
import { invalidArgument } from '../base/errors.ts'
import { checkSignal, integer, refuseUnknown } from './checks.ts'
import { mustBe } from './given.ts'

/** How long an open waits for the lock. */
export interface LockWait {
  /** Milliseconds. Default: as long as it takes, if there is a signal; else 0. */
  readonly ms?: number
  /** Ends the wait with WISC_ABORTED. */
  readonly signal?: AbortSignal
}

export interface ResolvedLockWait {
  /** Infinity: only the signal ends it. */
  readonly ms: number
  readonly signal: AbortSignal | undefined
}

/** As long as a timer can be. */
const MS_MAX = 2 ** 31 - 1

/** @throws WISC_INVALID_ARGUMENT */
export function lockWait(value: unknown): ResolvedLockWait | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'number') {
    return { ms: integer('waitForLock', value, 0, MS_MAX), signal: undefined }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidArgument(mustBe('a number or { ms, signal }', 'waitForLock', value))
  }
  refuseUnknown(value, ['ms', 'signal'], 'waitForLock')
  const { ms, signal: given } = value as { ms?: unknown; signal?: unknown }
  const signal = checkSignal(given)
  if (ms !== undefined) return { ms: integer('waitForLock.ms', ms, 0, MS_MAX), signal }
  return { ms: signal ? Number.POSITIVE_INFINITY : 0, signal }
}
