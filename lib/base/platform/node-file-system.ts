/**
 * The real file system. Only this file and its neighbours node-*.ts and flock.ts import node:fs.
 *
 * Files are created exclusively, and a planted link, FIFO or device is refused. They have mode 0600, or the one that a
 * store asks for (`fileMode`), as far as the process's umask allows; who may read a directory's files may search it.
 */
import fs from 'node:fs'
import type {
  File,
  FileSystem,
  HeldDirectory,
  Lock,
  LockRefusal,
  OpenMode,
  PathStat,
  ReadHelper,
  SystemIdentity,
} from '../files/file-system.ts'
import { withDescriptor } from '../files/spare-files.ts'
import { tryFlock } from './flock.ts'
import { takeLock } from './lock.ts'
import { tryNativeLock } from './native-extensions.ts'
import { watchDirectory } from './node-directory-watch.ts'
import { freeBytes } from './node-disk-space.ts'
import {
  attempt,
  FILE_MODE,
  fileStat,
  ioError,
  NodeFile,
  OPEN_FLAGS,
  openRegular,
} from './node-file.ts'
import { type LockKinds, NodeLockFile } from './node-lock-file.ts'
import { threadReadHelper } from './read-helper.ts'

export { lockText } from './node-lock-file.ts'

/** Of a name that is not there. */
const NOT_THROWING = { throwIfNoEntry: false } as const
/** What the running platform has. */
export const LOCK_KINDS: LockKinds = { tryLock: tryNativeLock, tryFlock }
/** So often a lock file is opened again when another was put in its place meanwhile. */
const LOCK_ATTEMPTS = 10

export class NodeFileSystem implements FileSystem {
  readonly #lockKinds: LockKinds
  /** Directories that stay open, by path. */
  readonly #held: Map<string, { readonly directory: NodeFile; holders: number }> = new Map()

  readonly fileMode: number
  readonly readHelper: ReadHelper | undefined
  readonly keepsPages = true
  readonly watch: typeof watchDirectory = watchDirectory

  /** @param lockKinds the locks that there are; a test takes some away to have the fallbacks */
  constructor(
    lockKinds: LockKinds = LOCK_KINDS,
    fileMode: number = FILE_MODE,
    readHelper?: ReadHelper,
  ) {
    this.#lockKinds = lockKinds
    this.fileMode = fileMode
    this.readHelper = readHelper
  }

  open(path: string, mode: OpenMode): File {
    const flags = OPEN_FLAGS[mode]
    return withDescriptor(() =>
      attempt('open', path, () => new NodeFile(path, openRegular(path, flags, this.fileMode))),
    )
  }

  makeDirectory(path: string): boolean {
    return attempt('mkdir', path, () => {
      try {
        fs.mkdirSync(path, { mode: directoryMode(this.fileMode) })
        return true
      } catch (error) {
        if ((error as { code?: unknown }).code === 'EEXIST') return false
        throw error
      }
    })
  }

  list(path: string): string[] {
    return withDescriptor(() => attempt('readdir', path, () => fs.readdirSync(path)))
  }

  statPath(path: string): PathStat | undefined {
    // An open asks for each of its files, so there is no closure, and one object.
    let stat: fs.Stats | undefined
    try {
      stat = fs.lstatSync(path, NOT_THROWING)
    } catch (error) {
      throw ioError('stat', path, error)
    }
    return stat && fileStat(stat)
  }

  identify(path: string): SystemIdentity | undefined {
    const stat = attempt('stat', path, () => statOrNone(path))
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
    return withDescriptor(() =>
      attempt('open', path, () => new NodeFile(path, fs.openSync(path, O_RDONLY | O_DIRECTORY))),
    )
  }

  freeBytes(path: string): number {
    return attempt('statfs', path, () => freeBytes(path))
  }

  lock(path: string, text: string, dead?: string): Lock | LockRefusal {
    return attempt('lock', path, () => {
      for (let attempts = 1; ; attempts++) {
        const file = new NodeLockFile(path, this.#lockKinds, this.fileMode)
        let result: Lock | LockRefusal | undefined
        try {
          result = takeLock(file, text, dead)
          if ('holder' in result) return { ...result, since: file.writtenAt() }
          // Somebody has put another file in its place: a lock on this one keeps nobody away. That it happens again and
          // again says that this file system cannot tell.
          if (file.isInPlace() || attempts === LOCK_ATTEMPTS) return result
          result = undefined
        } finally {
          if (!result || 'holder' in result) file.close()
        }
      }
    })
  }
}

/** Who may read a file of a directory may search the directory. */
function directoryMode(fileMode: number): number {
  return fileMode | ((fileMode & 0o444) >> 2)
}

/** The one of this process. */
export const nodeFileSystem: FileSystem = new NodeFileSystem()

const byKind: Map<string, FileSystem> = new Map()

/**
 * The one of this process that makes files with this mode.
 * @param isHelped a thread may help with reads
 */
export function fileSystemOfMode(
  fileMode: number = FILE_MODE,
  isHelped: boolean = false,
): FileSystem {
  if (fileMode === FILE_MODE && !isHelped) return nodeFileSystem
  const kind = `${fileMode} ${isHelped}`
  const known = byKind.get(kind)
  if (known) return known
  const made = new NodeFileSystem(LOCK_KINDS, fileMode, isHelped ? threadReadHelper : undefined)
  byKind.set(kind, made)
  return made
}

/** What has a name; nothing has one below a file. */
function statOrNone(path: string): fs.Stats | undefined {
  try {
    return fs.lstatSync(path, { throwIfNoEntry: false })
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOTDIR') return undefined
    throw error
  }
}

/** The mode of the files of a store, by one of them, for those to come; undefined if it is not there. */
export function modeOfStoreFile(path: string): number | undefined {
  const stat = attempt('stat', path, () => statOrNone(path))
  return stat?.isFile() ? (stat.mode & 0o666) | FILE_MODE : undefined
}
