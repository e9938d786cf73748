/**
 * Where the code of a worker lies: beside this module, also when both are parts of a bundle. A program that was bundled
 * with the library, but without the worker's file, has none.
 */
import { fileURLToPath } from 'node:url'
import type { FileSystem } from '../base/files/file-system.ts'

/** undefined where modules have no address, as in a bundle of CommonJS. */
export const WORKER_ENTRY: URL | undefined = workerEntry()

function workerEntry(): URL | undefined {
  try {
    return new URL('./worker.js', import.meta.url)
  } catch {
    return undefined
  }
}

/** False only if it is sure that there is no such file. */
export function mayExist(entry: URL, fileSystem: FileSystem): boolean {
  if (entry.protocol !== 'file:') return true
  try {
    return fileSystem.statPath(fileURLToPath(entry)) !== undefined
  } catch {
    return true
  }
}

/** What the platform says of code that no thread can begin with; a shortage of descriptors has other names. */
const UNUSABLE = new Set<unknown>([
  'ERR_MODULE_NOT_FOUND',
  'ERR_REQUIRE_ESM',
  'ERR_UNKNOWN_FILE_EXTENSION',
])

/** Why a thread that died before it could begin will never begin; undefined if it may. */
export function unusableCode(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined
  const { code } = cause as { readonly code?: unknown }
  // A package is looked for with descriptors, so it may only seem to be missing.
  const isMissing = UNUSABLE.has(code) && !cause.message.startsWith('Cannot find package')
  return isMissing || cause.name === 'SyntaxError' ? cause.message : undefined
}

/** @param why what is in the way */
export function noWorkerWarning(why: string): string {
  return (
    'no worker thread can be had, so flushes, compactions and collections run on the calling thread: ' +
    `leave wisc out of the bundle (mark "wisc" as external), see "Bundled programs" in its docs/platforms.md (${why})`
  )
}
