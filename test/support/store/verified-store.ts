/** A small store with pointers and inline values on a file system whose bytes can be changed in place, for verify. */
import type { Store } from '#dist/lib/store/store.js'
import type { FaultFileSystem } from '../files/fault-file-system.ts'
import { openSmallStore } from './fault-store.ts'

/** A hundred keys, half of them with values in the log of 400 bytes of the number of the key: in one table. */
export async function makeFlushedStore(fileSystem: FaultFileSystem): Promise<Store> {
  // The collector would flush earlier, to see what is dead.
  const store = await openSmallStore({ collector: { enabled: false } }, fileSystem)
  for (let i = 0; i < 100; i++) await store.put(`key${i}`, Buffer.alloc(i % 2 === 0 ? 30 : 400, i))
  await store.flush()
  return store
}

/** The visible bytes of a file, to change in place. */
export function visibleFile(
  fileSystem: FaultFileSystem,
  pattern: RegExp,
): { name: string; bytes: Uint8Array } {
  const found = [...fileSystem.visibleImage().files].find(
    ([path, bytes]) => pattern.test(path) && bytes.length > 0,
  )!
  return { name: found[0].slice(found[0].lastIndexOf('/') + 1), bytes: found[1] }
}
