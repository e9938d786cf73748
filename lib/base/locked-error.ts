/** WISC_LOCKED: who has a store, where and since when, and what to do about it. */
import { WiscError } from './errors.ts'
import type { LockRefusal } from './file-system.ts'
import { parseLockHolder } from './lock.ts'

/**
 * @param path of the lock file
 * @param advice what cannot be done meanwhile, or what can
 */
export function lockedError(path: string, refusal: LockRefusal, advice: string): WiscError {
  const holder = parseLockHolder(refusal.holder)
  const who = refusal.isSelf ? 'this process' : 'another process'
  const doubt = refusal.inDoubt
    ? ', or had it and is gone, which nobody can prove from here: if you know it, empty or remove the named file'
    : ''
  const variables = holder
    ? `pid=${holder.pid} host=${holder.hostName}`
    : `holder=${JSON.stringify(refusal.holder)}`
  const since = holder && refusal.since ? ` since=${refusal.since}` : ''
  return new WiscError(
    'WISC_LOCKED',
    `${who} has the store open already${doubt}: ${advice} ${variables}${since} lock=${path}`,
  )
}
