/**
 * The checksum of a block that proves its place, too: CRC-32, continued from the file's seed, of the offset at which
 * the block lies (u64), then of its bytes. So a block of another file, or from another place of the same one, does not
 * pass.
 */
import { writeU64 } from '../bytes.ts'
import { crc32From } from '../checksum.ts'

const offsetBytes = new Uint8Array(8)

/** Of bytes[start .. end), a block at `offset` of the file with that seed. */
export function placedChecksum(
  bytes: Uint8Array,
  start: number,
  end: number,
  seed: number,
  offset: number,
): number {
  writeU64(offsetBytes, 0, offset)
  return crc32From(crc32From(seed, offsetBytes), bytes.subarray(start, end))
}
