/** The process that has a store open, asked through its control socket. */
import { ControlClient } from '../lib/inspect/control-client.ts'
import { UsageError } from './exit-code.ts'
import type { VerbContext } from './verb.ts'
import { inspectStore } from './with-store.ts'

/** Asks the owner of a store, if there is one that answers. @returns undefined if there is none */
export async function askOwner<T>(
  path: string,
  use: (owner: ControlClient) => Promise<T>,
): Promise<T | undefined> {
  const owner = await ControlClient.connect(path)
  if (!owner) return undefined
  try {
    return await use(owner)
  } finally {
    owner.close()
  }
}

/** @throws UsageError if no process answers, WISC_NO_STORE if there is no store at all */
export async function connectOwner(path: string, context: VerbContext): Promise<ControlClient> {
  const owner = await ControlClient.connect(path)
  if (owner) return owner
  await inspectStore(path, context, () => Promise.resolve())
  throw new UsageError(
    'no process answers for this store: none has it open for writing, or not with controlSocket',
  )
}

/** Snapshots and iterators that are open in the owner; none if nobody answers. */
export async function openReaders(
  path: string,
): Promise<{ readonly sequence: number; readonly count: number }[]> {
  const open = await askOwner(path, (owner) => owner.ask('snapshots'))
  return [...(open?.readers ?? [])]
}
