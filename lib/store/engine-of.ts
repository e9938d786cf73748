/** The way from a store to its engine, for lib/inspect: whoever uses a store does not see it. */
import { assert } from '../base/errors.ts'
import type { ReadingEngine } from '../reads/reading-engine.ts'

const WAYS: WeakMap<object, () => ReadingEngine> = new WeakMap()

/** For a store that is made. @param engine gives it, or says why not */
export function leadToEngine(store: object, engine: () => ReadingEngine): void {
  WAYS.set(store, engine)
}

/** @throws WISC_NOT_OPEN */
export function engineOf(store: object): ReadingEngine {
  const engine = WAYS.get(store)
  assert(engine !== undefined, 'it is a store of this library')
  return engine()
}
