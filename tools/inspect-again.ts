/**
 * Looks at a store that may be in use: its writer may remove files while they are looked at. Then everything begins
 * again in a new view, a few times; what fails twice in the same place is what it seems to be.
 */
import { CorruptionError, IoError, type Store, WiscError } from '../lib/index.ts'
import type { VerbContext } from './verb.ts'
import { inspectStore } from './with-store.ts'

const ATTEMPTS_MAX = 8

export async function inspectAgain<T>(
  path: string,
  context: VerbContext,
  use: (store: Store) => Promise<T>,
): Promise<T> {
  let failure: unknown
  for (let attempt = 1; ; attempt++) {
    try {
      return await inspectStore(path, context, use)
    } catch (error) {
      if (attempt === ATTEMPTS_MAX || !mayBeStale(error) || isSamePlace(error, failure)) throw error
      failure = error
    }
  }
}

function mayBeStale(error: unknown): boolean {
  if (error instanceof IoError) return error.errno === 'ENOENT'
  if (!(error instanceof WiscError)) return false
  return error.code === 'WISC_STALE' || error.code === 'WISC_CORRUPTION'
}

function isSamePlace(left: unknown, right: unknown): boolean {
  return (
    left instanceof CorruptionError &&
    right instanceof CorruptionError &&
    left.file === right.file &&
    left.offset === right.offset
  )
}
