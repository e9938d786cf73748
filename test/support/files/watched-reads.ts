/** A file system in front of another one, whose reads a test may look at or change. */
import type { File, FileSystem, OpenMode } from '#dist/lib/base/files/file-system.js'
import {
  ForwardingFile,
  ForwardingFileSystem,
} from '#dist/lib/base/files/forwarding-file-system.js'

/** What a read has found, before its caller sees it. What is changed in `found` is not on the disk. */
export type ReadWatcher = (path: string, found: Uint8Array, position: number) => void

export function watchReads(fileSystem: FileSystem, watch: ReadWatcher): FileSystem {
  return new WatchedFileSystem(fileSystem, watch)
}

class WatchedFileSystem extends ForwardingFileSystem {
  readonly #watch: ReadWatcher

  constructor(base: FileSystem, watch: ReadWatcher) {
    super(base)
    this.#watch = watch
  }

  override open(path: string, mode: OpenMode): File {
    return new WatchedFile(this.base.open(path, mode), this.#watch)
  }
}

class WatchedFile extends ForwardingFile {
  readonly #watch: ReadWatcher

  constructor(base: File, watch: ReadWatcher) {
    super(base)
    this.#watch = watch
  }

  override read(target: Uint8Array, at: number, length: number, position: number): number {
    return this.#seen(target, at, this.base.read(target, at, length, position), position)
  }

  override async readAsync(
    target: Uint8Array,
    at: number,
    length: number,
    position: number,
  ): Promise<number> {
    return this.#seen(target, at, await this.base.readAsync(target, at, length, position), position)
  }

  #seen(target: Uint8Array, at: number, count: number, position: number): number {
    this.#watch(this.path, target.subarray(at, at + count), position)
    return count
  }
}
