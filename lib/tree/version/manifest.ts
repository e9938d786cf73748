/**
 * The manifest: an append-only log of version edits. Here it is written; manifest-reader.ts reads it.
 *
 *   manifest := fileHeader frame*         the first ones hold a whole version: edits of the empty one
 *   frame    := frameHeader editChecksum edit
 *
 *   offset size field
 *        0   64 frameHeader    lib/base/files/frame.ts; firstSequence: number of the edit, recordCount 1,
 *                              durable: how far this manifest was durable when it was built
 *       64    4 editChecksum   checksum(edit) XOR frameHeader's checksum: binds it to its place
 *       68    . edit           lib/tree/version/version-edit-format.ts
 *
 * Edit numbers go up by one from frame to frame, and on from manifest to manifest; the frames of the
 * first version have one number, and all but the last say that they continue. The first
 * invalid byte is a torn tail unless a valid frame behind it promises that what is missing was
 * durable; then it is corruption, as is anything wrong with the first version, for CURRENT names a
 * manifest only when that is durable.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { readU32, writeU32 } from '../../base/bytes.ts'
import { checksum } from '../../base/checksum.ts'
import { assert, syncFailed, toWiscError } from '../../base/errors.ts'
import {
  FILE_HEADER_BYTES,
  type FileIdentity,
  writeFileHeader,
} from '../../base/files/file-header.ts'
import { joinPath, manifestName } from '../../base/files/file-names.ts'
import type { File, FileSystem } from '../../base/files/file-system.ts'
import { FRAME_HEADER_BYTES, frameSeed, writeFrameHeader } from '../../base/files/frame.ts'
import { unlinkIfPossible } from '../../base/files/unlink.ts'
import type { FileNumber, VersionNumber } from '../../base/ids.ts'
import type { VersionEdit } from './version-edit.ts'
import { encodeVersionEdit } from './version-edit-format.ts'

/** Frame header and checksum of the edit. */
export const EDIT_OVERHEAD_BYTES: number = FRAME_HEADER_BYTES + 4

/** The manifest that is being written. Callers write and sync one after the other. */
export class ManifestWriter {
  readonly number: FileNumber
  readonly #file: File
  readonly #seed: number
  #length: number
  #durableLength: number
  #lastEdit: VersionNumber
  #durableEdit: VersionNumber

  private constructor(file: File, identity: FileIdentity, editNumber: VersionNumber) {
    this.number = identity.number
    this.#file = file
    this.#seed = frameSeed(identity)
    this.#length = FILE_HEADER_BYTES
    this.#durableLength = 0
    this.#lastEdit = editNumber - 1
    this.#durableEdit = editNumber - 1
  }

  /**
   * Creates a manifest that begins with a version, and makes it durable, its name included (I4).
   * @param pieces of the version: the event loop turns between one and the next
   * @throws WISC_SYNC_FAILED if a sync fails; after any other error the file is gone again
   */
  static async create(
    fileSystem: FileSystem,
    directory: string,
    identity: FileIdentity,
    pieces: Iterable<VersionEdit>,
    editNumber: VersionNumber,
  ): Promise<ManifestWriter> {
    assert(identity.kind === 'manifest', 'a manifest has the kind manifest')
    const name = manifestName(identity.number)
    const file = fileSystem.open(joinPath(directory, name), 'create')
    const writer = new ManifestWriter(file, identity, editNumber)
    try {
      const header = new Uint8Array(FILE_HEADER_BYTES)
      writeFileHeader(header, 0, identity)
      let written = 0
      for (const piece of pieces) {
        const frame = writer.#frames([piece], editNumber)
        file.writev(written === 0 ? [header, frame] : [frame], written)
        writer.#length += frame.length
        written = writer.#length
        if (piece.continues) await nextTurn()
      }
      writer.#lastEdit = editNumber
      try {
        await file.dataSyncAsync()
        await fileSystem.syncDirectoryAsync(directory)
      } catch (error) {
        throw syncFailed(name, error)
      }
      writer.#durableLength = writer.#length
      writer.#durableEdit = writer.#lastEdit
      return writer
    } catch (error) {
      writer.discard(fileSystem, error)
      throw error
    }
  }

  /** Gives up one that CURRENT has never named, for an error: the file goes, unless a sync has failed (I1). */
  discard(fileSystem: FileSystem, error: unknown): void {
    this.#file.close()
    if (toWiscError(error).code !== 'WISC_SYNC_FAILED')
      unlinkIfPossible(fileSystem, this.#file.path)
  }

  /** Bytes of the file. */
  get length(): number {
    return this.#length
  }

  /** Number of the last edit that is durable. */
  get durableEdit(): VersionNumber {
    return this.#durableEdit
  }

  /** Appends edits in one write. After an error the manifest must not be used again. */
  append(edits: readonly VersionEdit[]): void {
    const frames = this.#frames(edits, this.#lastEdit + 1)
    this.#file.write(frames, 0, frames.length, this.#length)
    this.#length += frames.length
    this.#lastEdit += edits.length
  }

  /**
   * Makes what is appended durable.
   * @throws WISC_SYNC_FAILED; it is never tried again
   */
  async sync(): Promise<void> {
    const length = this.#length
    const lastEdit = this.#lastEdit
    try {
      await this.#file.dataSyncAsync()
    } catch (error) {
      throw syncFailed(manifestName(this.number), error)
    }
    this.#durableLength = length
    this.#durableEdit = lastEdit
  }

  close(): void {
    this.#file.close()
  }

  #frames(edits: readonly VersionEdit[], firstNumber: VersionNumber): Uint8Array {
    const bodies = edits.map(encodeVersionEdit)
    const total = bodies.reduce((sum, body) => sum + EDIT_OVERHEAD_BYTES + body.length, 0)
    const frames = new Uint8Array(total)
    let at = 0
    bodies.forEach((body, index) => {
      writeFrameHeader(frames, at, this.#seed, {
        offset: this.#length + at,
        length: EDIT_OVERHEAD_BYTES + body.length,
        firstSequence: firstNumber + index,
        recordCount: 1,
        // A manifest is no file of the log: its own number stands where an ordinal does there.
        durable: { ordinal: Number(this.number), offset: this.#durableLength },
        durableEdit: this.#durableEdit,
      })
      writeU32(frames, at + FRAME_HEADER_BYTES, checksum(body) ^ readU32(frames, at + 4))
      frames.set(body, at + EDIT_OVERHEAD_BYTES)
      at += EDIT_OVERHEAD_BYTES + body.length
    })
    return frames
  }
}
