/** Frames behind damage, in files of any length: a log segment, a manifest. */
import type { File } from './file-system.ts'
import { FileWindow } from './file-window.ts'
import { FRAME_HEADER_BYTES, FRAME_MAGIC, type FrameHeader, readKnownFrame } from './frame.ts'

/**
 * Looks for frame headers behind damage: each proves itself and so the durable position that it carries,
 * whatever lies between.
 * @param found returns false when it has seen enough
 * @throws WISC_FORMAT_VERSION for one with unknown flags, IoError
 */
export function findFrames(
  file: File,
  seed: number,
  from: number,
  end: number,
  found: (frame: FrameHeader) => unknown,
): void {
  const window = new FileWindow(file, end)
  let offset = from
  while (offset + FRAME_HEADER_BYTES <= end) {
    const length = Math.min(window.chunkBytes, end - offset)
    const at = window.view(offset, length)
    const hit = Buffer.from(window.bytes.buffer, window.bytes.byteOffset + at, length).indexOf(
      FRAME_MAGIC,
    )
    if (hit < 0) {
      offset += length - (FRAME_MAGIC.length - 1)
      if (length <= FRAME_MAGIC.length) return
      continue
    }
    offset += hit
    if (offset + FRAME_HEADER_BYTES > end) return
    const headerAt = window.view(offset, FRAME_HEADER_BYTES)
    const frame = readKnownFrame(window.bytes, headerAt, seed, offset, window.fileName)
    if (frame && found(frame) === false) return
    offset += 1
  }
}
