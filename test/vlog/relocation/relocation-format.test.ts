/**
 * The bytes of a relocation, read by hand as vlog/FORMAT.md section 9 tells it, and files beyond 4 GiB.
 */

import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { writeU32, writeU64 } from '#dist/lib/base/bytes.js'
import { BlockCache } from '#dist/lib/base/files/block-cache.js'
import { segmentName } from '#dist/lib/base/files/file-names.js'
import { ForwardingFile } from '#dist/lib/base/files/forwarding-file-system.js'
import { FILE_BYTES_MAX } from '#dist/lib/base/ids.js'
import { nodeFileSystem } from '#dist/lib/base/platform/node-file-system.js'
import { RECORD_KIND, recordHeadBytes } from '#dist/vlog/record.js'
import { readU48, relocationFileBytes, writeU48 } from '#dist/vlog/relocation/relocation-format.js'
import { RelocationReader } from '#dist/vlog/relocation/relocation-reader.js'
import { RelocationWriter } from '#dist/vlog/relocation/relocation-writer.js'
import { tableBytes } from '#dist/vlog/value-chunks.js'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'
import { Prng, testSeed } from '../../support/random.ts'
import {
  buildRelocation,
  DATABASE_ID,
  finish,
  IDENTITY,
  makeRecord,
  NUMBER,
  PATH,
  randomRecords,
} from './relocation-model.ts'

test('integers of 48 bits at their limits', () => {
  const bytes = new Uint8Array(8)
  for (const value of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 47, FILE_BYTES_MAX]) {
    writeU48(bytes, 1, value)
    expect(readU48(bytes, 1)).toBe(value)
    expect(Buffer.from(bytes).readUIntLE(1, 6)).toBe(value)
  }
  expect([bytes[0], bytes[7]]).toEqual([0, 0])
})

test('a file is what FORMAT.md says', () => {
  const relocation = buildRelocation(randomRecords(new Prng(testSeed()), 900, 3))
  const { records, places, built } = relocation
  const file = Buffer.from(relocation.fileSystem.contents(PATH))
  const u64 = (at: number): number => Number(file.readBigUInt64LE(at))

  expect(file.subarray(0, 12).toString('hex')).toBe('776973630d0a1a0a02000500')
  const seedBytes = Buffer.concat([DATABASE_ID, file.subarray(48, 60)])
  expect(u64(48)).toBe(NUMBER)
  const fileSeed = crc32(seedBytes)

  const footer = file.length - 64
  expect(file.subarray(footer + 56).toString('latin1')).toBe('wiscrel1')
  expect(crc32(file.subarray(footer, footer + 52), fileSeed)).toBe(file.readUInt32LE(footer + 52))
  const recordsEnd = u64(footer)
  const fenceOffset = u64(footer + 8)
  const partsOffset = u64(footer + 16)
  expect(u64(footer + 24)).toBe(900)
  const partCount = file.readUInt32LE(footer + 32)
  expect(u64(footer + 40)).toBe(file.length)
  expect(file.readBigUInt64LE(footer + 44) >> 32n).toBe(0n)

  const content = (start: number, length: number): Buffer => {
    const offset = Buffer.alloc(8)
    offset.writeBigUInt64LE(BigInt(start))
    const bytes = file.subarray(start, start + length)
    expect(crc32(bytes, crc32(offset, fileSeed))).toBe(file.readUInt32LE(start + length))
    return bytes
  }
  const parts = content(partsOffset, footer - partsOffset - 4)
  expect(parts.length).toBe(24 * partCount)
  const segments: number[] = []
  for (const [i, part] of built.parts.entries()) {
    expect(parts.readUInt32LE(24 * i)).toBe(part.segment)
    expect(Number(parts.readBigUInt64LE(24 * i + 8))).toBe(part.records)
    expect(Number(parts.readBigUInt64LE(24 * i + 16))).toBe(part.bytes)
    for (let n = 0; n < part.records; n++) segments.push(part.segment)
  }
  const fence = content(fenceOffset, partsOffset - fenceOffset - 4)
  expect(fence.length).toBe(6 * 3)
  const index: string[] = []
  for (const [page, count] of [341, 341, 218].entries()) {
    const entries = content(recordsEnd + 4096 * page, 12 * count)
    expect(fence.readUIntLE(6 * page, 6)).toBe(entries.readUIntLE(0, 6))
    for (let at = 0; at < entries.length; at += 12) {
      const segment = segments[index.length]
      index.push(`${segment} ${entries.readUIntLE(at, 6)} ${entries.readUIntLE(at + 6, 6)}`)
    }
  }
  const expected = records
    .map(({ segment, offset }, i) => ({ segment, offset, place: places[i] }))
    .sort((left, right) => left.segment - right.segment || left.offset - right.offset)
    .map(({ segment, offset, place }) => `${segment} ${offset} ${place}`)
  expect(index).toEqual(expected)

  const whole = Buffer.concat(records.map(({ bytes }) => bytes))
  expect(file.subarray(64, recordsEnd).equals(whole)).toBe(true)
})

/** Leaves out writes of nothing but zeros: the file becomes sparse. */
class SparseFile extends ForwardingFile {
  override write(source: Uint8Array, at: number, length: number, position: number): void {
    if (Buffer.compare(source.subarray(at, at + length), new Uint8Array(2 ** 20)) === 0) return
    this.base.write(source, at, length, position)
  }
}

/** What stands in front of a value of so many zeros, its table included; the checksums of its chunks are not right. */
function headOfHole(rawLength: number): Uint8Array {
  const head = new Uint8Array(recordHeadBytes(0))
  head[8] = RECORD_KIND.put
  writeU64(head, 24, tableBytes(rawLength) + rawLength)
  writeU64(head, 32, rawLength)
  writeU32(head, 0, crc32(head.subarray(8)))
  return head
}

test('places above 4 GiB', () => {
  const path = `${temporaryDirectory()}/${segmentName(NUMBER)}`
  const file = nodeFileSystem.open(path, 'create')
  const writer = new RelocationWriter(new SparseFile(file), IDENTITY, Number.POSITIVE_INFINITY)
  const valueBytes = 2 ** 32 + 12_345
  const head = headOfHole(valueBytes)
  const storedBytes = tableBytes(valueBytes) + valueBytes
  expect(writer.begin(7, 2 ** 40)).toBe(64)
  writer.write(head, 0, head.length)
  const zeros = new Uint8Array(2 ** 20)
  for (let rest = storedBytes; rest > 0; rest -= zeros.length) {
    writer.write(zeros, 0, Math.min(rest, zeros.length))
  }
  const record = makeRecord(Uint8Array.of(1), 1, new Uint8Array(10))
  const places: number[] = []
  for (let i = 0; i < 1000; i++) {
    places.push(writer.begin(7, 2 ** 40 - 100 * (i + 1)))
    writer.write(record, 0, record.length)
  }
  const built = finish(writer)
  file.close()
  const bytes = head.length + storedBytes + 1000 * record.length
  expect(places[0]).toBe(64 + head.length + storedBytes)
  expect(built.parts).toEqual([{ segment: 7, records: 1001, bytes }])
  expect(built.length).toBe(relocationFileBytes(1001, bytes, 1))

  const expected = { ...built, databaseId: DATABASE_ID }
  const reader = RelocationReader.open(nodeFileSystem, path, segmentName(NUMBER), expected)
  const cache = new BlockCache(2 ** 20)
  expect(reader.locate(7, 2 ** 40, cache)).toBe(64)
  expect(reader.locate(7, 2 ** 40 + 100, cache)).toBe(-1)
  for (const [i, place] of places.entries()) {
    expect(reader.locate(7, 2 ** 40 - 100 * (i + 1), cache)).toBe(place)
  }
  const addresses = reader.addresses()
  expect(addresses.places).toEqual(Float64Array.of(64, ...places))
  expect(addresses.offsets[0]).toBe(2 ** 40)
  reader.verify()
  reader.close()
})
