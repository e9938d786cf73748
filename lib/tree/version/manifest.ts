/**
 * The manifest: an append-only log of version edits.
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
import { assert, CorruptionError, isMissing, syncFailed, toWiscError } from '../../base/errors.ts'
import {
  FILE_HEADER_BYTES,
  type FileIdentity,
  readFileHeader,
  writeFileHeader,
} from '../../base/files/file-header.ts'
import { joinPath, manifestName } from '../../base/files/file-names.ts'
import type { File, FileSystem } from '../../base/files/file-system.ts'
import { FileWindow } from '../../base/files/file-window.ts'
import { findFrames } from '../../base/files/find-frames.ts'
import {
  FRAME_HEADER_BYTES,
  type FrameHeader,
  frameSeed,
  readKnownFrame,
  writeFrameHeader,
} from '../../base/files/frame.ts'
import { unlinkIfPossible } from '../../base/files/unlink.ts'
import type { FileNumber, VersionNumber } from '../../base/ids.ts'
import { EMPTY_VERSION, type Version } from './version.ts'
import { VersionBuilder } from './version-builder.ts'
import type { VersionEdit } from './version-edit.ts'
import { decodeVersionEdit, encodeVersionEdit } from './version-edit-format.ts'

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

export interface ReadManifest {
  readonly number: FileNumber
  readonly databaseId: Uint8Array
  readonly version: Version
  /**
   * The caller holds it against the log: a frame that names a later edit as durable proves that
   * this one is cut.
   */
  readonly lastEditNumber: VersionNumber
  /** The file up to its torn tail. */
  readonly validBytes: number
  readonly tornBytes: number
}

/**
 * Reads a manifest, of any length, edit by edit. Writes nothing.
 * @throws CorruptionError if it is damaged; a torn tail is a result. IoError if it cannot be read
 */
export function readManifest(
  fileSystem: FileSystem,
  directory: string,
  number: FileNumber,
  databaseId: Uint8Array,
): ReadManifest {
  const name = manifestName(number)
  const file = openManifest(fileSystem, directory, name)
  try {
    // What is appended from now on belongs to a later reading.
    return new ManifestReader(file, name, number, databaseId).read()
  } finally {
    file.close()
  }
}

/**
 * Goes on with a manifest that was read, at what was appended to it since. Writes nothing.
 * @returns the same object if nothing was
 * @throws as {@link readManifest}
 */
export function readAppended(
  fileSystem: FileSystem,
  directory: string,
  known: ReadManifest,
): ReadManifest {
  const name = manifestName(known.number)
  // One call where there is no news, as nearly always.
  if (fileSystem.statPath(joinPath(directory, name))?.size === known.validBytes) return known
  const file = openManifest(fileSystem, directory, name)
  try {
    const read = new ManifestReader(file, name, known.number, known.databaseId).readOn(known)
    return read.validBytes === known.validBytes ? known : read
  } finally {
    file.close()
  }
}

function openManifest(fileSystem: FileSystem, directory: string, name: string): File {
  try {
    return fileSystem.open(joinPath(directory, name), 'read')
  } catch (error) {
    if (isMissing(error))
      throw new CorruptionError(name, 0, 'manifest is missing', { cause: error })
    throw error
  }
}

class ManifestReader {
  readonly #file: File
  readonly #name: string
  readonly #size: number
  readonly #window: FileWindow
  readonly #identity: FileIdentity
  readonly #seed: number

  constructor(file: File, name: string, number: FileNumber, databaseId: Uint8Array) {
    this.#file = file
    this.#name = name
    this.#size = file.stat().size
    this.#window = new FileWindow(file, this.#size)
    const header = this.#bytes(0, Math.min(FILE_HEADER_BYTES, this.#size))
    this.#identity = readFileHeader(header, name, { kind: 'manifest', number, databaseId })
    this.#seed = frameSeed(this.#identity)
  }

  read(): ReadManifest {
    return this.#readFrom(new VersionBuilder(EMPTY_VERSION), undefined, FILE_HEADER_BYTES)
  }

  /** Behind what was read of it before. */
  readOn({ version, lastEditNumber, validBytes }: ReadManifest): ReadManifest {
    return this.#readFrom(new VersionBuilder(version), lastEditNumber, validBytes)
  }

  /** @param lastRead number of the edit before `start`; undefined at the first one */
  #readFrom(
    builder: VersionBuilder,
    lastRead: VersionNumber | undefined,
    start: number,
  ): ReadManifest {
    const name = this.#name
    let lastEditNumber = lastRead
    /** Pieces of the first version are still to come. */
    let continues = lastRead === undefined
    let at = start
    for (;;) {
      const frame = this.#frameAt(at)
      if (!frame) break
      const { firstSequence: number } = frame
      const expected = lastEditNumber === undefined ? number : lastEditNumber + (continues ? 0 : 1)
      if (number !== expected) {
        throw new CorruptionError(name, at, `edit ${number} stands where ${expected} is due`)
      }
      const edit = this.#applyFrame(frame, builder)
      if (edit.continues && !continues) {
        throw new CorruptionError(name, at, `edit ${number} continues, and is not the first`)
      }
      continues = edit.continues === true
      lastEditNumber = number
      at += frame.length
    }
    if (lastEditNumber === undefined || continues) {
      this.#promiseBehind(at, 0)
      throw new CorruptionError(name, at, 'manifest does not begin with a valid version')
    }
    const tornBytes = this.#size - at
    if (tornBytes > 0) this.#checkTorn(at, lastEditNumber + 1)
    const { number, databaseId } = this.#identity
    const version = builder.finish()
    return { number, databaseId, version, lastEditNumber, validBytes: at, tornBytes }
  }

  /** The frame at `at`, if header and edit pass their checks. */
  #frameAt(at: number): FrameHeader | undefined {
    const left = this.#size - at
    if (left < EDIT_OVERHEAD_BYTES) return undefined
    const frame = readKnownFrame(
      this.#bytes(at, EDIT_OVERHEAD_BYTES),
      0,
      this.#seed,
      at,
      this.#name,
    )
    if (!frame || frame.length > left || frame.length < EDIT_OVERHEAD_BYTES) return undefined
    const number: number = this.#identity.number
    const isOfManifest = frame.durable.ordinal === number
    if (frame.recordCount !== 1 || !isOfManifest) return undefined
    const bytes = this.#bytes(at, frame.length)
    const expected = (checksum(bytes.subarray(EDIT_OVERHEAD_BYTES)) ^ readU32(bytes, 4)) >>> 0
    return readU32(bytes, FRAME_HEADER_BYTES) === expected ? frame : undefined
  }

  #applyFrame(frame: FrameHeader, builder: VersionBuilder): VersionEdit {
    const edit = this.#editOf(frame)
    try {
      builder.apply(edit, frame.firstSequence)
      return edit
    } catch (cause) {
      const reason = `edit ${frame.firstSequence} does not fit its version`
      throw new CorruptionError(this.#name, frame.offset + EDIT_OVERHEAD_BYTES, reason, { cause })
    }
  }

  #editOf(frame: FrameHeader): VersionEdit {
    const offset = frame.offset + EDIT_OVERHEAD_BYTES
    const bytes = this.#bytes(offset, frame.length - EDIT_OVERHEAD_BYTES)
    return decodeVersionEdit(bytes, this.#name, offset)
  }

  /**
   * Decides about the first invalid byte, at `torn`: behind it may lie nothing that promises durable
   * bytes there. The header of a frame is enough for a promise, whatever became of its edit.
   */
  #checkTorn(torn: number, missingEdit: VersionNumber): void {
    const promise = this.#promiseBehind(torn, missingEdit)
    if (promise === undefined) return
    const reason = `edit ${missingEdit} is damaged, and was durable before the frame at ${promise}`
    throw new CorruptionError(this.#name, torn, reason)
  }

  /**
   * The first frame behind `torn` that promises durable bytes there. All frames are looked at: what a later version has
   * written is refused before damage is told (F-V19), or a salvage would go on without what it says.
   * @throws WISC_FORMAT_VERSION
   */
  #promiseBehind(torn: number, missingEdit: VersionNumber): number | undefined {
    let promise: number | undefined
    findFrames(this.#file, this.#seed, torn, this.#size, (found) => {
      const { offset, durable, durableEdit } = found
      if (durable.offset > torn || durableEdit >= missingEdit) promise ??= offset
      const frame = this.#frameAt(offset)
      if (frame) this.#refuseUnknownEdit(frame)
    })
    return promise
  }

  #refuseUnknownEdit(frame: FrameHeader): void {
    try {
      this.#editOf(frame)
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error
    }
  }

  /** A view of the file that is good until the next one. */
  #bytes(offset: number, length: number): Uint8Array {
    const at = this.#window.view(offset, length)
    return this.#window.bytes.subarray(at, at + length)
  }
}
