/** Strings and bytes of tuples, each up to a byte 0x00 (tuple.ts draws them). */
import { invalidArgument } from '../base/errors.ts'
import type { GrowingBytes } from '../base/growing-bytes.ts'
import type { TupleReader } from './tuple-reader.ts'

const END = 0x00
/** Stands before bytes up to itself, which are one more then. */
const ESCAPE = 0x01

export function appendText(target: GrowingBytes, text: string): void {
  // No code unit takes more than three bytes.
  target.reserve(3 * text.length + 1)
  const { bytes } = target
  let at = target.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit <= ESCAPE) {
      bytes[at++] = ESCAPE
      bytes[at++] = unit + 1
    } else if (unit < 0x80) bytes[at++] = unit
    else if (unit < 0x800) {
      bytes[at++] = 0xc0 | (unit >>> 6)
      bytes[at++] = 0x80 | (unit & 0x3f)
    } else {
      bytes[at++] = 0xe0 | (unit >>> 12)
      bytes[at++] = 0x80 | ((unit >>> 6) & 0x3f)
      bytes[at++] = 0x80 | (unit & 0x3f)
    }
  }
  bytes[at++] = END
  target.length = at
}

export function appendBytes(target: GrowingBytes, source: Uint8Array): void {
  target.reserve(2 * source.length + 1)
  // Not `for of`, which may run code of the array's maker.
  for (let i = 0; i < source.length; i++) {
    const byte = source[i]!
    if (byte <= ESCAPE) target.appendByte(ESCAPE)
    target.appendByte(byte <= ESCAPE ? byte + 1 : byte)
  }
  target.appendByte(END)
}

/** @throws WISC_INVALID_ARGUMENT for bytes that are no text */
export function readText(reader: TupleReader): string {
  const units: number[] = []
  let text = ''
  for (let first = reader.byte(); first !== END; first = reader.byte()) {
    units.push(readUnit(reader, first))
    // What a call takes is limited.
    if (units.length === UNITS_MAX) text += String.fromCharCode(...units.splice(0))
  }
  return text + String.fromCharCode(...units)
}

const UNITS_MAX = 4096

function readUnit(reader: TupleReader, first: number): number {
  if (first < 0x80) return unescaped(reader, first)
  if (first >= 0xc0 && first < 0xe0) return ((first & 0x1f) << 6) | readRest(reader)
  if (first < 0xe0 || first >= 0xf0) throw invalidArgument('no tuple: no text')
  const middle = readRest(reader)
  return ((first & 0xf) << 12) | (middle << 6) | readRest(reader)
}

/** Six bits of a code unit. */
function readRest(reader: TupleReader): number {
  const byte = reader.byte()
  if ((byte & 0xc0) !== 0x80) throw invalidArgument('no tuple: no text')
  return byte & 0x3f
}

function unescaped(reader: TupleReader, byte: number): number {
  if (byte !== ESCAPE) return byte
  const escaped = reader.byte() - 1
  if (escaped < 0 || escaped > ESCAPE) throw invalidArgument('no tuple: no byte')
  return escaped
}

/** A copy. */
export function readBytes(reader: TupleReader): Buffer {
  const bytes: number[] = []
  for (let byte = reader.byte(); byte !== END; byte = reader.byte()) {
    bytes.push(unescaped(reader, byte))
  }
  return Buffer.from(bytes)
}
