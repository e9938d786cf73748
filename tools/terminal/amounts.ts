/** Numbers of the command line: sizes with units, and files of the value log. */
import { UsageError } from './exit-code.ts'

const UNIT_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
}

/** A size such as `4096`, `64KiB`, `1.5 GiB` or `2M`; units are binary. @param name for the error */
export function parseBytes(word: string, name: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgt]?)(?:i?b)?$/i.exec(word.trim())
  const unit = match ? UNIT_BYTES[match[2]!.toLowerCase()]! : 1
  const amount = match ? Number(match[1]) : -1
  // A part of a byte is a mistake.
  const bytes = unit === 1 ? amount : Math.round(amount * unit)
  if (!Number.isSafeInteger(bytes) || bytes < 0) {
    throw new UsageError(`${name} must be a size such as 64MiB: ${word}`)
  }
  return bytes
}

/** The same for a size that has a least. */
export function parseAtLeast(word: string, name: string, min: number): number {
  const bytes = parseBytes(word, name)
  if (bytes < min) throw new UsageError(`${name} must be at least ${min} bytes: ${word}`)
  return bytes
}

/** A number such as `1.3`. */
export function parseRatio(word: string, name: string, min: number, max: number): number {
  const ratio = /^\d+(?:\.\d+)?$/.test(word.trim()) ? Number(word) : Number.NaN
  if (ratio >= min && ratio <= max) return ratio
  throw new UsageError(`${name} must be a number of ${min} to ${max}: ${word}`)
}

/** The number of a segment: `35`, `000035` or `000035.vlog`. */
export function parseSegment(word: string): number {
  const match = /^(\d{1,10})(?:\.vlog)?$/.exec(word.trim())
  const number = match ? Number(match[1]) : 0
  if (number === 0) throw new UsageError(`a segment is a number or the name of a file: ${word}`)
  return number
}

/** Several, with commas between them. */
export function parseSegments(words: string): number[] {
  return words.split(',').map(parseSegment)
}
