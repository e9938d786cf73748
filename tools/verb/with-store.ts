/** Opens a store for one verb and closes it again, whatever happens. */
import { type Options, open, type Store } from '../../lib/index.ts'
import { Attempts, openDamaged } from '../../lib/inspect/owner/views.ts'
import { escapeText } from '../terminal/escape.ts'
import { InterruptedError } from '../terminal/exit-code.ts'
import type { VerbContext } from './verb.ts'

type Use<T> = (store: Store) => Promise<T>

/** For verbs that only look: no lock, not a byte is written (I11), also beside a process that writes. */
export function inspectStore<T>(path: string, context: VerbContext, use: Use<T>): Promise<T> {
  return withStore(path, { readOnly: true }, context, use)
}

/** The same for a store of which files may be missing or damaged. */
export function inspectDamaged<T>(path: string, context: VerbContext, use: Use<T>): Promise<T> {
  return withOpened(() => openDamaged(path), context, use)
}

/**
 * Reads a store that may be in use: its writer may remove files that are being read. Then everything begins
 * again in a new view; what fails twice in the same place is what it seems to be (lib/reads/read-again.ts).
 */
export async function inspectAgain<T>(
  path: string,
  context: VerbContext,
  use: (store: Store) => Promise<T>,
  inspect: typeof inspectStore = inspectStore,
): Promise<T> {
  const attempts = new Attempts()
  for (;;) {
    try {
      return await inspect(path, context, use)
    } catch (error) {
      attempts.again(error)
    }
  }
}

/** For verbs that write: takes the lock, creates nothing unless `options` say so. */
export function changeStore<T>(
  path: string,
  options: Options,
  context: VerbContext,
  use: Use<T>,
): Promise<T> {
  return withStore(path, { createIfMissing: false, ...options }, context, use)
}

function withStore<T>(
  path: string,
  options: Options,
  context: VerbContext,
  use: Use<T>,
): Promise<T> {
  return withOpened(() => open(path, options), context, use)
}

async function withOpened<T>(
  openIt: () => Promise<Store>,
  { signal, progress }: VerbContext,
  use: Use<T>,
): Promise<T> {
  const store = await openIt()
  store.on('warning', (text: string) => progress.say(`warning: ${escapeText(text)}`))
  let result: T
  try {
    if (signal.aborted) throw new InterruptedError('interrupted')
    result = await use(store)
  } catch (error) {
    progress.clear()
    // What went wrong first is what is told.
    await Promise.allSettled([store.close()])
    throw error
  }
  progress.clear()
  await store.close()
  return result
}
