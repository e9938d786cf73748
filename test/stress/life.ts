/**
 * One life of the stress program's store, from an open to a close, and how an actor of it does one thing.
 *
 * In a run with faults a refusal is an answer like any other, but what is seen must be right all the same.
 */
import { type RangeOptions, type Store, WiscError } from '#dist/lib/index.js'
import type { Prng } from '../support/random.ts'
import { GROUPS, keyOf } from './content.ts'
import type { Histories } from './histories.ts'

/** One life of the store: from an open to a close. */
export interface Life {
  readonly store: Store
  readonly directory: string
  readonly maxOpenFiles: number
  readonly faults: boolean
  readonly histories: Histories
  readonly counts: Map<string, number>
  ended: boolean
}

/** Nobody promises that these do not happen when calls fail. */
const FAULT_CODES: ReadonlySet<string> = new Set(['WISC_IO', 'WISC_DISK_FULL'])

/** Work that a signal may break off. */
const BREAKABLE: ReadonlySet<string> = new Set([
  'scan',
  'compact',
  'compact range',
  'collect',
  'plan',
  'verify',
])

/** True for an answer that is right: what an actor asked for itself, or what comes of a call that failed. */
function isRight(life: Life, name: string, code: string): boolean {
  if (code === 'WISC_ABORTED') return BREAKABLE.has(name)
  if (code === 'WISC_STALE') return name === 'plan'
  // No other call that fails is a failed sync.
  if (code === 'WISC_SYNC_FAILED') return life.histories.syncFailed
  return life.faults && FAULT_CODES.has(code)
}

export function count({ counts }: Life, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

/** Does one thing. @returns what it gave, or undefined if it was refused as it may be */
export async function attempt<T>(
  life: Life,
  name: string,
  work: () => T | Promise<T>,
): Promise<T | undefined> {
  count(life, name)
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof WiscError)) throw error
    if (!isRight(life, name, error.code))
      throw new Error(`${name}: ${error.message}`, { cause: error })
    count(life, `${name} ${error.code}`)
    return undefined
  }
}

/** Some neighbouring groups. */
export interface GroupRange {
  readonly from: number
  readonly to: number
  readonly bounds: RangeOptions
}

export function drawRange(prng: Prng): GroupRange {
  const from = prng.below(GROUPS)
  const to = Math.min(GROUPS - 1, from + prng.below(prng.chance(0.2) ? GROUPS : 12))
  const reverse = prng.chance(0.3)
  const highWaterMarkBytes = prng.pick([1, 65_536, 1 << 20])
  const bounds = {
    gte: keyOf(from, 0),
    lt: `${String(to).padStart(4, '0')}0`,
    reverse,
    highWaterMarkBytes,
  }
  return { from, to, bounds }
}
