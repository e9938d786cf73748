/**
 * A file for reads that may lapse while somebody still wants to read it: then each read opens it for itself.
 *
 * For caches of open files (I10): what the capacity pushes out gives its descriptor back at once, also if a cursor of
 * the same synchronous step goes on with it.
 */
import { IoError } from '../errors.ts'
import type { File, FileStat, FileSystem } from './file-system.ts'

/** What a reader needs of a file. */
export type ReadableFile = Pick<File, 'path' | 'read' | 'stat'>

export class LapsingFile implements ReadableFile {
  readonly path: string
  readonly #fileSystem: FileSystem
  #file: File | undefined
  #isClosed = false

  /** @throws IoError if it cannot be opened */
  constructor(fileSystem: FileSystem, path: string) {
    this.#fileSystem = fileSystem
    this.path = path
    this.#file = fileSystem.open(path, 'read')
  }

  read(target: Uint8Array, targetOffset: number, length: number, position: number): number {
    if (this.#file) return this.#file.read(target, targetOffset, length, position)
    return this.#once((file) => file.read(target, targetOffset, length, position))
  }

  stat(): FileStat {
    return this.#file ? this.#file.stat() : this.#once((file) => file.stat())
  }

  /** Gives the descriptor back. */
  lapse(): void {
    this.#file?.close()
    this.#file = undefined
  }

  /** For good. A second call does nothing. */
  close(): void {
    this.lapse()
    this.#isClosed = true
  }

  #once<T>(use: (file: File) => T): T {
    if (this.#isClosed) throw new IoError('read', this.path, 'EBADF')
    const file = this.#fileSystem.open(this.path, 'read')
    try {
      return use(file)
    } finally {
      file.close()
    }
  }
}
