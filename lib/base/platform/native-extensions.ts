/**
 * The one wrapper of fs-native-extensions: locks that belong to the open file description, and holes.
 *
 * The package is an optional dependency with prebuilt binaries for the common platforms; where it is missing
 * the caller falls back to a lock file (lock.ts), and there are no holes. Its errors have the name of the
 * system's error as `code`, and no number.
 *
 * To find its binary the package loads a dozen modules, a fifth of the time that an open takes. So the binary of a
 * version that is known is loaded from its place; where that fails, and of any other version, the package is asked.
 */
import { createRequire } from 'node:module'
import { requireDescriptors } from './node-descriptors.ts'

/**
 * Tries to lock an open file exclusively.
 * @returns true: held until the descriptor is closed; false: another has it; undefined: no such locks here
 */
export type TryLock = (descriptor: number) => boolean | undefined

/** Far behind the text of the lock file, so that others may read the text where locks are mandatory (Windows). */
const LOCKED_BYTE = 2 ** 30

/** What a file system without locks answers. */
const NO_LOCKS: ReadonlySet<unknown> = new Set(['ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'ENOLCK'])

/**
 * What a file system without holes answers for a regular file and a range that is right. EINVAL: some of those
 * in user space; ENOTTY: an unknown request; EISDIR: the platform's name for Windows' "invalid function".
 */
const NO_HOLES: ReadonlySet<unknown> = new Set([
  'ENOSYS',
  'ENOTSUP',
  'EOPNOTSUPP',
  'EINVAL',
  'ENOTTY',
  'EISDIR',
])

const PACKAGE = 'fs-native-extensions'
/** Those whose binary is asked with the arguments that `ofBinary` gives it. */
const KNOWN_VERSIONS: ReadonlySet<unknown> = new Set(['1.5.1'])

/** The part of the package that is used here; it has no types of its own. */
interface Extensions {
  tryLock(descriptor: number, offset: number, length: number): boolean
  trimSync(descriptor: number, offset: number, length: number): void
  sparseSync(descriptor: number): void
}

/** What its binary has. */
interface Binary {
  /** @throws EAGAIN: another has it */
  tryLock(descriptor: number, offset: number, length: number, exclusive: boolean): void
  trimSync(descriptor: number, offset: number, length: number): void
  sparseSync(descriptor: number): void
}

/** More than loading it takes at a time. */
const DESCRIPTORS_TO_LOAD = 8

/** null: not installed, or no binary for this platform. */
let extensions: Extensions | null | undefined

/**
 * {@link TryLock} of the running platform. The package is loaded by the first call. A second open of the same
 * file is refused, in the same process too, and the kernel drops the lock when the last descriptor goes, so
 * also on kill -9.
 */
export const tryNativeLock: TryLock = (descriptor) => {
  const native = loadExtensions()
  if (native === null) return undefined
  try {
    return native.tryLock(descriptor, LOCKED_BYTE, 1)
  } catch (error) {
    if (NO_LOCKS.has(codeOf(error))) return undefined
    throw error
  }
}

/**
 * Deallocates the bytes of [offset, offset + length) of a regular file, which read as zeros then; the size
 * stays. The bounds lie on whole blocks: elsewhere the platforms write zeros, some of them behind the end.
 * @returns false: no holes here, nothing has changed
 */
export function punchNative(descriptor: number, offset: number, length: number): boolean {
  const native = loadExtensions()
  if (native === null) return false
  try {
    // Windows keeps holes only in files that are marked as sparse; elsewhere this does nothing.
    native.sparseSync(descriptor)
    native.trimSync(descriptor, offset, length)
    return true
  } catch (error) {
    if (NO_HOLES.has(codeOf(error))) return false
    throw error
  }
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code
}

function loadExtensions(): Extensions | null {
  if (extensions !== undefined) return extensions
  // That there is no descriptor to load it with must not be taken for that it is not there.
  requireDescriptors(DESCRIPTORS_TO_LOAD)
  try {
    const require = createRequire(import.meta.url)
    extensions = loadBinary(require) ?? (require(PACKAGE) as Extensions)
  } catch {
    // The callers take their fallbacks.
    extensions = null
  }
  return extensions
}

/** undefined: it is of another version, or has no binary in the usual place. */
function loadBinary(require: NodeJS.Require): Extensions | undefined {
  try {
    const { version } = require(`${PACKAGE}/package.json`) as { readonly version: unknown }
    if (!KNOWN_VERSIONS.has(version)) return undefined
    const { platform, arch } = process
    return ofBinary(require(`${PACKAGE}/prebuilds/${platform}-${arch}/${PACKAGE}.node`) as Binary)
  } catch {
    return undefined
  }
}

function ofBinary(binary: Binary): Extensions {
  return {
    tryLock: (descriptor, offset, length) => {
      try {
        binary.tryLock(descriptor, offset, length, true)
        return true
      } catch (error) {
        if (codeOf(error) === 'EAGAIN') return false
        throw error
      }
    },
    trimSync: (descriptor, offset, length) => binary.trimSync(descriptor, offset, length),
    sparseSync: (descriptor) => {
      if (process.platform === 'win32') binary.sparseSync(descriptor)
    },
  }
}
