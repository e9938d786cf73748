/** Checks of what callers give, whatever it is for: objects with known names, flags, numbers within limits. */
import { invalidArgument } from '../base/errors.ts'
import { mustBe, shown } from './given.ts'

export function optionalBytes(name: string, value: unknown, min: number): number | undefined {
  return value === undefined ? undefined : integer(name, value, min, Number.MAX_SAFE_INTEGER)
}

export function boolean(name: string, value: unknown, standard: boolean): boolean {
  if (value === undefined) return standard
  if (typeof value !== 'boolean') throw invalidArgument(mustBe('a boolean', name, value))
  return value
}

/** An object with own, enumerable settings; nothing else is looked at. */
export function plainObject(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidArgument(mustBe('an object', name, value))
  }
  return value as Record<string, unknown>
}

/** Refuses names that are not in `known`. */
export function refuseUnknown(value: object, known: readonly string[], name: string): void {
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) throw invalidArgument(`unknown option of ${name} name=${key}`)
  }
}

export function integer(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw invalidArgument(`${name} must be an integer of ${min} to ${max}, not ${shown(value)}`)
  }
  return value
}

export function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || isSignal(signal)) return signal
  throw invalidArgument(mustBe('an AbortSignal', 'signal', signal))
}

/** Not `instanceof`: libraries bring their own, as jsdom does. */
function isSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null) return false
  const { aborted, addEventListener, removeEventListener } = value as Partial<AbortSignal>
  const isTarget =
    typeof addEventListener === 'function' && typeof removeEventListener === 'function'
  return typeof aborted === 'boolean' && isTarget
}
