/** The real file system, or another, with a log of what is asked of it, and a way to make the next such call fail. */
import { IoError } from '#dist/lib/base/errors.js'
import type { File, FileSystem, OpenMode } from '#dist/lib/base/files/file-system.js'
import {
  ForwardingFile,
  ForwardingFileSystem,
} from '#dist/lib/base/files/forwarding-file-system.js'
import { nodeFileSystem } from '#dist/lib/base/platform/node-file-system.js'

export class RecordingFileSystem extends ForwardingFileSystem {
  /** `operation name`, in order. */
  readonly log: string[] = []
  readonly #failures: { readonly pattern: RegExp; readonly errno: string }[] = []

  constructor(base: FileSystem = nodeFileSystem) {
    super(base)
  }

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

  override open(path: string, mode: OpenMode): File {
    this.check(mode === 'create' ? 'create' : 'open', path)
    return new RecordingFile(this, this.base.open(path, mode))
  }

  override rename(source: string, target: string): void {
    this.check('rename', target)
    this.base.rename(source, target)
  }

  override async unlinkAsync(path: string): Promise<void> {
    this.unlink(path)
  }

  override unlink(path: string): void {
    this.check('unlink', path)
    this.base.unlink(path)
  }

  override syncDirectory(path: string): void {
    this.check('syncDirectory', '')
    this.base.syncDirectory(path)
  }

  override async syncDirectoryAsync(path: string): Promise<void> {
    this.check('syncDirectory', '')
    await this.base.syncDirectoryAsync(path)
    this.log.push('syncedDirectory ')
  }
}

class RecordingFile extends ForwardingFile {
  readonly #system: RecordingFileSystem

  constructor(system: RecordingFileSystem, file: File) {
    super(file)
    this.#system = system
  }

  override write(source: Uint8Array, sourceOffset: number, length: number, position: number): void {
    this.writev([source.subarray(sourceOffset, sourceOffset + length)], position)
  }

  override writev(sources: readonly Uint8Array[], position: number): void {
    const error = this.#system.note('write', this.path)
    const bytes = Buffer.concat(sources)
    this.base.write(bytes, 0, error ? bytes.length >> 1 : bytes.length, position)
    if (error) throw error
  }

  override async writevAsync(sources: readonly Uint8Array[], position: number): Promise<void> {
    this.writev(sources, position)
  }

  override dataSync(): void {
    this.#system.check('sync', this.path)
    this.base.dataSync()
  }

  override async dataSyncAsync(): Promise<void> {
    this.#system.check('sync', this.path)
    await this.base.dataSyncAsync()
    this.#system.log.push(`synced ${this.path.slice(this.path.lastIndexOf('/') + 1)}`)
  }

  override sync(): void {
    this.#system.check('sync', this.path)
    this.base.sync()
  }

  override punch(offset: number, length: number): boolean {
    this.#system.check('punch', this.path)
    return this.base.punch(offset, length)
  }
}
