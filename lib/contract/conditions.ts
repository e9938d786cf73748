/** Conditions as callers pass them: checked, and copied, since they are judged later. */
import { copyBytes, keyString, NO_BYTES } from '../base/bytes.ts'
import { invalidArgument, shownKey } from '../base/errors.ts'
import { SEQUENCE_MAX } from '../base/ids.ts'
import { keyBytes, valueBytes } from './arguments.ts'
import { integer, plainObject, refuseUnknown } from './checks.ts'
import { mustBe, typeOf } from './given.ts'
import type { Key, Value } from './types.ts'

const WANTS = ['absent', 'present', 'sequence', 'value'] as const

/** What must hold of a key. */
export interface ResolvedCondition {
  readonly key: Uint8Array
  readonly wants: (typeof WANTS)[number]
  /** That of the key's newest entry. */
  readonly sequence: number
  readonly value: Uint8Array
}

/** The condition of a single put or delete, which has the key. */
export function resolveKeyCondition(key: Key, condition: unknown): ResolvedCondition[] {
  return [resolve(copyBytes(keyBytes(key)), plainObject(condition, 'if'), WANTS, 'if')]
}

/** The conditions of a batch. @throws WISC_INVALID_ARGUMENT if two are on the same key: they could contradict */
export function resolveConditions(conditions: unknown): ResolvedCondition[] {
  if (!Array.isArray(conditions)) throw invalidArgument(mustBe('an array', 'if', conditions))
  const seen = new Set<string>()
  return Array.from(conditions, (given: unknown, index) => {
    const name = `if[${index}]`
    const condition = plainObject(given, name)
    const key = copyBytes(keyBytes(condition['key'] as Key, `${name}.key`))
    const resolved = resolve(key, condition, ['key', ...WANTS], name)
    const text = keyString(key)
    if (seen.has(text)) {
      throw invalidArgument(`${name} is a second condition on the same key key=${shownKey(key)}`)
    }
    seen.add(text)
    return resolved
  })
}

function resolve(
  key: Uint8Array,
  given: Record<string, unknown>,
  known: readonly string[],
  name: string,
): ResolvedCondition {
  refuseUnknown(given, known, name)
  const wanted = WANTS.filter((want) => given[want] !== undefined)
  const [wants] = wanted
  if (wants === undefined || wanted.length > 1) {
    const found = wanted.length > 1 ? wanted.join(' and ') : 'none of them'
    throw invalidArgument(`${name} must have one of ${WANTS.join(', ')}, not ${found}`)
  }
  const what = given[wants]
  if ((wants === 'absent' || wants === 'present') && what !== true) {
    const opposite = wants === 'absent' ? 'present' : 'absent'
    const given = what === false ? `false: for the opposite say ${opposite}: true` : typeOf(what)
    throw invalidArgument(`${name}.${wants} must be true, not ${given}`)
  }
  return {
    key,
    wants,
    sequence: wants === 'sequence' ? integer(`${name}.sequence`, what, 1, SEQUENCE_MAX) : 0,
    value: wants === 'value' ? copyBytes(valueBytes(what as Value, `${name}.value`)) : NO_BYTES,
  }
}
