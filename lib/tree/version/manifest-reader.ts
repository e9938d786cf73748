/** Reads manifests (manifest.ts says what they are): whole, or on from where one was read to. Writes nothing. */
import { readU32 } from '../../base/bytes.ts'
import { checksum } from '../../base/checksum.ts'
import { CorruptionError, isMissing } from '../../base/errors.ts'
import {
  FILE_HEADER_BYTES,
  type FileIdentity,
  readFileHeader,
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
} from '../../base/files/frame.ts'
import type { FileNumber, VersionNumber } from '../../base/ids.ts'
import { EDIT_OVERHEAD_BYTES } from './manifest.ts'
import { EMPTY_VERSION, type Version } from './version.ts'
import { VersionBuilder } from './version-builder.ts'
import type { VersionEdit } from './version-edit.ts'
import { decodeVersionEdit } from './version-edit-format.ts'

export interface ReadManifest {
  readonly number: FileNumber
  /** Of the file: an older copy in the place of a store has manifests of the same numbers. */
  readonly salt: number
  /** What the file system calls the file. */
  readonly fileId: string | undefined
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
 * Reads a manifest, of any length, edit by edit.
 * @throws CorruptionError if it is damaged; a torn tail is a result. IoError if it cannot be read
 */
export function readManifest(
  fileSystem: FileSystem,
  directory: string,
  number: FileNumber,
  databaseId: Uint8Array,
): ReadManifest {
  const { fileId, file, name } = openManifest(fileSystem, directory, number)
  try {
    // What is appended from now on belongs to a later reading.
    return new ManifestReader(file, name, number, databaseId, fileId).read()
  } finally {
    file.close()
  }
}

/**
 * Goes on with a manifest that was read, at what was appended to it since; reads it whole if another one lies in its
 * place.
 * @returns the same object if there is no news
 * @throws as {@link readManifest}
 */
export function readAppended(
  fileSystem: FileSystem,
  directory: string,
  known: ReadManifest,
): ReadManifest {
  const { number, databaseId } = known
  // One call where there is no news, as nearly always.
  const found = fileSystem.identify(joinPath(directory, manifestName(number)))
  const isKnownFile = found?.id === known.fileId
  if (isKnownFile && found?.size === known.validBytes) return known
  const { fileId, file, name } = openManifest(fileSystem, directory, number)
  try {
    const reader = new ManifestReader(file, name, number, databaseId, fileId)
    // One that is shorter is an older copy.
    const goesOn = reader.salt === known.salt && reader.size >= known.validBytes
    const read = goesOn ? reader.readOn(known) : reader.read()
    return isKnownFile && read.validBytes === known.validBytes ? known : read
  } finally {
    file.close()
  }
}

function openManifest(
  fileSystem: FileSystem,
  directory: string,
  number: FileNumber,
): { readonly file: File; readonly fileId: string | undefined; readonly name: string } {
  const name = manifestName(number)
  const path = joinPath(directory, name)
  try {
    return { fileId: fileSystem.identify(path)?.id, file: fileSystem.open(path, 'read'), name }
  } catch (error) {
    if (isMissing(error))
      throw new CorruptionError(name, 0, 'manifest is missing', { cause: error })
    throw error
  }
}

class ManifestReader {
  readonly #file: File
  readonly #name: string
  readonly size: number
  readonly #window: FileWindow
  readonly #identity: FileIdentity
  readonly #seed: number
  readonly #fileId: string | undefined

  constructor(
    file: File,
    name: string,
    number: FileNumber,
    databaseId: Uint8Array,
    fileId: string | undefined,
  ) {
    this.#fileId = fileId
    this.#file = file
    this.#name = name
    this.size = file.stat().size
    this.#window = new FileWindow(file, this.size)
    const header = this.#bytes(0, Math.min(FILE_HEADER_BYTES, this.size))
    this.#identity = readFileHeader(header, name, { kind: 'manifest', number, databaseId })
    this.#seed = frameSeed(this.#identity)
  }

  get salt(): number {
    return this.#identity.salt
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
    const tornBytes = this.size - at
    if (tornBytes > 0) this.#checkTorn(at, lastEditNumber + 1)
    const { number, salt, databaseId } = this.#identity
    const file = { number, salt, databaseId, fileId: this.#fileId }
    return { ...file, version: builder.finish(), lastEditNumber, validBytes: at, tornBytes }
  }

  /** The frame at `at`, if header and edit pass their checks. */
  #frameAt(at: number): FrameHeader | undefined {
    const left = this.size - at
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
    findFrames(this.#file, this.#seed, torn, this.size, (found) => {
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
