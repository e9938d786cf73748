/** A file system and a file in front of others: whoever wants to see or change some of the calls overrides them. */
import type {
  File,
  FileStat,
  FileSystem,
  HeldDirectory,
  Lock,
  LockRefusal,
  OpenMode,
  PathStat,
  ReadHelper,
  SystemIdentity,
} from './file-system.ts'

export class ForwardingFileSystem implements FileSystem {
  protected readonly base: FileSystem
  readonly fileMode: number | undefined
  /** It takes files that it knows: not those that somebody has put something in front of. */
  readonly readHelper: ReadHelper | undefined
  readonly keepsPages: boolean | undefined

  constructor(base: FileSystem) {
    this.base = base
    this.fileMode = base.fileMode
    this.readHelper = base.readHelper
    this.keepsPages = base.keepsPages
  }

  open(path: string, mode: OpenMode): File {
    return this.base.open(path, mode)
  }

  makeDirectory(path: string): boolean {
    return this.base.makeDirectory(path)
  }

  list(path: string): string[] {
    return this.base.list(path)
  }

  statPath(path: string): PathStat | undefined {
    return this.base.statPath(path)
  }

  identify(path: string): SystemIdentity | undefined {
    return this.base.identify(path)
  }

  realPath(path: string): string {
    return this.base.realPath(path)
  }

  rename(source: string, target: string): void {
    this.base.rename(source, target)
  }

  unlink(path: string): void {
    this.base.unlink(path)
  }

  unlinkAsync(path: string): Promise<void> {
    return this.base.unlinkAsync(path)
  }

  holdDirectory(path: string): HeldDirectory {
    return this.base.holdDirectory(path)
  }

  syncDirectory(path: string): void {
    this.base.syncDirectory(path)
  }

  syncDirectoryAsync(path: string): Promise<void> {
    return this.base.syncDirectoryAsync(path)
  }

  freeBytes(path: string): number {
    return this.base.freeBytes(path)
  }

  lock(path: string, text: string, dead?: string): Lock | LockRefusal {
    return this.base.lock(path, text, dead)
  }
}

export class ForwardingFile implements File {
  protected readonly base: File
  readonly path: string

  constructor(base: File) {
    this.base = base
    this.path = base.path
  }

  read(target: Uint8Array, targetOffset: number, length: number, position: number): number {
    return this.base.read(target, targetOffset, length, position)
  }

  readAsync(
    target: Uint8Array,
    targetOffset: number,
    length: number,
    position: number,
  ): Promise<number> {
    return this.base.readAsync(target, targetOffset, length, position)
  }

  write(source: Uint8Array, sourceOffset: number, length: number, position: number): void {
    this.base.write(source, sourceOffset, length, position)
  }

  writev(sources: readonly Uint8Array[], position: number): void {
    this.base.writev(sources, position)
  }

  writevAsync(sources: readonly Uint8Array[], position: number): Promise<void> {
    return this.base.writevAsync(sources, position)
  }

  dataSync(): void {
    this.base.dataSync()
  }

  dataSyncAsync(): Promise<void> {
    return this.base.dataSyncAsync()
  }

  sync(): void {
    this.base.sync()
  }

  punch(offset: number, length: number): boolean {
    return this.base.punch(offset, length)
  }

  stat(): FileStat {
    return this.base.stat()
  }

  close(): void {
    this.base.close()
  }
}
