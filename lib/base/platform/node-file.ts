/**
 * Files of the real file system: positional reads and writes, holes, syncs.
 *
 * Every write checks the count that the platform returns, since it reports a short write with no error.
 * EINTR and EAGAIN are retried for reads, writes and holes, never for syncs.
 */
import fs from 'node:fs'
import { assert, IoError } from '../errors.ts'
import type { File, FileStat, OpenMode, PathStat } from '../files/file-system.ts'
import { punchNative } from './native-extensions.ts'
import { CALL_BYTES_MAX, WriteCursor } from './write-cursor.ts'

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = fs.constants
// Constants that a platform lacks are undefined and vanish in the `|`. O_NONBLOCK keeps a planted FIFO from
// blocking the open; for regular files it means nothing.
export const CREATE_FLAGS: number = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW
export const OPEN_FLAGS: Readonly<Record<OpenMode, number>> = {
  create: CREATE_FLAGS,
  read: O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
  punch: O_RDWR | O_NOFOLLOW | O_NONBLOCK,
}
export const READ_WRITE_FLAGS: number = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK
/** Of files, unless a store asks for another one. */
export const FILE_MODE = 0o600
/** A call that is interrupted this often in a row fails. */
const RETRIES_MAX = 100
/** The least unit that holes are made in: where a file system tells of a smaller one, more of them are one. */
const BLOCK_BYTES_MIN = 4096

/** EIO, but neither ERR_OUT_OF_RANGE nor WISC_IO. */
const SYSTEM_CODE = /^E[A-Z0-9]+$/

export class NodeFile implements File {
  readonly path: string
  /** -1 when closed: a number must never be used again, the system gives it to the next file. */
  #descriptor: number
  #callsInFlight = 0
  /** The descriptor that the last call in flight closes, -1 if none. */
  #closing = -1

  constructor(path: string, descriptor: number) {
    assert(descriptor > 2, 'descriptor is none of the standard streams')
    this.path = path
    this.#descriptor = descriptor
  }

  read(target: Uint8Array, targetOffset: number, length: number, position: number): number {
    if (length <= CALL_BYTES_MAX) {
      try {
        const got = fs.readSync(this.#descriptor, target, targetOffset, length, position)
        if (got === length) return got
      } catch (error) {
        if (!isInterrupted(error)) throw this.#error('read', error)
      }
    }
    return this.#readInParts(target, targetOffset, length, position)
  }

  #readInParts(target: Uint8Array, targetOffset: number, length: number, position: number): number {
    const descriptor = this.#open('read')
    let done = 0
    let retries = 0
    while (done < length) {
      const wanted = Math.min(length - done, CALL_BYTES_MAX)
      try {
        const got = fs.readSync(descriptor, target, targetOffset + done, wanted, position + done)
        if (got === 0) break
        done += got
        retries = 0
      } catch (error) {
        if (!isInterrupted(error) || ++retries > RETRIES_MAX) throw this.#error('read', error)
      }
    }
    return done
  }

  readAsync(
    target: Uint8Array,
    targetOffset: number,
    length: number,
    position: number,
  ): Promise<number> {
    // One promise and no async function: cold gets pay for each turn of these more than for the call.
    return new Promise((resolve, reject) => {
      const descriptor = this.#begin('read')
      let done = 0
      let retries = 0
      const end = (failure: unknown): void => {
        try {
          this.#end()
        } catch (error) {
          failure ??= error
        }
        if (failure) reject(this.#error('read', failure))
        else resolve(done)
      }
      const read = (): void => {
        const wanted = Math.min(length - done, CALL_BYTES_MAX)
        try {
          fs.read(descriptor, target, targetOffset + done, wanted, position + done, ended)
        } catch (error) {
          end(error)
        }
      }
      const ended = (error: NodeJS.ErrnoException | null, got: number): void => {
        if (error) {
          if (isInterrupted(error) && ++retries <= RETRIES_MAX) read()
          else end(error)
          return
        }
        done += got
        retries = 0
        if (got > 0 && done < length) read()
        else end(undefined)
      }
      read()
    })
  }

  write(source: Uint8Array, sourceOffset: number, length: number, position: number): void {
    if (length <= CALL_BYTES_MAX) {
      try {
        const count = fs.writeSync(this.#descriptor, source, sourceOffset, length, position)
        if (count === length) return
      } catch (error) {
        if (!isInterrupted(error)) throw this.#error('write', error)
      }
      // Positional writes may be repeated: the same bytes go to the same place.
    }
    this.#writeInParts([source.subarray(sourceOffset, sourceOffset + length)], position)
  }

  writev(sources: readonly Uint8Array[], position: number): void {
    this.#writeInParts(sources, position)
  }

  #writeInParts(sources: readonly Uint8Array[], position: number): void {
    const descriptor = this.#open('write')
    const cursor = new WriteCursor(sources, position)
    let retries = 0
    while (!cursor.done) {
      try {
        this.#advance(cursor, fs.writevSync(descriptor, cursor.next(), cursor.position))
        retries = 0
      } catch (error) {
        if (!isInterrupted(error) || ++retries > RETRIES_MAX) throw this.#error('write', error)
      }
    }
  }

  async writevAsync(sources: readonly Uint8Array[], position: number): Promise<void> {
    const descriptor = this.#begin('write')
    const cursor = new WriteCursor(sources, position)
    let retries = 0
    try {
      while (!cursor.done) {
        try {
          const count = await new Promise<number>((resolve, reject) => {
            fs.writev(descriptor, cursor.next(), cursor.position, (error, written) =>
              error ? reject(error) : resolve(written),
            )
          })
          this.#advance(cursor, count)
          retries = 0
        } catch (error) {
          if (!isInterrupted(error) || ++retries > RETRIES_MAX) throw this.#error('write', error)
        }
      }
    } finally {
      this.#end()
    }
  }

  #advance(cursor: WriteCursor, count: number): void {
    if (count === 0) throw new IoError('write', this.path, 'EIO')
    cursor.advance(count)
  }

  dataSync(): void {
    const descriptor = this.#open('fdatasync')
    attempt('fdatasync', this.path, () => fs.fdatasyncSync(descriptor))
  }

  dataSyncAsync(): Promise<void> {
    return this.#syncAsync('fdatasync', fs.fdatasync)
  }

  sync(): void {
    const descriptor = this.#open('fsync')
    attempt('fsync', this.path, () => fs.fsyncSync(descriptor))
  }

  /** Not of the interface: for directories. */
  syncAsync(): Promise<void> {
    return this.#syncAsync('fsync', fs.fsync)
  }

  async #syncAsync(
    operation: string,
    call: (descriptor: number, callback: fs.NoParamCallback) => void,
  ): Promise<void> {
    const descriptor = this.#begin(operation)
    try {
      await new Promise<void>((resolve, reject) => {
        call(descriptor, (error) => (error ? reject(error) : resolve()))
      })
    } catch (error) {
      throw this.#error(operation, error)
    } finally {
      this.#end()
    }
  }

  punch(offset: number, length: number): boolean {
    const descriptor = this.#open('punch')
    assert(offset >= 0 && offset % BLOCK_BYTES_MIN === 0, 'hole begins with a block')
    assert(length > 0 && length % BLOCK_BYTES_MIN === 0, 'hole is made of whole blocks')
    for (let retries = 0; ; ) {
      try {
        return punchNative(descriptor, offset, length)
      } catch (error) {
        if (!isInterrupted(error) || ++retries > RETRIES_MAX) throw this.#error('punch', error)
      }
    }
  }

  /** Not of the interface: whether the path leads to another file or directory by now. */
  isReplaced(): boolean {
    const there = fs.lstatSync(this.path, { throwIfNoEntry: false })
    const { dev, ino } = fs.fstatSync(this.#open('stat'))
    return there !== undefined && (there.dev !== dev || there.ino !== ino)
  }

  stat(): FileStat {
    const descriptor = this.#open('stat')
    return attempt('stat', this.path, () => fileStat(fs.fstatSync(descriptor)))
  }

  /** With calls in flight the last of them closes: its number must not be reused while it runs. */
  close(): void {
    const descriptor = this.#descriptor
    if (descriptor < 0) return
    this.#descriptor = -1
    if (this.#callsInFlight > 0) this.#closing = descriptor
    else attempt('close', this.path, () => fs.closeSync(descriptor))
  }

  /** Not of the interface: the descriptor, for somebody else's read; it stays open until as many `endShared` came. */
  beginShared(): number {
    return this.#begin('read')
  }

  endShared(): void {
    this.#end()
  }

  #open(operation: string): number {
    if (this.#descriptor < 0) throw new IoError(operation, this.path, 'EBADF')
    return this.#descriptor
  }

  #begin(operation: string): number {
    const descriptor = this.#open(operation)
    this.#callsInFlight++
    return descriptor
  }

  #end(): void {
    if (--this.#callsInFlight > 0 || this.#closing < 0) return
    const descriptor = this.#closing
    this.#closing = -1
    attempt('close', this.path, () => fs.closeSync(descriptor))
  }

  #error(operation: string, error: unknown): unknown {
    const { code } = error as { code?: unknown }
    // The platform refuses the -1 of a closed file as an argument.
    if (code === 'ERR_OUT_OF_RANGE' && this.#descriptor < 0) this.#open(operation)
    return ioError(operation, this.path, error)
  }
}

/** What the interface tells of a file, or of what has its name. */
export function fileStat(stat: fs.Stats): PathStat {
  return {
    kind: stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : 'other',
    size: stat.size,
    allocated: stat.blocks * 512,
    links: stat.nlink,
    blockBytes: Math.max(BLOCK_BYTES_MIN, stat.blksize),
  }
}

/** What a link, a directory and a socket refuse an open with, besides what it finds of the others. */
const NOT_REGULAR: ReadonlySet<unknown> = new Set(['ELOOP', 'EMLINK', 'EISDIR', 'ENXIO'])

/** Opens a regular file, and nothing else. @throws IoError that says so, or the system's error */
export function openRegular(path: string, flags: number, fileMode: number): number {
  let descriptor: number
  try {
    descriptor = fs.openSync(path, flags, fileMode)
  } catch (error) {
    const { code } = error as { readonly code?: unknown }
    if (NOT_REGULAR.has(code)) throw notRegular(path, String(code), error)
    throw error
  }
  if (fs.fstatSync(descriptor).isFile()) return descriptor
  fs.closeSync(descriptor)
  throw notRegular(path, 'EINVAL')
}

function notRegular(path: string, errno: string, cause?: unknown): IoError {
  const message =
    'open refused: a directory, link, FIFO or device has the name of a file of the store; ' +
    'move it away, and put the file back if there was one'
  return new IoError('open', path, errno, { cause, message })
}

/**
 * The error of a system call as an {@link IoError}; anything else is a bug and passes as it is. The platform's
 * have a number, those of the native package only a name.
 */
export function ioError(operation: string, path: string, error: unknown): unknown {
  const { code, errno } = error as { code?: unknown; errno?: unknown }
  if (typeof code !== 'string') return error
  if (typeof errno !== 'number' && !SYSTEM_CODE.test(code)) return error
  return new IoError(operation, path, code, { cause: error })
}

/** Runs a call of the platform; its error becomes an {@link IoError}. */
export function attempt<T>(operation: string, path: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw ioError(operation, path, error)
  }
}

function isInterrupted(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return code === 'EINTR' || code === 'EAGAIN'
}
