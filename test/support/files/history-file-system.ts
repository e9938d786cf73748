/**
 * What a reader of another process sees of a writer: a recorded history of a disk, which goes on between any two calls
 * of the reader. Files that are open follow it, too; one that has been unlinked keeps its last bytes.
 */
import { IoError } from '#dist/lib/base/errors.js'
import type {
  File,
  FileStat,
  FileSystem,
  Lock,
  SystemIdentity,
} from '#dist/lib/base/files/file-system.js'
import { allocatedBytes, BLOCK_BYTES, Holes } from './content.ts'
import type { DiskImage } from './disk-model.ts'
import type { FaultFileSystem } from './fault-file-system.ts'

/** Calls behind which a reader may find something else. */
const CHANGES: ReadonlySet<string> = new Set(['create', 'write', 'punch', 'rename', 'unlink'])

/** Records each state of the disk from now on. @returns the states, which grow until `onCall` is set anew */
export function recordHistory(fileSystem: FaultFileSystem, states: DiskImage[] = []): DiskImage[] {
  let changed = true
  fileSystem.onCall = ({ kind }) => {
    // It is called before each call: what the one before has done can be seen.
    if (changed) states.push(fileSystem.visibleImage())
    changed = CHANGES.has(kind)
  }
  return states
}

export class HistoryFileSystem implements FileSystem {
  calls = 0
  openFiles = 0
  readonly #states: readonly DiskImage[]
  readonly #steps: (path: string) => number
  #at: number

  /**
   * @param states may still grow
   * @param steps how many states the history goes on before a call; or throws what the call fails with
   * @param from the state that it begins with
   */
  constructor(states: readonly DiskImage[], steps: (path: string) => number, from = 0) {
    this.#states = states
    this.#at = from
    this.#steps = steps
  }

  /** So many states are still to come. */
  get left(): number {
    return this.#states.length - 1 - this.#at
  }

  /** True if the history has come to its end: nothing changes any more. */
  get isOver(): boolean {
    return this.left === 0
  }

  #enter(path: string): DiskImage {
    this.calls++
    this.#at = Math.min(this.#states.length - 1, this.#at + this.#steps(path))
    return this.#states[this.#at]!
  }

  open(path: string): File {
    const image = this.#enter(path)
    let bytes = image.files.get(path)
    if (!bytes) throw new IoError('open', path, 'ENOENT')
    let stat = statOf(image, path, bytes)
    this.openFiles++
    const look = (): Uint8Array => {
      const now = this.#enter(path)
      const found = now.files.get(path)
      if (found) {
        bytes = found
        stat = statOf(now, path, found)
      }
      return bytes!
    }
    const read = (target: Uint8Array, at: number, length: number, position: number): number => {
      const found = look().subarray(position, position + length)
      target.set(found, at)
      return found.length
    }
    const refuse = (): never => {
      throw new IoError('write', path, 'EBADF')
    }
    return {
      path,
      read,
      readAsync: async (target, at, length, position) => {
        await new Promise(setImmediate)
        return read(target, at, length, position)
      },
      stat: () => {
        look()
        return stat
      },
      close: () => {
        this.openFiles--
      },
      write: refuse,
      writev: refuse,
      writevAsync: async () => refuse(),
      dataSync: refuse,
      dataSyncAsync: async () => refuse(),
      sync: refuse,
      punch: refuse,
    }
  }

  list(path: string): string[] {
    const prefix = `${path}/`
    return [...this.#enter(path).files.keys()]
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length))
  }

  statPath(path: string): (FileStat & { readonly kind: 'file' | 'directory' }) | undefined {
    const image = this.#enter(path)
    const bytes = image.files.get(path)
    if (bytes) return { ...statOf(image, path, bytes), kind: 'file' }
    if (!image.directories.includes(path)) return undefined
    return { size: 0, allocated: 0, links: 2, blockBytes: BLOCK_BYTES, kind: 'directory' }
  }

  /** No other file gets the name of one. */
  identify(path: string): SystemIdentity | undefined {
    const bytes = this.#enter(path).files.get(path)
    return bytes && { id: path, stamp: '', size: bytes.length }
  }

  realPath(path: string): string {
    return path
  }

  readonly makeDirectory: () => never = refuseChange
  readonly rename: () => never = refuseChange
  readonly unlink: () => never = refuseChange
  readonly unlinkAsync: () => never = refuseChange
  readonly syncDirectory: () => never = refuseChange
  readonly syncDirectoryAsync: () => never = refuseChange
  readonly freeBytes: () => never = refuseChange
  readonly holdDirectory: () => never = refuseChange

  lock(): Lock {
    return refuseChange()
  }
}

function refuseChange(): never {
  throw new Error('I11: who only reads changes nothing, and takes no lock')
}

function statOf(image: DiskImage, path: string, bytes: Uint8Array): FileStat {
  const allocated = allocatedBytes(bytes.length, new Holes(image.holes?.get(path)))
  return { size: bytes.length, allocated, links: 1, blockBytes: BLOCK_BYTES }
}
