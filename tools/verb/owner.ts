/**
 * The process that has a store open, asked through its control socket.
 *
 * It may be stopped, hang, or have no socket: then it is named, and what only it knows is unknown, never nothing.
 */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { IoError, WiscError } from '../../lib/index.ts'
import {
  ControlClient,
  type ReadersAt,
  SilentOwnerError,
} from '../../lib/inspect/owner/control-client.ts'
import { type StoreOwner, storeOwner } from '../../lib/inspect/owner/store-owner.ts'
import { InterruptedError, UsageError } from '../terminal/exit-code.ts'
import type { VerbContext } from './verb.ts'
import { inspectStore } from './with-store.ts'

const PATIENCE_MS = 1000
/** A process that has just closed its store, or that too many ask at once, is asked so often. */
const ATTEMPTS_MAX = 3

/** Who has a store open for writing. */
export interface Owner {
  /** Undefined if nobody can say. */
  readonly pid: number | undefined
  /** As the system shows it. */
  readonly command: string | undefined
  /** The connection, to be closed; undefined if it does not answer. */
  readonly client: ControlClient | undefined
  /** What was open in it when it was found; undefined if it does not answer. */
  readonly readers: readonly ReadersAt[] | undefined
  /** Why it does not, in a sentence that begins with whom it is about. */
  readonly silence: string | undefined
}

/** How long an answer may take. For slow machines there is a variable of the environment. */
export function patienceMs(): number {
  const given = Number(process.env['WISC_PATIENCE_MS'])
  return Number.isSafeInteger(given) && given > 0 ? given : PATIENCE_MS
}

/** Looks for the owner, and whether it answers. @returns undefined if no process has the store open */
export async function findOwner(
  path: string,
  { signal }: Pick<VerbContext, 'signal'>,
): Promise<Owner | undefined> {
  for (let attempt = 1; ; attempt++) {
    let client: ControlClient | undefined
    try {
      client = await ControlClient.connect(path)
      if (!client) {
        return silent(await storeOwner(path), 'has no control socket that can be asked')
      }
      const { readers } = await client.ask('snapshots', { signal, patienceMs: patienceMs() })
      const pid = (await storeOwner(path))?.pid
      return { pid, command: commandOf(pid), client, readers, silence: undefined }
    } catch (error) {
      client?.close()
      if (signal.aborted) throw new InterruptedError('interrupted')
      const isGone = error instanceof WiscError && error.code === 'WISC_NOT_OPEN'
      if (isGone && attempt < ATTEMPTS_MAX) continue
      const isSilent = error instanceof SilentOwnerError || error instanceof IoError || isGone
      if (!isSilent) throw error
      return silent(await storeOwner(path), 'does not answer')
    }
  }
}

function silent(found: StoreOwner | undefined, why: string): Owner | undefined {
  if (!found) return undefined
  const { pid, isHere } = found
  const who =
    pid === undefined
      ? 'the process that has the store open'
      : `pid ${pid}${isHere ? '' : ', of another machine or container,'}`
  const command = isHere ? commandOf(pid) : undefined
  return { pid, command, client: undefined, readers: undefined, silence: `${who} ${why}` }
}

/** @throws UsageError if no process has the store open, WISC_LOCKED if it does not answer, WISC_NO_STORE */
export async function connectOwner(path: string, context: VerbContext): Promise<ControlClient> {
  const owner = await findOwner(path, context)
  if (owner?.client) return owner.client
  await inspectStore(path, context, () => Promise.resolve())
  if (owner) throw new WiscError('WISC_LOCKED', owner.silence!)
  throw new UsageError('no process has this store open for writing')
}

/** Says what cannot be known because of an owner that does not answer. */
export function sayUnknown(owner: Owner, { progress }: Pick<VerbContext, 'progress'>): void {
  progress.say(`${owner.silence}; what it pins is unknown`)
}

/** Snapshots and iterators that are open in the owner. @returns undefined, and says so, if it does not answer */
export async function openReaders(
  path: string,
  context: VerbContext,
): Promise<readonly ReadersAt[] | undefined> {
  const owner = await findOwner(path, context)
  owner?.client?.close()
  if (!owner) return []
  if (!owner.readers) sayUnknown(owner, context)
  return owner.readers
}

/**
 * Waits for long work of an owner, and says when the owner stops answering meanwhile: with a connection of its own, for
 * each one answers one request after the other. Whoever waits may go on or press Ctrl-C.
 */
export async function watchOwner<T>(
  path: string,
  context: VerbContext,
  work: Promise<T>,
): Promise<T> {
  const ended = new AbortController()
  const watching = watch(path, context, AbortSignal.any([context.signal, ended.signal]))
  try {
    return await work
  } finally {
    ended.abort()
    await watching
  }
}

async function watch(path: string, { progress }: VerbContext, signal: AbortSignal): Promise<void> {
  let isSilent = false
  try {
    for (;;) {
      await setTimeout(patienceMs(), undefined, { signal })
      const owner = await findOwner(path, { signal })
      owner?.client?.close()
      const wasSilent = isSilent
      isSilent = owner !== undefined && owner.client === undefined
      if (isSilent && !wasSilent) progress.say(`${owner?.silence}; waiting for it`)
    }
  } catch {
    // The work has ended; what else may go wrong here is told by the work itself.
    return
  }
}

/**
 * The command line of a process, as the system shows it to everybody.
 * @returns undefined if there is no such process, or no way to ask
 */
function commandOf(pid: number | undefined): string | undefined {
  if (pid === undefined) return undefined
  try {
    if (process.platform === 'linux') {
      const words = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      return words.join(' ').trim() || undefined
    }
    if (process.platform === 'win32') return undefined
    const words = ['-p', `${pid}`, '-o', 'command=']
    return execFileSync('ps', words, { encoding: 'utf8', timeout: 1000 }).trim() || undefined
  } catch {
    // It has ended.
    return undefined
  }
}
