/** Parts of values: the same bytes as of the whole, in few reads, and only what is read has to be whole. */
import { describe, expect, test } from 'vitest'
import { CorruptionError } from '#dist/lib/base/errors.js'
import { BlockCache } from '#dist/lib/base/files/block-cache.js'
import { NO_RELOCATIONS } from '#dist/vlog/read/value-file.js'
import { ValueReader, type ValueRequest } from '#dist/vlog/read/value-reader.js'
import { recordBytes } from '#dist/vlog/record.js'
import { BLOCK_CHUNKS, tableBytes, VALUE_CHUNK_BYTES } from '#dist/vlog/value-chunks.js'
import { MemoryFileSystem } from '../../support/files/memory-file-system.ts'
import { type ReadWatcher, watchReads } from '../../support/files/watched-reads.ts'
import { bytesOf, logContext, SegmentMaker, segmentPath } from '../../support/parts/log-segments.ts'
import { Prng, replayHint, testSeed } from '../../support/random.ts'

const KEY = Buffer.from('key')
/** Two full blocks of chunks, and a part of a third. */
const HUGE = 2 * BLOCK_CHUNKS * VALUE_CHUNK_BYTES + 3 * VALUE_CHUNK_BYTES + 77

interface Stored {
  readonly value: Uint8Array
  readonly request: ValueRequest
  readonly reader: ValueReader
  /** The bytes of the file. */
  readonly bytes: Uint8Array
  /** Where the table of the value begins. */
  readonly tableAt: number
}

function store(
  length: number,
  watch: ReadWatcher = () => undefined,
  cache: BlockCache = new BlockCache(0),
): Stored {
  const fileSystem = new MemoryFileSystem()
  const maker = new SegmentMaker(fileSystem, 1)
  const value = bytesOf(length)
  const sequence = maker.nextSequence
  const [offset] = maker.frame([{ key: 'key', value }])
  const key = { keyBytes: KEY, keyStart: 0, keyEnd: KEY.length }
  const place = { sequence, segment: 1, offset: offset!, length: recordBytes(KEY.length, length) }
  const context = logContext(watchReads(fileSystem, watch))
  return {
    value,
    request: { ...key, ...place },
    reader: new ValueReader(context, 4, NO_RELOCATIONS, cache),
    bytes: fileSystem.contents(segmentPath(1)),
    tableAt: offset! + 40 + KEY.length,
  }
}

/** The byte of the file that reads find to be another one. */
let flippedAt = -1
const huge = store(HUGE, (_, found, position) => {
  const at = flippedAt - position
  if (at >= 0 && at < found.length) found[at]! ^= 1
})

describe('a part', () => {
  const seed = testSeed()

  test.each([0, 1, 100, 8192, 65535, 65536, 65537, 131072, 300_000, 5_000_000, HUGE])(
    'of a value of %i bytes is what a slice of the whole is',
    async (length) => {
      const { value, request, reader } = length === HUGE ? huge : store(length)
      const prng = new Prng(seed + length)
      const places = [0, 1, 65535, 65536, 65537, length - 1, length, length + 1, 2 ** 40]
      const place = (): number =>
        prng.chance(0.5) ? Math.max(0, prng.pick(places)) : prng.below(length + 2)
      const parts = Array.from({ length: length === HUGE ? 12 : 60 }, () => ({
        offset: place(),
        length: place(),
      }))
      for (const part of [{ offset: 0, length: Number.MAX_SAFE_INTEGER }, ...parts]) {
        const expected = value.subarray(part.offset, part.offset + part.length)
        const hint = `${JSON.stringify(part)} ${replayHint(seed)}`
        const found = reader.readPart(request, part)
        expect(Buffer.compare(found, expected), hint).toBe(0)
        const later = await reader.readPartSoon(request, part)
        expect(Buffer.compare(later, expected), hint).toBe(0)
      }
    },
  )

  test('of 4 KiB takes a read of head and root, one of a block, and one of a chunk', () => {
    const reads: number[] = []
    const { request, reader, value } = store(HUGE, (_, found) => reads.push(found.length))
    reader.readPart(request, { offset: 0, length: 1 })
    reads.length = 0
    const offset = (BLOCK_CHUNKS + 5) * VALUE_CHUNK_BYTES + 100
    const part = reader.readPart(request, { offset, length: 4096 })
    expect(Buffer.compare(part, value.subarray(offset, offset + 4096))).toBe(0)
    expect(reads).toHaveLength(3)
    expect(reads[0]).toBeLessThan(5000)
    expect(reads.slice(1)).toEqual([4096, VALUE_CHUNK_BYTES])
  })

  test('of a value of which the table is known takes a read of the chunk', () => {
    const reads: number[] = []
    const cache = new BlockCache(2 ** 20)
    const { request, reader, value } = store(HUGE, (_, found) => reads.push(found.length), cache)
    const read = (offset: number): number[] => {
      reads.length = 0
      const part = reader.readPart(request, { offset, length: 4096 })
      expect(Buffer.compare(part, value.subarray(offset, offset + 4096))).toBe(0)
      return [...reads]
    }
    const inBlock = (block: number): number => block * BLOCK_CHUNKS * VALUE_CHUNK_BYTES + 70_000
    expect(read(inBlock(0))).toHaveLength(4)
    expect(read(inBlock(1))).toEqual([4096, VALUE_CHUNK_BYTES])
    for (const block of [0, 1, 0]) expect(read(inBlock(block) + 65536)).toEqual([VALUE_CHUNK_BYTES])
    expect(cache.stats.bytes).toBeGreaterThan(2 * 4096)
    // Another record may be asked for at the same place: it is not there.
    const other = { ...request, sequence: request.sequence + 1 }
    expect(() => reader.readPart(other, { offset: 0, length: 1 })).toThrow(/not the one/)
    expect(cache.stats.bytes).toBe(0)
    expect(read(inBlock(0))).toHaveLength(3)
    reader.close()
    expect(cache.stats.bytes).toBe(0)
  })

  test('of a value of one chunk takes one read', () => {
    const reads: number[] = []
    const { request, reader } = store(60_000, (_, found) => reads.push(found.length))
    reader.readPart(request, { offset: 0, length: 1 })
    reads.length = 0
    reader.readPart(request, { offset: 50_000, length: 4096 })
    expect(reads).toEqual([request.length])
  })

  test('of many chunks reads each byte once', () => {
    let read = 0
    const { request, reader } = store(5_000_000, (_, found) => (read += found.length))
    reader.readPart(request, { offset: 0, length: 1 })
    read = 0
    const part = reader.readPart(request, { offset: 100_000, length: 4_000_000 })
    expect(part).toHaveLength(4_000_000)
    expect(read).toBeLessThan(4_000_000 + 2 * VALUE_CHUNK_BYTES + 5000)
  })

  test('does not pin more memory than it has', () => {
    const part = huge.reader.readPart(huge.request, { offset: 70_000, length: 10_000 })
    expect(part.buffer.byteLength).toBe(10_000)
  })
})

describe('damage', () => {
  function flipped(at: number, read: () => unknown): unknown {
    flippedAt = at
    try {
      read()
      return undefined
    } catch (error) {
      return error
    } finally {
      flippedAt = -1
    }
  }

  const blockBytes = BLOCK_CHUNKS * VALUE_CHUNK_BYTES
  const chunksAt = huge.tableAt + tableBytes(HUGE)

  function reads(offset: number, length: number): () => unknown {
    return () => huge.reader.readPart(huge.request, { offset, length })
  }

  test.each<[string, number, string, () => unknown, () => unknown]>([
    ['a chunk', chunksAt + 70_000, 'chunk=1', reads(65536, 1), reads(65000, 536)],
    ['the last chunk', chunksAt + HUGE - 1, 'chunk=1025', reads(HUGE - 77, 1), reads(0, 70_000)],
    [
      'a block',
      huge.tableAt + 12 + 4096 + 9,
      'block=1',
      reads(blockBytes, 1),
      reads(0, blockBytes),
    ],
  ])('in %s fails the parts that touch it alone', (_, at, what, touching, other) => {
    const { request } = huge
    const error = flipped(at, touching) as CorruptionError
    expect(error).toBeInstanceOf(CorruptionError)
    expect(error).toMatchObject({ file: '000001.vlog', offset: request.offset })
    expect(error.message).toContain(what)
    expect(flipped(at, other)).toBeUndefined()
  })

  test('in head or root fails every part', () => {
    for (const at of [0, 9, 20, 39, 41, 43, 50]) {
      const place = huge.request.offset + at
      expect(flipped(place, reads(0, 1)), `byte ${at}`).toBeInstanceOf(CorruptionError)
    }
  })

  test('of a file that ends before the part', () => {
    const fileSystem = new MemoryFileSystem()
    const cut = chunksAt + 100_000
    fileSystem.replace(segmentPath(1), huge.bytes.slice(0, cut))
    const context = logContext(fileSystem)
    const reader = new ValueReader(context, 4, NO_RELOCATIONS, new BlockCache(0))
    expect(reader.readPart(huge.request, { offset: 10, length: 10 })).toHaveLength(10)
    const read = (): unknown => reader.readPart(huge.request, { offset: 90_000, length: 20_000 })
    expect(read).toThrow(/segment ends before the record/)
  })

  test('of another record', () => {
    const other = { ...huge.request, sequence: huge.request.sequence + 1 }
    const read = (): unknown => huge.reader.readPart(other, { offset: 0, length: 1 })
    expect(read).toThrow(/record is not the one its pointer names/)
  })
})
