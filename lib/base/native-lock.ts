/**
 * The one wrapper of fs-native-extensions: a lock that belongs to the open file description.
 *
 * A second open of the same file is refused, in the same process too, and the kernel drops the lock when
 * the last descriptor goes, so also on kill -9. The package is an optional dependency with prebuilt binaries
 * for the common platforms; where it is missing the caller falls back to a lock file (lock.ts).
 */
import { createRequire } from 'node:module'

/**
 * Tries to lock an open file exclusively.
 * @returns true: held until the descriptor is closed; false: another has it; undefined: no such locks here
 */
export type TryLock = (descriptor: number) => boolean | undefined

/** Far behind the text of the lock file, so that others may read the text where locks are mandatory (Windows). */
const LOCKED_BYTE = 2 ** 30

/** What a file system without locks answers. */
const UNSUPPORTED: ReadonlySet<unknown> = new Set(['ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'ENOLCK'])

/** The part of the package that is used here; it has no types of its own. */
interface Extensions {
  tryLock(descriptor: number, offset: number, length: number): boolean
}

let extensions: Extensions | null | undefined

/** {@link TryLock} of the running platform. The package is loaded by the first call. */
export const tryNativeLock: TryLock = (descriptor) => {
  extensions ??= loadExtensions()
  if (extensions === null) return undefined
  try {
    return extensions.tryLock(descriptor, LOCKED_BYTE, 1)
  } catch (error) {
    if (UNSUPPORTED.has((error as { code?: unknown }).code)) return undefined
    throw error
  }
}

function loadExtensions(): Extensions | null {
  try {
    return createRequire(import.meta.url)('fs-native-extensions') as Extensions
  } catch {
    // Not installed, or no binary for this platform: the caller takes the fallback.
    return null
  }
}
