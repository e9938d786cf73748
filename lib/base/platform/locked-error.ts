/** WISC_LOCKED: who has a store, where and since when, and what to do about it. */
import { WiscError } from '../errors.ts'
import type { LockRefusal } from '../files/file-system.ts'
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
  const since = holder && refusal.since ? ` since=${refusal.since}` : ''
  const variables = holder
    ? `host=${holder.hostName}${since} pid=${holder.pid}`
    : `holder=${JSON.stringify(refusal.holder)}`
  return new WiscError(
    'WISC_LOCKED',
    `${who} has the store open already${doubt}: ${advice} lock=${path} ${variables}`,
  )
}
