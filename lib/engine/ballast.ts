/**
 * BALLAST: room on the disk that is kept, and given up when the disk is full, so that what is under way can end:
 * tables of memtables, the end of the log, a manifest, deletes. It holds real bytes (a sparse file keeps
 * nothing) and begins with the header of every file. Nothing durable refers to it, so its steps need no order.
 */
import { CorruptionError, IoError, toWiscError } from '../base/errors.ts'
import {
  FILE_HEADER_BYTES,
  type FileIdentity,
  readFileHeader,
  writeFileHeader,
} from '../base/files/file-header.ts'
import { BALLAST_NAME, joinPath } from '../base/files/file-names.ts'
import type { File, FileSystem } from '../base/files/file-system.ts'
import type { StoreDirectory } from '../base/files/store-directory.ts'
import { clearName, unlinkIfPossible } from '../base/files/unlink.ts'
import { type Random, randomU32 } from '../base/random.ts'

const PIECE_BYTES = 1024 * 1024
const BALLAST_BYTES_MIN = 65536
/** A store gives up to this share of itself. */
const STORE_SHARE = 1 / 16

/**
 * Looks whether BALLAST is of a newer version, which may have put something else into it: then nobody takes it away.
 * Whatever fails its checks is a ballast like any other.
 * @throws WISC_FORMAT_VERSION, IoError
 */
export function refuseUnknownBallast({ fileSystem, directory, databaseId }: StoreDirectory): void {
  const path = joinPath(directory, BALLAST_NAME)
  if (fileSystem.statPath(path)?.kind !== 'file') return
  const file = fileSystem.open(path, 'read')
  try {
    const header = new Uint8Array(FILE_HEADER_BYTES)
    const got = file.read(header, 0, header.length, 0)
    const expected = { kind: 'ballast', number: 0, databaseId } as const
    readFileHeader(header.subarray(0, got), BALLAST_NAME, expected)
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error
  } finally {
    file.close()
  }
}

/**
 * Opens a store, once more with the ballast's room if there is one and the disk has been found to be full: recovery
 * needs some. Of a store that is open says full-disk.ts what is done again.
 */
export async function openWithBallast<T>(
  { fileSystem, directory }: Pick<StoreDirectory, 'fileSystem' | 'directory'>,
  open: () => Promise<T>,
): Promise<T> {
  try {
    return await open()
  } catch (error) {
    const path = joinPath(directory, BALLAST_NAME)
    if (toWiscError(error).code !== 'WISC_DISK_FULL' || !fileSystem.statPath(path)) throw error
    fileSystem.unlink(path)
    return open()
  }
}

/** What the ballast is for. */
export interface BallastNeed {
  /** Of all files. */
  readonly storeBytes: number
  /** What the memtables will take as tables. */
  readonly tableBytesToCome: number
}

export class Ballast {
  readonly #fileSystem: FileSystem
  readonly #directory: string
  readonly #path: string
  readonly #databaseId: Uint8Array
  readonly #random: Random
  readonly #bytesMax: number
  /** Open if this process has made it: then it grows at its end. */
  #file: File | undefined
  #bytes: number
  #growing: Promise<void> | undefined
  #closed = false
  /** Given up while it was being made. */
  #unwanted = false
  #bytesWritten = 0

  constructor(
    context: { fileSystem: FileSystem; directory: string; databaseId: Uint8Array; random: Random },
    segmentBytes: number,
  ) {
    this.#fileSystem = context.fileSystem
    this.#directory = context.directory
    this.#databaseId = context.databaseId
    this.#random = context.random
    this.#path = joinPath(context.directory, BALLAST_NAME)
    this.#bytesMax = Math.floor(segmentBytes / 2)
    const found = this.#fileSystem.statPath(this.#path)
    this.#bytes = found?.kind === 'file' ? found.size : 0
  }

  /** Bytes that it holds now. */
  get bytes(): number {
    return this.#bytes
  }

  /** Bytes written for it so far. */
  get bytesWritten(): number {
    return this.#bytesWritten
  }

  /** It will not grow any more. */
  get isWhole(): boolean {
    return this.#bytes * 2 > this.#bytesMax
  }

  /** By so much it may still grow, whatever becomes of the store. */
  get bytesToCome(): number {
    return this.isWhole ? 0 : this.#bytesMax - this.#bytes
  }

  /** What a store should hold. */
  wanted({ storeBytes, tableBytesToCome }: BallastNeed): number {
    const needed = Math.max(BALLAST_BYTES_MIN, storeBytes * STORE_SHARE, tableBytesToCome)
    return Math.floor(Math.min(this.#bytesMax, needed))
  }

  /**
   * Makes it larger if it is less than half of what the store should hold, but not so large that less than that were
   * left for others: one that is there stays as it is then. Errors of the disk are returned.
   * @param least a smaller one is not worth its while, and counts as a full disk
   */
  async grow(need: BallastNeed, least: number = BALLAST_BYTES_MIN): Promise<unknown> {
    const wanted = this.wanted(need)
    if (this.#closed || this.#bytes * 2 > wanted) return undefined
    try {
      this.#growing ??= this.#growWithin(wanted, Math.min(wanted, least))
      await this.#growing
      return undefined
    } catch (error) {
      return error
    } finally {
      this.#growing = undefined
    }
  }

  async #growWithin(wanted: number, least: number): Promise<void> {
    const before = this.#bytes
    const free = Math.floor(this.#fileSystem.freeBytes(this.#directory) / 2)
    const most = Math.min(wanted, before + free)
    if (before > 0 && most < before * 2) return
    if (most < least) throw new IoError('write', this.#path, 'ENOSPC')
    await this.#growTo(most)
  }

  async #growTo(bytes: number): Promise<void> {
    this.#unwanted = false
    try {
      const piece = this.#random.bytes(Math.min(PIECE_BYTES, bytes))
      if (!this.#file) this.#begin(piece)
      await this.#fill(this.#file!, piece, bytes)
    } catch (error) {
      this.#unwanted = true
      throw error
    } finally {
      if (this.#unwanted) this.#remove()
    }
  }

  /** One that another process has made cannot be written to: a new one takes its place. */
  #begin(piece: Uint8Array): void {
    this.#remove()
    clearName(this.#fileSystem, this.#directory, BALLAST_NAME)
    this.#file = this.#fileSystem.open(this.#path, 'create')
    const salt = randomU32(this.#random)
    const identity: FileIdentity = {
      kind: 'ballast',
      databaseId: this.#databaseId,
      number: 0,
      salt,
    }
    if (piece.length >= FILE_HEADER_BYTES) writeFileHeader(piece, 0, identity)
  }

  async #fill(file: File, piece: Uint8Array, bytes: number): Promise<void> {
    for (let at = this.#bytes; at < bytes && !this.#closed && !this.#unwanted; ) {
      const part = piece.subarray(0, Math.min(piece.length, bytes - at))
      await file.writevAsync([part], at)
      this.#bytesWritten += part.length
      at += part.length
    }
    if (this.#unwanted) return
    await file.dataSyncAsync()
    if (!this.#unwanted) this.#bytes = bytes
  }

  /** It was given up while it was being made: resolves when its space is free. */
  get releasing(): Promise<void> | undefined {
    const ended = (): void => {}
    return this.#unwanted ? this.#growing?.then(ended, ended) : undefined
  }

  /** Gives the space up, at once; one that is being made is unlinked as soon as its write has ended. */
  release(): void {
    this.#bytes = 0
    if (this.#growing) this.#unwanted = true
    else this.#remove()
  }

  #remove(): void {
    this.#bytes = 0
    this.#file?.close()
    this.#file = undefined
    unlinkIfPossible(this.#fileSystem, this.#path)
  }

  /** Waits for what is under way. The file stays. */
  async close(): Promise<void> {
    this.#closed = true
    try {
      await this.#growing
    } catch (error) {
      // A store without one still closes in order. `grow` has returned the error to its caller.
      void error
    }
    this.#file?.close()
    this.#file = undefined
  }
}
