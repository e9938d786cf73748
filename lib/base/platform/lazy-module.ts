/**
 * Modules that are loaded when they are first needed: never while the process has no descriptor to read them with,
 * since they could not be loaded ever after. The call is refused then, and the next one may succeed.
 */
import { requireDescriptors } from './node-descriptors.ts'

/** More files than one of them has that are read at a time. */
const DESCRIPTORS = 32

/**
 * @param load imports it
 * @returns what gives the module; it rejects with IoError EMFILE or ENFILE while it cannot be loaded
 */
export function lazyModule<T>(load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined
  return async () => {
    if (!loading) {
      requireDescriptors(DESCRIPTORS)
      loading = load()
    }
    return loading
  }
}
