/**
 * A file system in memory, for tests that damage files by the thousand. No faults, no crash: see
 * the others for these.
 */
import { IoError } from '#dist/lib/base/errors.js'
import type {
  File,
  FileStat,
  FileSystem,
  HeldDirectory,
  Lock,
  OpenMode,
  SystemIdentity,
} from '#dist/lib/base/files/file-system.js'
import { allocatedBytes, BLOCK_BYTES, Holes } from './content.ts'

class MemoryFile implements File {
  readonly path: string
  bytes: Uint8Array = new Uint8Array(0)
  size = 0
  syncs = 0
  /** Calls of `read`, and the most bytes that one of them asked for. */
  reads = 0
  /** Names of the file: what `stat` tells. */
  links = 1
  /** False: a file system that has none. */
  hasHoles = true
  readonly #holes = new Holes()

  constructor(path: string) {
    this.path = path
  }

  read(target: Uint8Array, targetOffset: number, length: number, position: number): number {
    this.reads++
    if (targetOffset + length > target.length) throw new Error('read passes the end of its target')
    const count = Math.max(0, Math.min(length, this.size - position))
    target.set(this.bytes.subarray(position, position + count), targetOffset)
    return count
  }

  readAsync(
    target: Uint8Array,
    targetOffset: number,
    length: number,
    position: number,
  ): Promise<number> {
    return Promise.resolve(this.read(target, targetOffset, length, position))
  }

  write(source: Uint8Array, sourceOffset: number, length: number, position: number): void {
    const end = position + length
    if (end > this.bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.bytes.length * 2))
      grown.set(this.bytes)
      this.bytes = grown
    }
    this.bytes.set(source.subarray(sourceOffset, sourceOffset + length), position)
    this.size = Math.max(this.size, end)
    this.#holes.fill(position, length)
  }

  writev(sources: readonly Uint8Array[], position: number): void {
    let at = position
    for (const source of sources) {
      this.write(source, 0, source.length, at)
      at += source.length
    }
  }

  writevAsync(sources: readonly Uint8Array[], position: number): Promise<void> {
    this.writev(sources, position)
    return Promise.resolve()
  }

  dataSync(): void {
    this.syncs++
  }

  dataSyncAsync(): Promise<void> {
    this.syncs++
    return Promise.resolve()
  }

  sync(): void {
    this.syncs++
  }

  punch(offset: number, length: number): boolean {
    if (offset % BLOCK_BYTES > 0 || length % BLOCK_BYTES > 0 || offset + length > this.size) {
      throw new Error('punch of parts of blocks, or past the end')
    }
    if (!this.hasHoles) return false
    this.bytes.fill(0, offset, offset + length)
    this.#holes.punch(offset, length)
    return true
  }

  stat(): FileStat {
    const allocated = allocatedBytes(this.size, this.#holes)
    return { size: this.size, allocated, links: this.links, blockBytes: BLOCK_BYTES }
  }

  close(): void {
    // Nothing is held.
  }
}

export class MemoryFileSystem implements FileSystem {
  readonly files: Map<string, MemoryFile> = new Map()

  open(path: string, mode: OpenMode): MemoryFile {
    const present = this.files.get(path)
    if (mode !== 'create') {
      if (present === undefined) throw new IoError('open', path, 'ENOENT')
      return present
    }
    if (present !== undefined) throw new IoError('open', path, 'EEXIST')
    const file = new MemoryFile(path)
    this.files.set(path, file)
    return file
  }

  /** Copies of a file's bytes, for a test to damage and put back. */
  contents(path: string): Uint8Array {
    const file = this.open(path, 'read')
    return file.bytes.slice(0, file.size)
  }

  replace(path: string, bytes: Uint8Array): void {
    const file = new MemoryFile(path)
    file.write(bytes, 0, bytes.length, 0)
    this.files.set(path, file)
  }

  makeDirectory(): boolean {
    return true
  }

  list(path: string): string[] {
    const prefix = `${path}/`
    return [...this.files.keys()]
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length))
  }

  statPath(path: string): (FileStat & { readonly kind: 'file' }) | undefined {
    const file = this.files.get(path)
    return file && { ...file.stat(), kind: 'file' }
  }

  /** A test changes it: then another directory, or another file, has the name. */
  identities: Map<string, SystemIdentity | undefined> = new Map()

  identify(path: string): SystemIdentity | undefined {
    return this.identities.has(path)
      ? this.identities.get(path)
      : { id: 'same', stamp: '', size: 2 ** 53 }
  }

  realPath(path: string): string {
    return path
  }

  rename(source: string, target: string): void {
    this.files.set(target, this.open(source, 'read'))
    this.files.delete(source)
  }

  async unlinkAsync(path: string): Promise<void> {
    this.unlink(path)
  }

  unlink(path: string): void {
    if (!this.files.delete(path)) throw new IoError('unlink', path, 'ENOENT')
  }

  holdDirectory(): HeldDirectory {
    return { release: () => undefined }
  }

  syncDirectory(): void {
    // All names are there at once.
  }

  syncDirectoryAsync(): Promise<void> {
    return Promise.resolve()
  }

  freeBytes(): number {
    return 2 ** 40
  }

  lock(): Lock {
    return { release: () => undefined }
  }
}
