/**
 * A file system that asks whether its ground is still there (ground.ts) before whatever makes, removes or syncs
 * something. What only reads, and files that were opened to be read, pass it by.
 */

import { CURRENT_NAME, parseFileName } from './file-names.ts'
import type {
  File,
  FileStat,
  FileSystem,
  HeldDirectory,
  Lock,
  LockRefusal,
  OpenMode,
  SystemIdentity,
} from './file-system.ts'
import type { Ground } from './ground.ts'

export class GuardedFileSystem implements FileSystem {
  readonly #base: FileSystem
  readonly #ground: Ground
  readonly fileMode: number | undefined

  constructor(base: FileSystem, ground: Ground) {
    this.#base = base
    this.fileMode = base.fileMode
    this.#ground = ground
  }

  open(path: string, mode: OpenMode): File {
    if (mode === 'read') return this.#base.open(path, mode)
    this.#ground.check()
    return new GuardedFile(this.#base.open(path, mode), this.#ground, this.#base.identify(path)?.id)
  }

  makeDirectory(path: string): boolean {
    this.#ground.check()
    return this.#base.makeDirectory(path)
  }

  list(path: string): string[] {
    return this.#base.list(path)
  }

  statPath(path: string): ReturnType<FileSystem['statPath']> {
    return this.#base.statPath(path)
  }

  identify(path: string): SystemIdentity | undefined {
    return this.#base.identify(path)
  }

  realPath(path: string): string {
    return this.#base.realPath(path)
  }

  rename(source: string, target: string): void {
    this.#ground.check()
    this.#base.rename(source, target)
    if (target.endsWith(`/${CURRENT_NAME}`)) this.#ground.currentReplaced()
  }

  unlink(path: string): void {
    this.#ground.check()
    this.#base.unlink(path)
  }

  async unlinkAsync(path: string): Promise<void> {
    this.#ground.check()
    await this.#base.unlinkAsync(path)
  }

  holdDirectory(path: string): HeldDirectory {
    return this.#base.holdDirectory(path)
  }

  syncDirectory(path: string): void {
    this.#ground.check()
    this.#base.syncDirectory(path)
  }

  async syncDirectoryAsync(path: string): Promise<void> {
    this.#ground.check()
    await this.#base.syncDirectoryAsync(path)
  }

  freeBytes(path: string): number {
    return this.#base.freeBytes(path)
  }

  lock(path: string, text: string, dead?: string): Lock | LockRefusal {
    return this.#base.lock(path, text, dead)
  }
}

/** A file that is written, or punched. */
class GuardedFile implements File {
  readonly path: string
  readonly #base: File
  readonly #ground: Ground
  readonly #kind: 'log' | 'manifest' | 'other'
  readonly #id: string | undefined
  /** End of what was written here. */
  #end = 0

  /** @param id what the file is */
  constructor(base: File, ground: Ground, id: string | undefined) {
    this.#id = id
    this.path = base.path
    this.#base = base
    this.#ground = ground
    const kind = parseFileName(base.path.slice(base.path.lastIndexOf('/') + 1))?.kind
    this.#kind = kind === 'segment' ? 'log' : kind === 'manifest' ? 'manifest' : 'other'
  }

  read(target: Uint8Array, targetOffset: number, length: number, position: number): number {
    return this.#base.read(target, targetOffset, length, position)
  }

  readAsync(
    target: Uint8Array,
    targetOffset: number,
    length: number,
    position: number,
  ): Promise<number> {
    return this.#base.readAsync(target, targetOffset, length, position)
  }

  write(source: Uint8Array, sourceOffset: number, length: number, position: number): void {
    this.#beforeWrite(length)
    this.#base.write(source, sourceOffset, length, position)
    this.#written(position + length)
  }

  writev(sources: readonly Uint8Array[], position: number): void {
    const length = totalBytes(sources)
    this.#beforeWrite(length)
    this.#base.writev(sources, position)
    this.#written(position + length)
  }

  async writevAsync(sources: readonly Uint8Array[], position: number): Promise<void> {
    const length = totalBytes(sources)
    this.#beforeWrite(length)
    await this.#base.writevAsync(sources, position)
    this.#written(position + length)
  }

  #beforeWrite(bytes: number): void {
    if (this.#kind === 'log') this.#ground.beforeLogWrite(bytes)
    else this.#ground.check()
  }

  #written(end: number): void {
    this.#end = end
    if (this.#kind === 'manifest')
      this.#ground.watchManifest({ path: this.path, id: this.#id, end })
  }

  #beforeSync(): void {
    this.#ground.check()
    if (this.#kind !== 'log') return
    this.#ground.checkWritten({ path: this.path, id: this.#id, end: this.#end })
  }

  dataSync(): void {
    this.#beforeSync()
    this.#base.dataSync()
  }

  async dataSyncAsync(): Promise<void> {
    this.#beforeSync()
    await this.#base.dataSyncAsync()
  }

  sync(): void {
    this.#beforeSync()
    this.#base.sync()
  }

  punch(offset: number, length: number): boolean {
    this.#ground.check()
    return this.#base.punch(offset, length)
  }

  stat(): FileStat {
    return this.#base.stat()
  }

  close(): void {
    if (this.#kind === 'manifest') this.#ground.forgetManifest(this.path)
    this.#base.close()
  }
}

function totalBytes(sources: readonly Uint8Array[]): number {
  let bytes = 0
  for (const source of sources) bytes += source.length
  return bytes
}
