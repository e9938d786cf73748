/**
 * Footers of tables and relocations: what each says of its file, and behind it the same proof.
 *
 *   offset from the end, size, field
 *       16    2 ignoreFlags     unknown bits are ignored
 *       14    2 refuseFlags     unknown bits: WISC_FORMAT_VERSION
 *       12    4 checksum        CRC-32 of the footer before it, continued from the file's seed
 *        8    8 magic
 */
import { readU16, readU32, writeU32 } from '../bytes.ts'
import { crc32From } from '../checksum.ts'
import { CorruptionError, newerVersion } from '../errors.ts'

const MAGIC_BYTES = 8
const SUMMED_BUT = 12
const REFUSE_FLAGS_FROM_END = 14

/** Writes the proof of a footer without flags, which is all of `bytes`; those that it does not write must be zeros. */
export function sealFooter(bytes: Uint8Array, seed: number, magic: Uint8Array): void {
  const end = bytes.length - SUMMED_BUT
  writeU32(bytes, end, crc32From(seed, bytes.subarray(0, end)))
  bytes.set(magic, bytes.length - MAGIC_BYTES)
}

/**
 * Proves the footer bytes[start .. end), which lies at `offset` of the file.
 * @throws CorruptionError, WISC_FORMAT_VERSION
 */
export function proveFooter(
  bytes: Uint8Array,
  start: number,
  end: number,
  magic: Uint8Array,
  seed: number,
  offset: number,
  name: string,
): void {
  const magicAt = end - MAGIC_BYTES
  for (let i = 0; i < MAGIC_BYTES; i++) {
    if (bytes[magicAt + i] !== magic[i]) {
      throw new CorruptionError(
        name,
        offset + magicAt - start + i,
        'file does not end with a footer',
      )
    }
  }
  const summedEnd = end - SUMMED_BUT
  if (readU32(bytes, summedEnd) !== crc32From(seed, bytes.subarray(start, summedEnd))) {
    throw new CorruptionError(name, offset, 'footer checksum mismatch')
  }
  const flagsAt = end - REFUSE_FLAGS_FROM_END
  const flags = readU16(bytes, flagsAt)
  if (flags !== 0) {
    throw newerVersion(name, offset + flagsAt - start, `footer has unknown flags, flags=${flags}`)
  }
}
