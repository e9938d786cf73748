/**
 * A file for reads that may lapse while somebody still wants to read it: then each read opens it for itself.
 *
 * For caches of open files (I10): what the capacity pushes out gives its descriptor back at once, also if a cursor of
 * the same synchronous step goes on with it.
 *
 * These are the files of the tree, all of which is wanted soon. So a read that has to wait for the disk is followed by
 * one of the window around it, each window once: a disk gives 64 KiB in little more time than a block.
 */
import { IoError } from '../errors.ts'
import type { File, FileStat, FileSystem } from './file-system.ts'

/** A read that takes longer was not served by the page cache. */
const SLOW_READ_MS = 0.1
export const WINDOW_BYTES = 65536

/** Where windows are read to: nobody looks at it. */
let scratch: Uint8Array | undefined

/** What a reader needs of a file. */
export type ReadableFile = Pick<File, 'path' | 'read' | 'stat'>

export class LapsingFile implements ReadableFile {
  readonly path: string
  readonly #fileSystem: FileSystem
  #file: File | undefined
  #isClosed = false
  /** Those that have been read. */
  readonly #windows: Set<number> = new Set()

  /** @throws IoError if it cannot be opened */
  constructor(fileSystem: FileSystem, path: string) {
    this.#fileSystem = fileSystem
    this.path = path
    this.#file = fileSystem.open(path, 'read')
  }

  read(target: Uint8Array, targetOffset: number, length: number, position: number): number {
    if (this.#file) {
      const before = performance.now()
      const got = this.#file.read(target, targetOffset, length, position)
      if (performance.now() - before > SLOW_READ_MS) this.#readAround(this.#file, position)
      return got
    }
    return this.#once((file) => file.read(target, targetOffset, length, position))
  }

  stat(): FileStat {
    return this.#file ? this.#file.stat() : this.#once((file) => file.stat())
  }

  #readAround(file: File, position: number): void {
    const window = Math.floor(position / WINDOW_BYTES)
    if (!this.#fileSystem.keepsPages || this.#windows.has(window)) return
    this.#windows.add(window)
    scratch ??= new Uint8Array(WINDOW_BYTES)
    try {
      file.read(scratch, 0, WINDOW_BYTES, window * WINDOW_BYTES)
    } catch (error) {
      // What was asked for has been read.
      void error
    }
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
