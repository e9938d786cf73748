/** Frames behind damage, in files of any length: a log segment, a manifest. */
import type { File } from './file-system.ts'
import { FileWindow } from './file-window.ts'
import { FRAME_HEADER_BYTES, FRAME_MAGIC, type FrameHeader, readKnownFrame } from './frame.ts'

/**
 * The next frame at or behind `from`, wherever the first bytes of one stand.
 * @param frameAt judges such a place: undefined if there is no frame
 * @throws what `frameAt` throws, IoError
 */
export function nextFrame(
  window: FileWindow,
  from: number,
  end: number,
  frameAt: (offset: number) => FrameHeader | undefined,
): FrameHeader | undefined {
  for (let offset = from; offset + FRAME_HEADER_BYTES <= end; ) {
    const length = Math.min(window.chunkBytes, end - offset)
    const at = window.view(offset, length)
    const bytes = Buffer.from(window.bytes.buffer, window.bytes.byteOffset + at, length)
    const hit = bytes.indexOf(FRAME_MAGIC)
    if (hit < 0) {
      if (length <= FRAME_MAGIC.length) return undefined
      offset += length - (FRAME_MAGIC.length - 1)
      continue
    }
    offset += hit
    const frame = offset + FRAME_HEADER_BYTES <= end ? frameAt(offset) : undefined
    if (frame) return frame
    offset++
  }
  return undefined
}

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
  const frameAt = (offset: number): FrameHeader | undefined => {
    const at = window.view(offset, FRAME_HEADER_BYTES)
    return readKnownFrame(window.bytes, at, seed, offset, window.fileName)
  }
  for (let next = from; ; ) {
    const frame = nextFrame(window, next, end, frameAt)
    if (!frame || found(frame) === false) return
    next = frame.offset + 1
  }
}
