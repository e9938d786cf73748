/**
 * A file system that asks whether its ground is still there (ground.ts) before whatever makes, removes or syncs
 * something. What only reads, and files that were opened to be read, pass it by.
 */
import { CURRENT_NAME, parseFileName } from './file-names.ts'
import type { File, FileStat, FileSystem, OpenMode } from './file-system.ts'
import { ForwardingFile, ForwardingFileSystem } from './forwarding-file-system.ts'
import type { Ground } from './ground.ts'

/** So many holes may follow a question: a hole takes as long as one, or a thousand times as long. */
const HOLES_UNASKED = 64

export class GuardedFileSystem extends ForwardingFileSystem {
  readonly #ground: Ground

  constructor(base: FileSystem, ground: Ground) {
    super(base)
    this.#ground = ground
  }

  override open(path: string, mode: OpenMode): File {
    if (mode === 'read') return this.base.open(path, mode)
    this.#ground.check()
    const file = this.base.open(path, mode)
    return new GuardedFile(file, this.#ground, this.base.identify(path)?.id, mode)
  }

  override makeDirectory(path: string): boolean {
    this.#ground.check()
    return this.base.makeDirectory(path)
  }

  override rename(source: string, target: string): void {
    this.#ground.check()
    this.base.rename(source, target)
    if (target.endsWith(`/${CURRENT_NAME}`)) this.#ground.currentReplaced()
  }

  override unlink(path: string): void {
    this.#ground.check()
    this.base.unlink(path)
  }

  override async unlinkAsync(path: string): Promise<void> {
    this.#ground.check()
    await this.base.unlinkAsync(path)
  }

  override syncDirectory(path: string): void {
    this.#ground.check()
    this.base.syncDirectory(path)
  }

  override async syncDirectoryAsync(path: string): Promise<void> {
    this.#ground.check()
    await this.base.syncDirectoryAsync(path)
  }
}

/** A file that is written, or punched. */
class GuardedFile extends ForwardingFile {
  readonly #ground: Ground
  readonly #kind: 'log' | 'manifest' | 'other'
  readonly #id: string | undefined
  readonly #isPunched: boolean
  /** End of what was written here. */
  #end = 0
  #holesLeft = 0

  /** @param id what the file is */
  constructor(base: File, ground: Ground, id: string | undefined, mode: OpenMode) {
    super(base)
    this.#id = id
    this.#isPunched = mode === 'punch'
    this.#ground = ground
    const kind = parseFileName(base.path.slice(base.path.lastIndexOf('/') + 1))?.kind
    this.#kind = kind === 'segment' ? 'log' : kind === 'manifest' ? 'manifest' : 'other'
  }

  override write(source: Uint8Array, sourceOffset: number, length: number, position: number): void {
    this.#beforeWrite(length)
    this.base.write(source, sourceOffset, length, position)
    this.#written(position + length)
  }

  override writev(sources: readonly Uint8Array[], position: number): void {
    const length = totalBytes(sources)
    this.#beforeWrite(length)
    this.base.writev(sources, position)
    this.#written(position + length)
  }

  override async writevAsync(sources: readonly Uint8Array[], position: number): Promise<void> {
    const length = totalBytes(sources)
    this.#beforeWrite(length)
    await this.base.writevAsync(sources, position)
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

  override dataSync(): void {
    this.#beforeSync()
    this.base.dataSync()
  }

  override async dataSyncAsync(): Promise<void> {
    this.#beforeSync()
    await this.base.dataSyncAsync()
  }

  override sync(): void {
    this.#beforeSync()
    this.base.sync()
  }

  /** Whoever punches asks it before each run of holes: then the ground is asked, too. */
  override stat(): FileStat {
    if (this.#isPunched) this.#askForHoles()
    return this.base.stat()
  }

  override punch(offset: number, length: number): boolean {
    if (this.#holesLeft === 0) this.#askForHoles()
    this.#holesLeft--
    return this.base.punch(offset, length)
  }

  #askForHoles(): void {
    this.#ground.check()
    this.#holesLeft = HOLES_UNASKED
  }

  override close(): void {
    if (this.#kind === 'manifest') this.#ground.forgetManifest(this.path)
    this.base.close()
  }
}

function totalBytes(sources: readonly Uint8Array[]): number {
  let bytes = 0
  for (const source of sources) bytes += source.length
  return bytes
}
