/**
 * Looks at a store that may be in use: its writer may remove files while they are looked at. Then everything begins
 * again in a new view; what fails twice in the same place is what it seems to be (lib/reads/look-again.ts).
 */
import type { Store } from '../lib/index.ts'
import { Looks } from '../lib/inspect/owner/looks.ts'
import type { VerbContext } from './verb.ts'
import { inspectStore } from './with-store.ts'

export async function inspectAgain<T>(
  path: string,
  context: VerbContext,
  use: (store: Store) => Promise<T>,
  inspect: typeof inspectStore = inspectStore,
): Promise<T> {
  const looks = new Looks()
  for (;;) {
    try {
      return await inspect(path, context, use)
    } catch (error) {
      looks.again(error)
    }
  }
}
