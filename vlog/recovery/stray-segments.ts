/**
 * Segments that lie in the directory and that the version does not know.
 *
 * They are the unfinished or dropped work of a crash, unless the manifest has lost its end: a frame is written
 * only when the edit that added its segment is durable, and it names that edit or a later one. So a valid frame in a
 * stray segment proves how far the manifest must reach. Nothing may be taken for an orphan before.
 */
import { CorruptionError, IoError, isMissing } from '../../lib/base/errors.ts'
import { readFileHeader } from '../../lib/base/files/file-header.ts'
import { joinPath, parseFileName } from '../../lib/base/files/file-names.ts'
import type { File, FileSystem } from '../../lib/base/files/file-system.ts'
import { findFrames } from '../../lib/base/files/find-frames.ts'
import { frameSeed } from '../../lib/base/files/frame.ts'
import type { StoreDirectory } from '../../lib/base/files/store-directory.ts'
import { refuseUnknownSegment, SEGMENT_HEADER_BYTES } from '../log/segment-header.ts'

/** @returns undefined if it is gone: beside a writer what nobody needs goes at any time, and proves nothing then */
function openStray(fileSystem: FileSystem, path: string): File | undefined {
  try {
    return fileSystem.open(path, 'read')
  } catch (error) {
    if (isMissing(error)) return undefined
    if (!(error instanceof IoError)) throw error
    const message =
      'a segment that may be needed cannot be read: make it readable, or move it away if it is foreign'
    throw new IoError(error.operation, path, error.errno, { cause: error, message })
  }
}

/**
 * The highest version edit that a valid frame of any stray segment names as durable; 0 if there is none.
 * @param names those in the directory that the version does not hold
 */
export function durableEditOfStrays(
  { fileSystem, directory, databaseId }: StoreDirectory,
  names: readonly string[],
): number {
  let durableEdit = 0
  for (const name of names) {
    const parsed = parseFileName(name)
    if (parsed?.kind !== 'segment') continue
    // Whatever else has such a name holds no frames.
    if (fileSystem.statPath(joinPath(directory, name))?.kind !== 'file') continue
    const file = openStray(fileSystem, joinPath(directory, name))
    if (!file) continue
    try {
      const { size } = file.stat()
      const header = new Uint8Array(Math.min(SEGMENT_HEADER_BYTES, size))
      file.read(header, 0, header.length, 0)
      const identity = readFileHeader(header, name, {
        kind: 'segment',
        number: parsed.number,
        databaseId,
      })
      const seed = frameSeed(identity)
      refuseUnknownSegment(header, parsed.number, databaseId, seed)
      findFrames(file, seed, 0, size, (frame) => {
        durableEdit = Math.max(durableEdit, frame.durableEdit)
      })
    } catch (error) {
      // Without a header of its own a file has no frames: what a crash left of a segment, or a foreign file.
      if (!(error instanceof CorruptionError)) throw error
    } finally {
      file.close()
    }
  }
  return durableEdit
}
