/**
 * What the disk itself was given, by its own counter: with what the file system adds, and without what it never wrote.
 */
import fs from 'node:fs'

const SECTOR_BYTES = 512
/** Of /sys/dev/block/*\/stat: sectors written. */
const WRITTEN_FIELD = 6

/** Bytes written to the device that holds `directory`, since the machine started; null where nothing tells. */
export function readDeviceWrites(directory: string): number | null {
  const { dev } = fs.statSync(directory)
  // The encoding of dev_t in Linux (sysmacros.h): twelve bits of major number between those of the minor one.
  const major = (dev >>> 8) & 0xfff
  const minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00)
  const file = `/sys/dev/block/${major}:${minor}/stat`
  if (!fs.existsSync(file)) return null
  const fields = fs.readFileSync(file, 'latin1').trim().split(/\s+/)
  return Number(fields[WRITTEN_FIELD]) * SECTOR_BYTES
}
