/**
 * The real file system. Only this file and its neighbours node-*.ts and flock.ts import node:fs.
 *
 * Files are created exclusively with mode 0600, directories with 0700, and a planted link, FIFO or device
 * is refused.
 */
import fs from 'node:fs'
import { IoError } from './errors.ts'
import type {
  File,
  FileIdentity,
  FileStat,
  FileSystem,
  HeldDirectory,
  Lock,
  LockRefusal,
  OpenMode,
} from './file-system.ts'
import { tryFlock } from './flock.ts'
import { takeLock } from './lock.ts'
import { tryNativeLock } from './native-extensions.ts'
import { attempt, fileStat, ioError, NodeFile, OPEN_FLAGS, openRegular } from './node-file.ts'
import { type LockKinds, NodeLockFile } from './node-lock-file.ts'

export { lockText } from './node-lock-file.ts'

const DIRECTORY_MODE = 0o700
/** What the running platform has. */
export const LOCK_KINDS: LockKinds = { tryLock: tryNativeLock, tryFlock }
/** So often a lock file is opened again when another was put in its place meanwhile. */
const LOCK_ATTEMPTS = 10

export class NodeFileSystem implements FileSystem {
  readonly #lockKinds: LockKinds
  /** Directories that stay open, by path. */
  readonly #held: Map<string, { readonly directory: NodeFile; holders: number }> = new Map()

  /** @param lockKinds the locks that there are; a test takes some away to have the fallbacks */
  constructor(lockKinds: LockKinds = LOCK_KINDS) {
    this.#lockKinds = lockKinds
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

  identify(path: string): FileIdentity | undefined {
    const stat = attempt('stat', path, () => fs.lstatSync(path, { throwIfNoEntry: false }))
    if (!stat) return undefined
    const { dev, ino, size, mtimeMs } = stat
    return { id: `${dev}:${ino}`, stamp: `${size}:${mtimeMs}`, size }
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
    // Another directory may have the path by now: each holder keeps its own.
    if (!held || held.directory.isReplaced()) {
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
        if (this.#held.get(path) === mine) this.#held.delete(path)
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

  lock(path: string, text: string): Lock | LockRefusal {
    return attempt('lock', path, () => {
      for (let attempts = 1; ; attempts++) {
        const file = new NodeLockFile(path, this.#lockKinds)
        let result: Lock | LockRefusal | undefined
        try {
          result = takeLock(file, text)
          if ('holder' in result) return { ...result, since: file.writtenAt() }
          // Somebody has put another file in its place: a lock on this one keeps nobody away.
          if (file.isInPlace()) return result
          result = undefined
          if (attempts === LOCK_ATTEMPTS) throw new IoError('lock', path, 'ESTALE')
        } finally {
          if (!result || 'holder' in result) file.close()
        }
      }
    })
  }
}

/** The one of this process. */
export const nodeFileSystem: FileSystem = new NodeFileSystem()
