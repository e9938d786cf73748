/**
 * BALLAST: a reserve of disk space that is given up when the disk is full, so that what is under way can end:
 * tables of memtables, the end of the log, a manifest, deletes. It holds real bytes (a sparse file reserves
 * nothing) and begins with the header of every file. Nothing durable refers to it, so its steps need no order.
 */
import { FILE_HEADER_BYTES, type FileIdentity, writeFileHeader } from './base/file-header.ts'
import { BALLAST_NAME, joinPath } from './base/file-names.ts'
import type { File, FileSystem } from './base/file-system.ts'
import { type Random, randomU32 } from './base/random.ts'
import { clearName } from './base/set-aside.ts'
import { unlinkIfPossible } from './base/unlink.ts'

const PIECE_BYTES = 1024 * 1024
const BALLAST_BYTES_MIN = 65536
/** A store gives up to this share of itself. */
const STORE_SHARE = 1 / 16

export class Ballast {
  readonly #fileSystem: FileSystem
  readonly #directory: string
  readonly #path: string
  readonly #databaseId: Uint8Array
  readonly #random: Random
  readonly #bytesMax: number
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
    this.#databaseId = context.databaseId
    this.#random = context.random
    this.#directory = context.directory
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

  /** What a store of this size should hold in reserve. */
  wanted(storeBytes: number): number {
    return Math.max(
      Math.min(BALLAST_BYTES_MIN, this.#bytesMax),
      Math.min(this.#bytesMax, storeBytes * STORE_SHARE),
    )
  }

  /** Makes it again, larger, if it is less than half of what the store should hold. Errors of the disk are returned. */
  async grow(storeBytes: number): Promise<unknown> {
    const wanted = Math.floor(this.wanted(storeBytes))
    if (this.#closed || this.#bytes * 2 > wanted) return undefined
    try {
      this.#growing ??= this.#make(wanted)
      await this.#growing
      return undefined
    } catch (error) {
      return error
    } finally {
      this.#growing = undefined
    }
  }

  async #make(bytes: number): Promise<void> {
    this.release()
    this.#unwanted = false
    clearName(this.#fileSystem, this.#directory, BALLAST_NAME)
    const number = 0
    const identity: FileIdentity = {
      kind: 'ballast',
      databaseId: this.#databaseId,
      number,
      salt: randomU32(this.#random),
    }
    const file = this.#fileSystem.open(this.#path, 'create')
    try {
      const piece = this.#random.bytes(Math.min(PIECE_BYTES, bytes))
      if (piece.length >= FILE_HEADER_BYTES) writeFileHeader(piece, 0, identity)
      await this.#fill(file, piece, bytes)
    } catch (error) {
      this.#unwanted = true
      throw error
    } finally {
      file.close()
      if (this.#unwanted) unlinkIfPossible(this.#fileSystem, this.#path)
    }
  }

  async #fill(file: File, piece: Uint8Array, bytes: number): Promise<void> {
    for (let at = 0; at < bytes && !this.#closed && !this.#unwanted; at += piece.length) {
      const part = piece.subarray(0, Math.min(piece.length, bytes - at))
      await file.writevAsync([part], at)
      this.#bytesWritten += part.length
    }
    if (this.#unwanted) return
    await file.dataSyncAsync()
    if (!this.#unwanted) this.#bytes = bytes
  }

  /** Gives the space up, at once; one that is being made is unlinked as soon as its write has ended. */
  release(): void {
    this.#bytes = 0
    if (this.#growing) this.#unwanted = true
    else unlinkIfPossible(this.#fileSystem, this.#path)
  }

  /** Waits for what is under way. The file stays. */
  async close(): Promise<void> {
    this.#closed = true
    try {
      await this.#growing
    } catch (error) {
      // It is a reserve: a store without one still closes in order. `grow` has returned the error to its caller.
      void error
    }
  }
}
