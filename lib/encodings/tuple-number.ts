/**
 * Numbers of tuples: bytes in the order of the values, numbers and bigints among each other, too.
 *
 *   number   double, 8 bytes | 0x80
 *   bigint   double, 8 bytes | 0x81 + n | rest, n bytes              up to 124 bytes of rest
 *            double, 8 bytes | 0xfe | n, 4 bytes | rest, n bytes     more, for what is beyond all doubles
 *
 * The double is IEEE 754, big-endian, of the value's amount, with its sign bit set; of a bigint the largest one that
 * is not above its amount, and `rest` is what is missing, big-endian, without zeros in front. For a value below zero
 * all of these bits are turned round. So a bigint lies beside the number of the same value, on the side away from zero.
 * -0 is 0, as for the keys of a Map; NaN lies above Infinity.
 */
import { invalidArgument } from '../base/errors.ts'
import type { GrowingBytes } from '../base/growing-bytes.ts'
import type { TupleReader } from './tuple-reader.ts'

const DOUBLE_BYTES = 8
const NUMBER = 0x80
const BIGINT = 0x81
const LONG_BIGINT = 0xfe
const LENGTH_BYTES = 4
const REST_BYTES_MAX = LONG_BIGINT - 1 - BIGINT
const SIGN = 0x80
const NOT_A_NUMBER = 0x7ff8_0000_0000_0000n

/** Doubles go through it from numbers to bytes and back; it holds nothing between two calls. */
const SCRATCH = new DataView(new ArrayBuffer(DOUBLE_BYTES))

export function appendNumber(target: GrowingBytes, value: number | bigint): void {
  const start = target.length
  if (typeof value === 'number') {
    appendAmount(target, Math.abs(value))
    target.appendByte(NUMBER)
  } else appendBigInt(target, value < 0n ? -value : value)
  if (value < 0) turnRound(target.bytes, start, target.length)
}

/** Also of the time of a date. */
export function appendDouble(target: GrowingBytes, value: number): void {
  const start = target.length
  appendAmount(target, Math.abs(value))
  if (value < 0) turnRound(target.bytes, start, target.length)
}

function appendAmount(target: GrowingBytes, amount: number): void {
  SCRATCH.setFloat64(0, amount)
  // It has many forms elsewhere.
  if (Number.isNaN(amount)) SCRATCH.setBigUint64(0, NOT_A_NUMBER)
  SCRATCH.setUint8(0, SCRATCH.getUint8(0) | SIGN)
  for (let i = 0; i < DOUBLE_BYTES; i++) target.appendByte(SCRATCH.getUint8(i))
}

function appendBigInt(target: GrowingBytes, amount: bigint): void {
  const double = doubleBelow(amount)
  appendAmount(target, double)
  const rest = amount - BigInt(double)
  const digits = rest === 0n ? '' : rest.toString(16)
  const bytes = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex')
  if (bytes.length <= REST_BYTES_MAX) target.appendByte(BIGINT + bytes.length)
  else {
    target.appendByte(LONG_BIGINT)
    for (let shift = 24; shift >= 0; shift -= 8) target.appendByte((bytes.length >>> shift) & 0xff)
  }
  target.append(bytes, 0, bytes.length)
}

/** The largest finite double that is not above a bigint, which is not negative. */
function doubleBelow(amount: bigint): number {
  const nearest = Number(amount)
  if (nearest !== Number.POSITIVE_INFINITY && BigInt(nearest) <= amount) return nearest
  // The one before: doubles above zero are in the order of their bits.
  SCRATCH.setFloat64(0, nearest)
  SCRATCH.setBigUint64(0, SCRATCH.getBigUint64(0) - 1n)
  return SCRATCH.getFloat64(0)
}

function turnRound(bytes: Uint8Array, start: number, end: number): void {
  for (let i = start; i < end; i++) bytes[i] = ~bytes[i]!
}

/** @throws WISC_INVALID_ARGUMENT for bytes that are no number */
export function readNumber(reader: TupleReader): number | bigint {
  const double = readDouble(reader)
  const isNegative = (reader.bytes[reader.at - DOUBLE_BYTES]! & SIGN) === 0
  const flip = isNegative ? 0xff : 0
  const kind = reader.byte() ^ flip
  if (kind === NUMBER) return double
  if (kind < BIGINT || kind > LONG_BIGINT || !Number.isInteger(double)) {
    throw invalidArgument('no tuple: no number')
  }
  const length = kind === LONG_BIGINT ? readLength(reader, flip) : kind - BIGINT
  const start = reader.skip(length)
  if (length === 0) return BigInt(double)
  const bytes = reader.bytes.slice(start, reader.at).map((byte) => byte ^ flip)
  const rest = BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
  return BigInt(double) + (isNegative ? -rest : rest)
}

function readLength(reader: TupleReader, flip: number): number {
  let length = 0
  for (let i = 0; i < LENGTH_BYTES; i++) length = length * 256 + (reader.byte() ^ flip)
  return length
}

export function readDate(reader: TupleReader): Date {
  return new Date(readDouble(reader))
}

function readDouble(reader: TupleReader): number {
  const start = reader.skip(DOUBLE_BYTES)
  const isNegative = (reader.bytes[start]! & SIGN) === 0
  const flip = isNegative ? 0xff : 0
  for (let i = 0; i < DOUBLE_BYTES; i++) SCRATCH.setUint8(i, reader.bytes[start + i]! ^ flip)
  SCRATCH.setUint8(0, SCRATCH.getUint8(0) ^ SIGN)
  const amount = SCRATCH.getFloat64(0)
  return isNegative ? -amount : amount
}
