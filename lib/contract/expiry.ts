/** When a value expires: what callers give, and the moment that it becomes. */
import { wallTime } from '../base/clock.ts'
import { invalidArgument } from '../base/errors.ts'
import { boolean, integer, plainObject, refuseUnknown } from './checks.ts'
import { mustBe } from './given.ts'
import type { ExpiryOptions, TouchOptions } from './types.ts'

export const EXPIRY_NAMES: readonly string[] = ['expiresAt', 'ttl']
/** The last moment of a Date, in milliseconds since 1970. */
const MOMENT_MAX = 8.64e15

/**
 * The moment of a put: milliseconds since 1970, 0 for never.
 * @throws WISC_INVALID_ARGUMENT for the past, and for both ways at once
 */
export function expiryOf({ expiresAt, ttl }: ExpiryOptions, name: string): number {
  if (expiresAt === undefined && ttl === undefined) return 0
  if (expiresAt !== undefined && ttl !== undefined)
    throw invalidArgument(`${name} has both expiresAt and ttl`)
  const now = wallTime()
  if (ttl !== undefined) {
    // The limit is told without the clock: the same message each time.
    return Math.min(now + integer(`${name}.ttl`, ttl, 1, MOMENT_MAX), MOMENT_MAX)
  }
  const moment = expiresAt instanceof Date ? expiresAt.getTime() : expiresAt
  if (typeof moment !== 'number' || Number.isNaN(moment)) {
    const known = 'a valid Date or milliseconds since 1970'
    throw invalidArgument(mustBe(known, `${name}.expiresAt`, expiresAt))
  }
  const checked = integer(`${name}.expiresAt`, moment, -MOMENT_MAX, MOMENT_MAX)
  if (checked <= now) {
    // Seconds instead of milliseconds show by the year.
    const moment = new Date(checked).toISOString()
    throw invalidArgument(`${name}.expiresAt has passed, expiresAt=${checked} (${moment})`)
  }
  return checked
}

/** The options of a touch. */
export function touchSettings(
  options: TouchOptions,
  standardSync: boolean,
): { readonly sync: boolean; readonly expiresAt: number } {
  const given = plainObject(options, 'options of touch')
  refuseUnknown(given, ['sync', ...EXPIRY_NAMES], 'touch')
  const expiresAt = expiryOf(given as ExpiryOptions, 'options')
  if (expiresAt === 0) throw invalidArgument('touch needs expiresAt or ttl')
  return { sync: boolean('sync', given['sync'], standardSync), expiresAt }
}

/** The options of a put in a transaction. */
export function transactionPutExpiry(options: unknown): number {
  if (options === undefined) return 0
  const given = plainObject(options, 'options')
  refuseUnknown(given, EXPIRY_NAMES, 'put of a transaction')
  return expiryOf(given as ExpiryOptions, 'options')
}
