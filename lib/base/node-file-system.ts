/**
 * The real file system. Only this file, node-file.ts and node-lock-file.ts of the store import node:fs.
 *
 * Files are created exclusively with mode 0600, directories with 0700, and a planted link, FIFO or device
 * is refused.
 */
import fs from 'node:fs'
import type { File, FileStat, FileSystem, HeldDirectory, Lock, OpenMode } from './file-system.ts'
import { takeLock } from './lock.ts'
import { type TryLock, tryNativeLock } from './native-extensions.ts'
import { attempt, fileStat, ioError, NodeFile, OPEN_FLAGS, openRegular } from './node-file.ts'
import { NodeLockFile } from './node-lock-file.ts'

export { lockText } from './node-lock-file.ts'

const DIRECTORY_MODE = 0o700

export class NodeFileSystem implements FileSystem {
  readonly #tryLock: TryLock
  /** Directories that stay open, by path. */
  readonly #held: Map<string, { readonly directory: NodeFile; holders: number }> = new Map()

  /** @param tryLock the system's lock; a test passes one that answers undefined to have the fallback */
  constructor(tryLock: TryLock = tryNativeLock) {
    this.#tryLock = tryLock
  }

  open(path: string, mode: OpenMode): File {
    return attempt('open', path, () => new NodeFile(path, openRegular(path, OPEN_FLAGS[mode])))
  }

  makeDirectory(path: string): boolean {
    return attempt('mkdir', path, () => {
      try {
        fs.mkdirSync(path, { mode: DIRECTORY_MODE })
        return true
      } catch (error) {
        if ((error as { code?: unknown }).code === 'EEXIST') return false
        throw error
      }
    })
  }

  list(path: string): string[] {
    return attempt('readdir', path, () => fs.readdirSync(path))
  }

  statPath(
    path: string,
  ): (FileStat & { readonly kind: 'file' | 'directory' | 'other' }) | undefined {
    const stat = attempt('stat', path, () => fs.lstatSync(path, { throwIfNoEntry: false }))
    if (!stat) return undefined
    const kind = stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : 'other'
    return { ...fileStat(stat), kind }
  }

  realPath(path: string): string {
    return attempt('realpath', path, () => fs.realpathSync.native(path))
  }

  rename(source: string, target: string): void {
    attempt('rename', source, () => fs.renameSync(source, target))
  }

  unlinkAsync(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.unlink(path, (error) => (error ? reject(ioError('unlink', path, error)) : resolve()))
    })
  }

  unlink(path: string): void {
    attempt('unlink', path, () => fs.unlinkSync(path))
  }

  holdDirectory(path: string): HeldDirectory {
    let held = this.#held.get(path)
    if (!held) {
      const directory = this.#openDirectory(path)
      if (!directory) return { release: () => undefined }
      held = { directory, holders: 0 }
      this.#held.set(path, held)
    }
    const mine = held
    mine.holders++
    let released = false
    return {
      release: () => {
        if (released) return
        released = true
        if (--mine.holders > 0) return
        this.#held.delete(path)
        mine.directory.close()
      },
    }
  }

  syncDirectory(path: string): void {
    const held = this.holdDirectory(path)
    try {
      this.#held.get(path)?.directory.sync()
    } finally {
      held.release()
    }
  }

  async syncDirectoryAsync(path: string): Promise<void> {
    const held = this.holdDirectory(path)
    try {
      await this.#held.get(path)?.directory.syncAsync()
    } finally {
      held.release()
    }
  }

  /** Windows syncs no directories: its file systems log changes of names in order. */
  #openDirectory(path: string): NodeFile | undefined {
    if (process.platform === 'win32') return undefined
    const { O_RDONLY, O_DIRECTORY } = fs.constants
    return attempt(
      'open',
      path,
      () => new NodeFile(path, fs.openSync(path, O_RDONLY | O_DIRECTORY)),
    )
  }

  freeBytes(path: string): number {
    const { bavail, bsize } = attempt('statfs', path, () => fs.statfsSync(path))
    return bavail * bsize
  }

  lock(path: string, text: string): Lock | { readonly holder: string } {
    return attempt('lock', path, () => {
      const file = new NodeLockFile(path, this.#tryLock)
      let result: ReturnType<typeof takeLock> | undefined
      try {
        result = takeLock(file, text)
        return result
      } finally {
        if (!result || 'holder' in result) file.close()
      }
    })
  }
}

/** The one of this process. */
export const nodeFileSystem: FileSystem = new NodeFileSystem()
