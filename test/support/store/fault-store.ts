/** Stores on the fault-injecting file system, with small sizes, so that little work reaches every part. */
import { onTestFinished } from 'vitest'
import type { Options } from '#dist/lib/contract/options.js'
import { openStore } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import { DIRECTORY } from '../crash/recover-image.ts'
import { FaultFileSystem } from '../files/fault-file-system.ts'
import { seededRandom } from '../random.ts'

export const SMALL_OPTIONS: Options = {
  workers: 0,
  segmentBytes: 65536,
  memtableBytes: 65536,
  blockCacheBytes: 65536,
  valueThreshold: 100,
  tree: { sizeRatio: 4, tableBytes: 8192, blockBytes: 512 },
}

/** Opens a store that is closed when the test has ended. */
export async function openSmallStore(
  options: Options = {},
  fileSystem: FaultFileSystem = new FaultFileSystem(),
): Promise<Store> {
  const store = await openStore(
    DIRECTORY,
    { ...SMALL_OPTIONS, ...options },
    { fileSystem, random: seededRandom(1) },
  )
  onTestFinished(async () => {
    // A test that has made closing fail has said so itself.
    await Promise.allSettled([store.close()])
  })
  return store
}

/** The code of the WiscError with which an action fails. */
export async function codeOf(action: () => unknown): Promise<unknown> {
  try {
    await action()
  } catch (error) {
    return (error as { code?: unknown }).code ?? error
  }
  return 'no error'
}
