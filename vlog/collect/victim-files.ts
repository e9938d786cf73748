/** The files of victims, while records are copied from them: opened by name, a bounded count at a time (I10). */

import { CorruptionError } from '../../lib/base/errors.ts'
import { segmentName } from '../../lib/base/files/file-names.ts'
import type { File, FileSystem } from '../../lib/base/files/file-system.ts'
import { OpenCache } from '../../lib/base/files/open-cache.ts'
import type { DatabaseDirectory } from '../../lib/base/files/store-directory.ts'
import { type VictimFile, victimPath } from './victim.ts'

const OPEN_FILES_MAX = 16

export class VictimFiles {
  /** Bytes read so far. */
  bytesRead = 0
  readonly #victims: readonly VictimFile[]
  readonly #files: OpenCache<File>

  constructor(victims: readonly VictimFile[], place: DatabaseDirectory, fileSystem: FileSystem) {
    this.#victims = victims
    this.#files = new OpenCache(OPEN_FILES_MAX, (index) =>
      fileSystem.open(victimPath(place, victims[index]!), 'read'),
    )
  }

  /**
   * Reads from the file with this index among the victims.
   * @throws CorruptionError if it ends before, IoError
   */
  read(index: number, target: Uint8Array, at: number, length: number, offset: number): void {
    const got = this.#files.get(index).read(target, at, length, offset)
    this.bytesRead += got
    if (got === length) return
    const name = segmentName(this.#victims[index]!.number)
    throw new CorruptionError(name, offset + got, 'file ends before its content')
  }

  close(): void {
    this.#files.closeAll()
  }
}
