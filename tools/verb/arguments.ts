/**
 * Arguments that several verbs have, and the way from words of the command line to bytes.
 *
 * Words are UTF-8, or hexadecimal with --hex. Node shows bytes that are no UTF-8 as U+FFFD: such a word may stand for
 * another key than it seems to, so it is refused.
 */
import type { ExpiryOptions, KeyRange, Options } from '../../lib/index.ts'
import { UsageError } from '../terminal/exit-code.ts'

export const STORE_PATH = {
  type: 'string',
  demandOption: true,
  describe: 'Directory of the store',
} as const

export const SEGMENT = {
  type: 'string',
  demandOption: true,
  describe: 'Number or name of the file',
} as const

export const KEY = { type: 'string', demandOption: true, describe: 'The key' } as const

export const HEX = {
  type: 'boolean',
  default: false,
  describe: 'Keys are hexadecimal',
} as const

export const EXACT_BYTES = {
  type: 'boolean',
  default: false,
  describe: 'Exact sizes instead of binary units',
} as const

interface KeyOption {
  readonly type: 'string'
  readonly requiresArg: true
  readonly describe: string
}

function keyOption(describe: string): KeyOption {
  return { type: 'string', requiresArg: true, describe }
}

/** A range of keys. */
export const RANGE: Readonly<Record<'prefix' | 'gt' | 'gte' | 'lt' | 'lte', KeyOption>> = {
  prefix: keyOption('Keys that begin with this'),
  gt: keyOption('Keys above this one'),
  gte: keyOption('This key and those above'),
  lt: keyOption('Keys below this one'),
  lte: keyOption('This key and those below'),
}

/** Of verbs that write. */
export const WAIT = {
  type: 'number',
  requiresArg: true,
  describe: 'Wait so many milliseconds for a process that has the store open',
} as const

/** The bytes that a word of the command line stands for. @param name what it is, for the error */
export function wordBytes(word: string, hex: boolean, name: string): Buffer {
  if (!hex) {
    if (word.includes('\ufffd')) {
      throw new UsageError(`the ${name} is not well-formed UTF-8 (or holds U+FFFD): use --hex`)
    }
    return Buffer.from(word)
  }
  if (!/^([0-9a-f]{2})*$/i.test(word)) {
    throw new UsageError(`the ${name} is not hexadecimal: ${word}`)
  }
  return Buffer.from(word, 'hex')
}

export type RangeWords = {
  readonly [Name in keyof typeof RANGE]: string | undefined
}

/** The range that was given. */
export function keyRange(words: RangeWords, hex: boolean): KeyRange {
  if (words.gt !== undefined && words.gte !== undefined) {
    throw new UsageError('--gt and --gte contradict each other')
  }
  if (words.lt !== undefined && words.lte !== undefined) {
    throw new UsageError('--lt and --lte contradict each other')
  }
  const range: Partial<Record<keyof RangeWords, Buffer>> = {}
  for (const name of Object.keys(RANGE) as (keyof RangeWords)[]) {
    const word = words[name]
    if (word !== undefined) range[name] = wordBytes(word, hex, `key of --${name}`)
  }
  return range
}

/** When a value is gone by itself. */
export const EXPIRY = {
  ttl: {
    type: 'number',
    requiresArg: true,
    describe: 'It is gone by itself after so many milliseconds',
  },
  'expires-at': {
    type: 'string',
    requiresArg: true,
    describe: 'It is gone by itself then: 2030-01-31T12:00Z, or milliseconds since 1970',
  },
} as const

/** What was given of both, checked: which of them has passed the store says. */
export function expiryOptions(
  ttl: number | undefined,
  expiresAt: string | undefined,
): ExpiryOptions {
  if (ttl !== undefined && expiresAt !== undefined)
    throw new UsageError('either --ttl or --expires-at, not both')
  if (ttl !== undefined) {
    if (Number.isSafeInteger(ttl) && ttl > 0) return { ttl }
    throw new UsageError('--ttl must be a whole number of milliseconds, 1 or more')
  }
  if (expiresAt === undefined) return {}
  const moment = /^\d+$/.test(expiresAt) ? Number(expiresAt) : Date.parse(expiresAt)
  if (Number.isSafeInteger(moment)) return { expiresAt: moment }
  const known = 'a moment such as 2030-01-31T12:00Z, or milliseconds since 1970'
  throw new UsageError(`--expires-at must be ${known}: ${expiresAt}`)
}

/** How long an open waits for the lock: Ctrl-C ends it. */
export function waiting(
  wait: number | undefined,
  { signal }: { readonly signal: AbortSignal },
): Pick<Options, 'waitForLock'> {
  return wait === undefined ? {} : { waitForLock: { ms: countOf(wait, '--wait'), signal } }
}

/** A count that was given as a number. */
export function countOf(value: number, name: string): number {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new UsageError(`${name} must be a whole number, 0 or more`)
  }
  return value
}
