/**
 * Tuples as bytes whose order is that of the values: keys of several parts.
 *
 *   tuple   item item ...       nothing around them
 *   item    tag | rest
 *
 *   0x10    null
 *   0x20    false
 *   0x21    true
 *   0x30    number or bigint    tuple-number.ts draws the rest
 *   0x40    date                its milliseconds, a double as in tuple-number.ts
 *   0x50    string              text | 0x00
 *   0x60    bytes               the same
 *   0x70    array               item item ... | 0x00
 *
 * Kinds are ordered by their tags; numbers and bigints by their values, strings as JavaScript compares them (by UTF-16
 * code units), bytes as unsigned ones; of two tuples or arrays one of which the other begins with, the shorter comes
 * first. No item's bytes begin with those of another one, so the bytes of a tuple begin with those of each of its
 * beginnings, and with no others.
 *
 * Text is a code unit after the other, each as UTF-8 would have a character of that number: what pairs of surrogates
 * stand for takes six bytes, and comes where JavaScript has it. To keep 0x00 for the end, a byte 0x00 is written as
 * 0x01 0x01, and 0x01 as 0x01 0x02.
 *
 * DO NOT CHANGE: stores hold keys of these bytes.
 */
import { types } from 'node:util'
import { invalidArgument, WiscError } from '../base/errors.ts'
import { GrowingBytes } from '../base/growing-bytes.ts'
import type { Tuple, TupleItem } from '../contract/encodings.ts'
import { typeOf } from '../contract/given.ts'
import { appendDouble, appendNumber, readDate, readNumber } from './tuple-number.ts'
import { TupleReader } from './tuple-reader.ts'
import { appendBytes, appendText, readBytes, readText } from './tuple-text.ts'

const TAG = {
  end: 0x00,
  null: 0x10,
  false: 0x20,
  true: 0x21,
  number: 0x30,
  date: 0x40,
  string: 0x50,
  bytes: 0x60,
  array: 0x70,
} as const

/** More than most keys have. */
const CAPACITY = 64

/** @throws WISC_INVALID_ARGUMENT for an item that has no place in the order */
export function encodeTuple(tuple: Tuple): Uint8Array {
  if (!Array.isArray(tuple)) throw invalidArgument(`a tuple is an array, not ${typeOf(tuple)}`)
  const target = new GrowingBytes(CAPACITY)
  appendItems(target, tuple)
  return target.bytes.subarray(0, target.length)
}

function appendItems(target: GrowingBytes, items: Tuple): void {
  let i = 0
  try {
    // Not `for of`: an array may have an iterator of its own.
    for (; i < items.length; i++) appendItem(target, items[i])
  } catch (error) {
    if (!(error instanceof WiscError)) throw error
    throw invalidArgument(`item ${i}: ${error.message}`)
  }
}

function appendItem(target: GrowingBytes, item: unknown): void {
  if (typeof item === 'string') {
    target.appendByte(TAG.string)
    appendText(target, item)
  } else if (typeof item === 'number' || typeof item === 'bigint') {
    target.appendByte(TAG.number)
    appendNumber(target, item)
  } else if (typeof item === 'boolean') {
    target.appendByte(item ? TAG.true : TAG.false)
  } else if (item === null) {
    target.appendByte(TAG.null)
  } else appendObject(target, item)
}

function appendObject(target: GrowingBytes, item: unknown): void {
  if (types.isUint8Array(item)) {
    target.appendByte(TAG.bytes)
    appendBytes(target, item)
  } else if (Array.isArray(item)) {
    target.appendByte(TAG.array)
    appendItems(target, item)
    target.appendByte(TAG.end)
  } else if (types.isDate(item)) {
    if (Number.isNaN(item.getTime())) throw invalidArgument('an invalid date is no item of a tuple')
    target.appendByte(TAG.date)
    appendDouble(target, item.getTime())
  } else throw invalidArgument(`${typeOf(item)} is no item of a tuple`)
}

/** @throws WISC_INVALID_ARGUMENT for bytes that {@link encodeTuple} does not make */
export function decodeTuple(bytes: Uint8Array): TupleItem[] {
  const reader = new TupleReader(bytes)
  const items: TupleItem[] = []
  while (!reader.isAtEnd) items.push(readItem(reader, reader.byte()))
  return items
}

function readItem(reader: TupleReader, tag: number): TupleItem {
  switch (tag) {
    case TAG.null:
      return null
    case TAG.false:
      return false
    case TAG.true:
      return true
    case TAG.number:
      return readNumber(reader)
    case TAG.date:
      return readDate(reader)
    case TAG.string:
      return readText(reader)
    case TAG.bytes:
      return readBytes(reader)
    case TAG.array:
      return readArray(reader)
    default:
      throw invalidArgument(`no tuple: unknown tag=${tag}`)
  }
}

function readArray(reader: TupleReader): TupleItem[] {
  const items: TupleItem[] = []
  for (let tag = reader.byte(); tag !== TAG.end; tag = reader.byte()) {
    items.push(readItem(reader, tag))
  }
  return items
}
