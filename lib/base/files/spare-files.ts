/**
 * Files that are open only because opening them again costs time: the caches of all stores in this thread.
 *
 * Where the limit of the process is lower than what they may hold together, they would take every descriptor, and
 * nothing could be written any more. So what is refused for want of one is tried again after they have given some back.
 */
import { IoError } from '../errors.ts'

/** Who keeps such files. */
export interface SpareFiles {
  /** Closes a part of them, at least one. @returns false if there is none to close */
  giveUpSome(): boolean
}

/** Weak, for a store that is never closed. */
const keepers: Set<WeakRef<SpareFiles>> = new Set()

/** @returns to be called when all are closed */
export function keepsSpareFiles(keeper: SpareFiles): () => void {
  const reference = new WeakRef(keeper)
  keepers.add(reference)
  return () => {
    keepers.delete(reference)
  }
}

/** @returns false if nobody had any */
export function giveUpSpareFiles(): boolean {
  let some = false
  for (const reference of keepers) {
    const keeper = reference.deref()
    if (keeper === undefined) keepers.delete(reference)
    else if (keeper.giveUpSome()) some = true
  }
  return some
}

/** Calls again what failed for want of a descriptor, if there are spare files to close. @throws what it throws */
export function withDescriptor<T>(open: () => T): T {
  try {
    return open()
  } catch (error) {
    if (!isOutOfDescriptors(error) || !giveUpSpareFiles()) throw error
    return open()
  }
}

export function isOutOfDescriptors(error: unknown): boolean {
  return error instanceof IoError && (error.errno === 'EMFILE' || error.errno === 'ENFILE')
}
