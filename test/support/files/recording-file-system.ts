/**
 * The real file system, with a log of what is asked of it, and a way to make the next such call
 * fail.
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
import { nodeFileSystem } from '#dist/lib/base/platform/node-file-system.js'

export class RecordingFileSystem implements FileSystem {
  /** `operation name`, in order. */
  readonly log: string[] = []
  readonly #failures: { readonly pattern: RegExp; readonly errno: string }[] = []

  /**
   * The next call whose line in the log matches fails. A failed write has written half of its
   * bytes.
   */
  failNext(pattern: RegExp, errno: string): void {
    this.#failures.push({ pattern, errno })
  }

  /** Notes a call. @returns the error that it must fail with */
  note(operation: string, path: string): IoError | undefined {
    const line = `${operation} ${path.slice(path.lastIndexOf('/') + 1)}`
    this.log.push(line)
    const index = this.#failures.findIndex(({ pattern }) => pattern.test(line))
    if (index < 0) return undefined
    const [failure] = this.#failures.splice(index, 1)
    this.log.push(`failed ${line}`)
    return new IoError(operation, path, failure!.errno)
  }

  check(operation: string, path: string): void {
    const error = this.note(operation, path)
    if (error) throw error
  }

  open(path: string, mode: OpenMode): File {
    this.check(mode === 'create' ? 'create' : 'open', path)
    return new RecordingFile(this, nodeFileSystem.open(path, mode))
  }

  makeDirectory(path: string): boolean {
    return nodeFileSystem.makeDirectory(path)
  }

  list(path: string): string[] {
    return nodeFileSystem.list(path)
  }

  statPath(
    path: string,
  ): (FileStat & { readonly kind: 'file' | 'directory' | 'other' }) | undefined {
    return nodeFileSystem.statPath(path)
  }

  identify(path: string): SystemIdentity | undefined {
    return nodeFileSystem.identify(path)
  }

  realPath(path: string): string {
    return nodeFileSystem.realPath(path)
  }

  rename(source: string, target: string): void {
    this.check('rename', target)
    nodeFileSystem.rename(source, target)
  }

  async unlinkAsync(path: string): Promise<void> {
    this.unlink(path)
  }

  unlink(path: string): void {
    this.check('unlink', path)
    nodeFileSystem.unlink(path)
  }

  holdDirectory(path: string): HeldDirectory {
    return nodeFileSystem.holdDirectory(path)
  }

  syncDirectory(path: string): void {
    this.check('syncDirectory', '')
    nodeFileSystem.syncDirectory(path)
  }

  async syncDirectoryAsync(path: string): Promise<void> {
    this.check('syncDirectory', '')
    await nodeFileSystem.syncDirectoryAsync(path)
    this.log.push('syncedDirectory ')
  }

  freeBytes(path: string): number {
    return nodeFileSystem.freeBytes(path)
  }

  lock(path: string, text: string): Lock | { readonly holder: string } {
    return nodeFileSystem.lock(path, text)
  }
}

class RecordingFile implements File {
  readonly path: string
  readonly #system: RecordingFileSystem
  readonly #file: File

  constructor(system: RecordingFileSystem, file: File) {
    this.path = file.path
    this.#system = system
    this.#file = file
  }

  read(target: Uint8Array, targetOffset: number, length: number, position: number): number {
    return this.#file.read(target, targetOffset, length, position)
  }

  readAsync(
    target: Uint8Array,
    targetOffset: number,
    length: number,
    position: number,
  ): Promise<number> {
    return this.#file.readAsync(target, targetOffset, length, position)
  }

  write(source: Uint8Array, sourceOffset: number, length: number, position: number): void {
    this.writev([source.subarray(sourceOffset, sourceOffset + length)], position)
  }

  writev(sources: readonly Uint8Array[], position: number): void {
    const error = this.#system.note('write', this.path)
    const bytes = Buffer.concat(sources)
    this.#file.write(bytes, 0, error ? bytes.length >> 1 : bytes.length, position)
    if (error) throw error
  }

  async writevAsync(sources: readonly Uint8Array[], position: number): Promise<void> {
    this.writev(sources, position)
  }

  dataSync(): void {
    this.#system.check('sync', this.path)
    this.#file.dataSync()
  }

  async dataSyncAsync(): Promise<void> {
    this.#system.check('sync', this.path)
    await this.#file.dataSyncAsync()
    this.#system.log.push(`synced ${this.path.slice(this.path.lastIndexOf('/') + 1)}`)
  }

  sync(): void {
    this.#system.check('sync', this.path)
    this.#file.sync()
  }

  punch(offset: number, length: number): boolean {
    this.#system.check('punch', this.path)
    return this.#file.punch(offset, length)
  }

  stat(): FileStat {
    return this.#file.stat()
  }

  close(): void {
    this.#file.close()
  }
}
