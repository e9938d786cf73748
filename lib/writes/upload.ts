/**
 * One upload: a value that comes piece by piece, becomes a file of its own, and is seen when all of it is there.
 *
 * The durable order, and what it keeps:
 *   1. The pieces are written to a new file, which nothing names (vlog/stream/stream-writer.ts).
 *   2. The file is synced: an fdatasync, which takes its length along.
 *   3. The version set syncs the directory, then writes and syncs an edit that adds the file (I4).
 *   4. A record of the log names file, length and checksum: the stream is seen, at its place in the order of commits
 *      (I2). It is acknowledged as any write is; with `sync` when the log is durable (I1).
 * What ends before the edit leaves an orphan, which is removed at once, or by the next open after a crash; what ends
 * before the record a file that nothing points to, which the collector drops. A value below `streamThreshold` becomes
 * a put.
 */

import type { SyncGate } from '../../vlog/early-sync.ts'
import { RECORD_KIND } from '../../vlog/record.ts'
import { isStreamSize } from '../../vlog/stream/stream-format.ts'
import {
  type StreamTarget,
  StreamWriter,
  streamBufferBytes,
} from '../../vlog/stream/stream-writer.ts'
import { until } from '../base/abort.ts'
import { lengthOf, NO_BYTES } from '../base/bytes.ts'
import { invalidArgument, WiscError } from '../base/errors.ts'
import type { EventLoopTurn } from '../base/event-loop-turn.ts'
import { joinPath, segmentName } from '../base/files/file-names.ts'
import type { File } from '../base/files/file-system.ts'
import type { StoreDirectory } from '../base/files/store-directory.ts'
import type { FileNumber } from '../base/ids.ts'
import { type Random, randomU32 } from '../base/random.ts'
import type { PieceSource } from '../contract/stream-source.ts'
import type { UploadResult } from '../contract/types.ts'
import type { VersionSet } from '../tree/version/version-set.ts'
import type { Admission } from './admission.ts'
import { type BatchCondition, storedSizeOf } from './batch.ts'
import type { CommitQueue } from './commit.ts'
import { streamWrite, type Write, type WrittenStream } from './write.ts'

export interface UploadParts {
  readonly context: StoreDirectory & { readonly random: Random }
  readonly turn: EventLoopTurn
  readonly versions: VersionSet
  readonly admission: Pick<Admission, 'askForUpload' | 'uploaded'>
  readonly commit: Pick<CommitQueue, 'submit' | 'submitStream'>
}

export interface UploadOptions {
  readonly sync: boolean
  /** Milliseconds since 1970; 0: it never expires. */
  readonly expiresAt: number
  /** Ends it early, with its reason. */
  readonly signal: AbortSignal
  /** What the source will have; undefined: whatever it has. */
  readonly size: number | undefined
  /** What is shorter becomes a put. */
  readonly minimumBytes: number
  /** What is longer is refused: it would push everything else out of a cache. */
  readonly maximumBytes: number
  /** Of its record, when the turn of that has come: all of the source has been taken by then. */
  readonly condition: BatchCondition | undefined
}

export class Upload {
  readonly #parts: UploadParts
  readonly #key: Uint8Array
  readonly #options: UploadOptions
  readonly #writer: StreamWriter
  #file: File | undefined
  #number: FileNumber | undefined
  /** Once the file is synced. */
  #stream: WrittenStream | undefined
  #isInVersion = false

  /** @param key is the upload's from now on */
  constructor(parts: UploadParts, key: Uint8Array, options: UploadOptions, gate: SyncGate) {
    this.#parts = parts
    this.#key = key
    this.#options = options
    const bufferBytes = streamBufferBytes(options.minimumBytes)
    this.#writer = new StreamWriter(() => this.#create(), this.#key, gate, bufferBytes)
  }

  /** Of its file; undefined as long as it has none. */
  get number(): FileNumber | undefined {
    return this.#number
  }

  /** Bytes of the value that its file has, or is about to have. */
  get bytes(): number {
    return this.#file === undefined ? 0 : this.#writer.size
  }

  /** Of these, what the file does not have yet. */
  get unwrittenBytes(): number {
    return this.#file === undefined ? 0 : this.#writer.unwrittenBytes
  }

  /** Some edit may have made the file a part of the version. */
  get isInVersion(): boolean {
    return this.#isInVersion
  }

  /** The record was given to the log: whether it is there is not known, should that have failed. */
  get mayBeInLog(): boolean {
    return this.#stream?.mayBeInLog === true
  }

  /** @throws what the source throws, the reason of the signal, and what a put throws */
  async run(source: PieceSource): Promise<UploadResult> {
    try {
      await this.#takeAll(source)
      const { size } = this.#writer
      const { minimumBytes, sync, expiresAt, condition } = this.#options
      const { commit } = this.#parts
      if (this.#file === undefined && size < minimumBytes) {
        const put = { kind: RECORD_KIND.put, key: this.#key, value: this.#value(), expiresAt }
        return { size, storedSize: await commit.submit(put, sync, condition, storedSizeOf) }
      }
      await commit.submitStream(await this.#store(), sync, condition)
      return { size, storedSize: size }
    } finally {
      await this.#writer.ended()
      this.#file?.close()
    }
  }

  #value(): Uint8Array {
    const { unwritten } = this.#writer
    return unwritten.length === 0 ? NO_BYTES : unwritten
  }

  async #takeAll(source: PieceSource): Promise<void> {
    const { signal, size } = this.#options
    const { turn } = this.#parts
    this.#checkSize(size ?? 0)
    for (;;) {
      const piece = await until(source.next(), signal)
      if (piece === undefined) break
      this.#checkSize(this.#writer.size + piece.length)
      await this.#take(piece)
      // A source that never waits would not let anybody else have a turn.
      if (turn.isOldRarely()) await new Promise<void>((resolve) => turn.later(resolve))
    }
    const bytes = this.#writer.size
    if (size === undefined || bytes === size) return
    throw invalidArgument(`the source has ended before its size bytes=${bytes} size=${size}`)
  }

  #checkSize(bytes: number): void {
    const { size, maximumBytes } = this.#options
    if (size !== undefined && bytes > size)
      throw invalidArgument(`the source has more than its size bytes=${bytes} size=${size}`)
    if (bytes > maximumBytes) {
      const message = `a stream may take half of a cache at most bytes=${bytes} max=${maximumBytes}`
      throw new WiscError('WISC_DISK_FULL', message)
    }
    if (bytes > 0 && !isStreamSize(this.#key.length, bytes))
      throw invalidArgument(`the source has more than a value may have bytes=${bytes}`)
  }

  async #take(piece: Uint8Array): Promise<void> {
    const { signal } = this.#options
    const { length } = piece
    for (let from = 0; from < length; ) {
      const count = Math.min(length - from, this.#writer.room)
      if (count === this.#writer.room) await this.#admit(count)
      // It is its owner's, who may do anything with it meanwhile.
      if (lengthOf(piece) !== length)
        throw invalidArgument('a piece of the source has lost its memory while it was written')
      const writing = this.#writer.append(piece.subarray(from, from + count))
      if (writing !== undefined) await writing
      from += count
      if (signal.aborted) throw signal.reason
    }
  }

  /** Waits until so many bytes may be written. */
  async #admit(bytes: number): Promise<void> {
    const { admission } = this.#parts
    const { signal } = this.#options
    for (;;) {
      const verdict = admission.askForUpload(bytes)
      if (verdict.kind === 'refused') throw verdict.error
      if (verdict.kind === 'admitted') break
      await until(verdict.until, signal)
    }
    admission.uploaded(bytes)
  }

  #create(): StreamTarget {
    const { context, versions } = this.#parts
    const { fileSystem, directory, databaseId, random } = context
    const number = versions.fileNumbers.take()
    const file = fileSystem.open(joinPath(directory, segmentName(number)), 'create')
    this.#file = file
    this.#number = number
    const identity = { kind: 'stream' as const, databaseId, number, salt: randomU32(random) }
    return { file, identity }
  }

  /** Makes the file durable, and a part of the version. @returns what is left to be written */
  async #store(): Promise<Write> {
    const { signal } = this.#options
    if (this.#file === undefined) await this.#admit(this.#writer.size)
    const built = await this.#writer.finish()
    if (signal.aborted) throw signal.reason
    const { number, salt, length } = built
    await this.#parts.versions.apply({ addedFiles: [{ role: 'stream', number, salt, length }] })
    this.#isInVersion = true
    if (signal.aborted) throw signal.reason
    this.#stream = { ...built, mayBeInLog: false }
    return streamWrite(this.#key, this.#stream, this.#options.expiresAt)
  }
}
