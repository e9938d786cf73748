/** What a newer version may have put into a stream (vlog/FORMAT.md, section 10). */
import { crc32 } from 'node:zlib'
import { ALL, BOTH, type Half, seedOf, setFlags, type UnknownPart } from './planted-files.ts'

/** The head of a stream is proved by its place, too. */
function streamHead(
  name: string,
  halves: readonly Half[],
  offset: number,
  change: (bytes: Buffer, half: Half) => void,
): UnknownPart {
  return {
    name,
    halves,
    refusedBy: ALL,
    plant: (files, half) => {
      const file = files.ofKind(6)
      const bytes = files.get(file)
      change(bytes, half)
      const end = 76 + bytes.readUInt32LE(64)
      const at = Buffer.alloc(8)
      at.writeUIntLE(64, 0, 6)
      bytes.writeUInt32LE(crc32(bytes.subarray(64, end), crc32(at, seedOf(bytes))), end)
      return { file, offset }
    },
  }
}

export const STREAM_PARTS: readonly UnknownPart[] = [
  streamHead('flags of the head of a stream', BOTH, 74, (bytes, half) => setFlags(bytes, 72, half)),
  streamHead('a codec of a stream', ['refuse'], 68, (bytes) => bytes.writeUInt8(1, 68)),
  {
    name: 'flags of the footer of a stream',
    halves: BOTH,
    refusedBy: ALL,
    plant: (files, half) => {
      const file = files.ofKind(6)
      const bytes = files.get(file)
      const footer = bytes.length - 40
      setFlags(bytes, footer + 24, half)
      bytes.writeUInt32LE(crc32(bytes.subarray(footer, footer + 28), seedOf(bytes)), footer + 28)
      return { file, offset: footer + 26 }
    },
  },
]
