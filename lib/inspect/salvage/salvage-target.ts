/**
 * The new store that a salvage fills. Until the last entry is durable a marker says that it is not complete, and
 * whoever opens it is refused.
 *
 * The durable order: the marker and its name -> the store, its entries, its close in order -> the marker goes. So
 * a crash in any step leaves nothing that looks like a store, an unfinished one that says so, or the whole one.
 */
import { resolve } from 'node:path'
import { joinPath, SALVAGE_NAME } from '../../base/files/file-names.ts'
import type { FileSystem } from '../../base/files/file-system.ts'
import { nodeFileSystem } from '../../base/platform/node-file-system.ts'
import type { Options } from '../../contract/options.ts'
import { makeDirectories } from '../../recovery/store-place.ts'
import { openStore } from '../../store/open-store.ts'
import type { Store } from '../../store/store.ts'

const TEXT = 'wisc salvage has not come to its end here: remove this directory, and salvage again\n'

export class SalvageTarget {
  readonly #fileSystem: FileSystem
  readonly #directory: string
  readonly store: Store

  private constructor(fileSystem: FileSystem, directory: string, store: Store) {
    this.#fileSystem = fileSystem
    this.#directory = directory
    this.store = store
  }

  /** @param directory missing, or empty. @throws IoError, and what an open throws */
  static async create(
    path: string,
    options: Options,
    fileSystem: FileSystem = nodeFileSystem,
  ): Promise<SalvageTarget> {
    const directory = resolve(path)
    if (fileSystem.statPath(directory) === undefined) makeDirectories(fileSystem, directory)
    const marker = fileSystem.open(joinPath(directory, SALVAGE_NAME), 'create')
    try {
      const text = Buffer.from(TEXT)
      marker.write(text, 0, text.length, 0)
      marker.dataSync()
    } finally {
      marker.close()
    }
    fileSystem.syncDirectory(directory)
    const parts = fileSystem === nodeFileSystem ? {} : { fileSystem }
    const store = await openStore(directory, options, { ...parts, isSalvage: true })
    return new SalvageTarget(fileSystem, directory, store)
  }

  /** Everything is there: makes it durable, and a store like any other. */
  async finish(): Promise<void> {
    await this.store.close()
    this.#fileSystem.unlink(joinPath(this.#directory, SALVAGE_NAME))
    this.#fileSystem.syncDirectory(this.#directory)
  }

  /** Closes what is not complete. The marker stays. */
  async abandon(): Promise<void> {
    await Promise.allSettled([this.store.close()])
  }
}
