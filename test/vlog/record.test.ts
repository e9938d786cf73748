/** Records: round trip, proof of every byte, chunks, limits. */
import { describe, expect, test } from 'vitest'
import { writeU32, writeU64 } from '#dist/lib/base/bytes.js'
import { plainBytes } from '#dist/lib/base/record-size.js'
import {
  plainRecord,
  proveRecord,
  proveRecordHead,
  RECORD_HEADER_BYTES,
  RECORD_KEY_BYTES_MAX,
  RECORD_KIND,
  readRecordHeader,
  recordBytes,
  recordHeadBytes,
  storedLengthOf,
  unknownRecord,
  writeRecordHead,
} from '#dist/vlog/record.js'
import { checkPointedRecord, pointedValue, type RecordPointer } from '#dist/vlog/record-pointer.js'
import { plainTable, tableBytes, VALUE_CHUNK_BYTES } from '#dist/vlog/value-chunks.js'
import { addOption, proveAgain } from '../support/parts/changed-record.ts'
import { bytesOf } from '../support/parts/log-segments.ts'

const SEQUENCE = 2 ** 40 + 7

/** A record at `at` in an array of its own. */
function makeRecord(key: Uint8Array, value: Uint8Array, at: number = 0): Uint8Array {
  const bytes = new Uint8Array(at + recordBytes(key.length, value.length))
  const table = value.length > VALUE_CHUNK_BYTES ? plainTable(value) : undefined
  const record = { ...plainRecord(RECORD_KIND.put, key, value), table }
  const tableAt = writeRecordHead(bytes, at, record, SEQUENCE)
  expect(tableAt).toBe(at + recordHeadBytes(key.length))
  if (table) bytes.set(table, tableAt)
  bytes.set(value, tableAt + (table?.length ?? 0))
  return bytes
}

function prove(bytes: Uint8Array, at: number = 0): string | undefined {
  const header = readRecordHeader(bytes, at, bytes.length - at)
  if (!header) return 'impossible lengths'
  if (!proveRecordHead(bytes, at, header)) return 'head'
  return proveRecord(bytes, at, header)
}

function pointerTo(bytes: Uint8Array, key: Uint8Array, sequence: number): RecordPointer {
  const place = { segment: 1, offset: 0, length: bytes.length }
  return { keyBytes: key, keyStart: 0, keyEnd: key.length, sequence, ...place }
}

function check(
  bytes: Uint8Array,
  key: Uint8Array,
  sequence: number = SEQUENCE,
): string | undefined {
  const { length } = bytes
  const stored = bytes.subarray(length - storedLengthOf(length, key.length))
  return checkPointedRecord(bytes, 0, pointerTo(bytes, key, sequence), stored)
}

/** The same, also of a record that is not plain. */
function checkAny(bytes: Uint8Array, key: Uint8Array): string | undefined {
  const bad = check(bytes, key)
  if (bad === undefined) return undefined
  const value = pointedValue(Buffer.from(bytes), 0, pointerTo(bytes, key, SEQUENCE), bad)
  return typeof value === 'string' ? value : undefined
}

describe('a record', () => {
  test.each([
    [0, 0],
    [3, 0],
    [0, 10],
    [5, 2047],
    [5, 2048],
    [RECORD_KEY_BYTES_MAX, 100],
    [7, VALUE_CHUNK_BYTES - 1],
    [7, VALUE_CHUNK_BYTES],
    [7, VALUE_CHUNK_BYTES + 1],
    [7, 2 * VALUE_CHUNK_BYTES + 1],
  ])('of a key of %i and a value of %i bytes comes back', (keyLength, valueLength) => {
    const key = bytesOf(keyLength)
    const bytes = makeRecord(key, bytesOf(valueLength), 11)
    expect(readRecordHeader(bytes, 11, bytes.length - 11)).toEqual({
      kind: RECORD_KIND.put,
      codec: 0,
      refuseFlags: 0,
      optionBytes: 0,
      keyLength,
      sequence: SEQUENCE,
      storedLength: tableBytes(valueLength) + valueLength,
      rawLength: valueLength,
      headBytes: recordHeadBytes(keyLength),
      length: recordBytes(keyLength, valueLength),
    })
    expect(prove(bytes, 11)).toBeUndefined()
    expect(checkAny(bytes.subarray(11), key)).toBeUndefined()
  })

  test('proves every byte of itself, head and value', () => {
    const key = bytesOf(20)
    const bytes = makeRecord(key, bytesOf(150))
    for (let i = 0; i < bytes.length; i++) {
      bytes[i]! ^= 1 << (i % 8)
      expect(prove(bytes), `byte ${i}`).toBeDefined()
      bytes[i]! ^= 1 << (i % 8)
    }
    expect(prove(bytes)).toBeUndefined()
  })

  test('is proved through its pointer, every byte', () => {
    const key = bytesOf(20)
    const bytes = makeRecord(key, bytesOf(150))
    for (let i = 0; i < bytes.length; i++) {
      bytes[i]! ^= 0x10
      expect(check(bytes, key), `byte ${i}`).toBeDefined()
      bytes[i]! ^= 0x10
    }
  })

  test('of several chunks proves every one of them', () => {
    const key = bytesOf(9)
    const value = bytesOf(2 * VALUE_CHUNK_BYTES + 1)
    const bytes = makeRecord(key, value)
    const valueAt = bytes.length - value.length
    const places = [
      0,
      VALUE_CHUNK_BYTES - 1,
      VALUE_CHUNK_BYTES,
      2 * VALUE_CHUNK_BYTES - 1,
      2 * VALUE_CHUNK_BYTES,
    ]
    const heads = Array.from({ length: valueAt }, (_, i) => i)
    for (const place of [...heads, ...places.map((offset) => valueAt + offset)]) {
      bytes[place]! ^= 4
      expect(prove(bytes), `byte ${place}`).toBeDefined()
      bytes[place]! ^= 4
    }
    bytes[valueAt + VALUE_CHUNK_BYTES]! ^= 4
    expect(checkAny(bytes, key)).toBe('value checksum mismatch chunk=1')
  })

  test('is not another one: key, sequence, length and kind are compared', () => {
    const key = bytesOf(9)
    const bytes = makeRecord(key, bytesOf(30))
    expect(check(bytes, bytesOf(9, 2))).toMatch(/key differs/)
    expect(check(bytes, bytesOf(8))).toMatch(/lengths differ/)
    expect(check(bytes, key, SEQUENCE + 1)).toMatch(/sequence or kind differs/)
    const longer = new Uint8Array(bytes.length + 1)
    longer.set(bytes)
    expect(check(longer, key)).toMatch(/lengths differ/)
    const deleted = new Uint8Array(recordBytes(9, 0))
    writeRecordHead(deleted, 0, plainRecord(RECORD_KIND.delete, key, new Uint8Array(0)), SEQUENCE)
    expect(check(deleted, key)).toMatch(/sequence or kind differs/)
    expect(prove(deleted)).toBeUndefined()
  })
})

describe('a record with an option that this version does not know', () => {
  test.each([100, 3 * VALUE_CHUNK_BYTES + 500])(
    'of %i bytes is proved, every byte of its head',
    (length) => {
      const key = bytesOf(20)
      const bytes = Buffer.from(makeRecord(key, bytesOf(length)))
      const value = addOption(bytes, 0, 'ignore', Buffer.from('option'))
      const header = readRecordHeader(bytes, 0, bytes.length)!
      expect(header).toMatchObject({ optionBytes: 7, keyLength: 20, rawLength: value.length })
      expect(header.length).toBe(bytes.length)
      expect(prove(bytes)).toBeUndefined()
      expect(unknownRecord(header, 'x', 0)).toBeUndefined()
      const bad = check(bytes, key)!
      const pointer = pointerTo(bytes, key, SEQUENCE)
      const found = (): unknown => pointedValue(bytes, 0, pointer, bad)
      expect(value.equals(found() as Buffer)).toBe(true)
      const front = bytes.length - value.length
      for (const at of [...Array(front).keys(), front, bytes.length - 1]) {
        bytes[at]! ^= 0x10
        expect(prove(bytes), `byte ${at}`).toBeDefined()
        expect(typeof found(), `byte ${at}`).toBe('string')
        bytes[at]! ^= 0x10
      }
    },
  )

  test('is refused if the option must be known, once the head is proved', () => {
    const bytes = Buffer.from(makeRecord(bytesOf(5), bytesOf(50)))
    addOption(bytes, 0, 'refuse', Buffer.of(1))
    const header = readRecordHeader(bytes, 0, bytes.length)!
    const error = { code: 'WISC_FORMAT_VERSION' }
    expect(unknownRecord(header, 'x', 0)).toMatchObject(error)
    const pointer = pointerTo(bytes, bytesOf(5), SEQUENCE)
    const read = (): unknown => pointedValue(bytes, 0, pointer, 'bad')
    expect(read).toThrow(expect.objectContaining(error) as Error)
    bytes[0]! ^= 1
    expect(read()).toBe('bad')
  })
})

test('the table of a value without a codec is told from its chunks by their length together', () => {
  const chunk = VALUE_CHUNK_BYTES
  for (const length of [
    0,
    1,
    chunk,
    chunk + 1,
    2 * chunk,
    2 * chunk + 1,
    16 * 2 ** 20,
    511 * chunk,
  ])
    expect(plainBytes(tableBytes(length) + length), `${length}`).toBe(length)
})

describe('a header with impossible lengths is none:', () => {
  function damaged(change: (bytes: Uint8Array) => void): unknown {
    const bytes = makeRecord(bytesOf(5), bytesOf(50))
    change(bytes)
    return readRecordHeader(bytes, 0, bytes.length)
  }

  test.each<[string, (bytes: Uint8Array) => void]>([
    ['a key above its limit', (bytes) => writeU32(bytes, 12, RECORD_KEY_BYTES_MAX + 1)],
    ['a value above 48 bits', (bytes) => writeU64(bytes, 24, 2 ** 48)],
    ['a value above 53 bits', (bytes) => bytes.fill(0xff, 24, 32)],
    ['a value that passes the bytes that are left', (bytes) => writeU64(bytes, 24, 51)],
    ['a value of another length than it was given with', (bytes) => writeU64(bytes, 32, 51)],
    ['a delete with a value', (bytes) => (bytes[8] = RECORD_KIND.delete)],
    ['a sequence above 53 bits', (bytes) => bytes.fill(0xff, 16, 24)],
  ])('%s', (_, change) => {
    expect(damaged(change)).toBeUndefined()
  })

  test('also through its pointer, though it proves itself', () => {
    for (const length of [50, VALUE_CHUNK_BYTES + 1]) {
      const key = bytesOf(5)
      const bytes = Buffer.from(makeRecord(key, bytesOf(length)))
      writeU64(bytes, 32, length - 1)
      proveAgain(bytes, 0)
      expect(checkAny(bytes, key)).toMatch(/record has (impossible lengths|a table of chunks)/)
    }
  })

  test('fewer bytes than a header has', () => {
    const bytes = makeRecord(bytesOf(5), bytesOf(50))
    expect(readRecordHeader(bytes, 0, RECORD_HEADER_BYTES - 1)).toBeUndefined()
    expect(readRecordHeader(bytes.subarray(0, 39), 0, 1000)).toBeUndefined()
  })
})
