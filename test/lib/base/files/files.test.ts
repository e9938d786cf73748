/** Small users of files: the cache of open ones, the window of sequential readers, the buffer of appenders. */
import { describe, expect, test } from 'vitest'
import { CorruptionError } from '#dist/lib/base/errors.js'
import { AppendBuffer } from '#dist/lib/base/files/append-buffer.js'
import { FileWindow } from '#dist/lib/base/files/file-window.js'
import { OpenCache } from '#dist/lib/base/files/open-cache.js'
import { giveUpSpareFiles } from '#dist/lib/base/files/spare-files.js'
import { MemoryFileSystem } from '../../../support/files/memory-file-system.ts'
import { bytesOf } from '../../../support/parts/log-segments.ts'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'

describe('an open cache', () => {
  function makeCache(capacity: number): {
    cache: OpenCache<{ close: () => void }>
    opened: number[]
    closed: number[]
  } {
    const opened: number[] = []
    const closed: number[] = []
    const cache = new OpenCache(capacity, (number) => {
      opened.push(number)
      return { close: () => void closed.push(number) }
    })
    return { cache, opened, closed }
  }

  test('holds at most its capacity, and spares what is used', () => {
    const { cache, opened, closed } = makeCache(3)
    for (const number of [1, 2, 3, 1, 2, 3]) cache.get(number)
    expect(opened).toEqual([1, 2, 3])
    cache.get(4)
    expect(cache.size).toBe(3)
    expect(closed).toHaveLength(1)
    for (let number = 5; number < 30; number++) {
      cache.get(4)
      cache.get(number)
    }
    // CLOCK: what is used between two evictions is mostly spared.
    expect(opened.filter((number) => number === 4).length).toBeLessThan(12)
    expect(cache.size).toBe(3)
    expect(opened.length - closed.length).toBe(3)
  })

  test('never closes what is pinned for its capacity', () => {
    const { cache, closed } = makeCache(1)
    cache.adopt(7, { close: () => void closed.push(7) }, true)
    for (let number = 10; number < 20; number++) cache.get(number)
    expect(closed).not.toContain(7)
    cache.unpin(7)
    for (let number = 10; number < 20; number++) cache.get(number)
    expect(closed).toContain(7)
  })

  test('drops one, or all; what cannot be opened is not kept', () => {
    const { cache, closed } = makeCache(4)
    cache.get(1)
    cache.get(2)
    cache.drop(1)
    cache.drop(9)
    expect(closed).toEqual([1])
    cache.closeAll()
    expect(closed).toEqual([1, 2])
    const failing = new OpenCache<{ close: () => void }>(2, () => {
      throw new Error('no')
    })
    expect(() => failing.get(1)).toThrow('no')
    expect(failing.size).toBe(0)
  })

  test('that shares gives up half for others, also when it was emptied and filled again', () => {
    const { cache, closed } = makeCache(8)
    cache.shares()
    for (let round = 0; round < 2; round++) {
      for (let number = 0; number < 6; number++) cache.get(number)
      closed.length = 0
      expect(giveUpSpareFiles()).toBe(true)
      expect([cache.size, closed.length]).toEqual([3, 3])
      cache.closeAll()
      expect(giveUpSpareFiles()).toBe(false)
    }
  })
})

test('a window shows what the file holds, anywhere', () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  const fileSystem = new MemoryFileSystem()
  const bytes = prng.bytes(20_000)
  fileSystem.replace('/file', bytes)
  const window = new FileWindow(fileSystem.open('/file', 'read'), 19_000, 1024)
  for (let i = 0; i < 500; i++) {
    const length = prng.below(prng.chance(0.1) ? 5000 : 300)
    const offset = prng.below(19_000 - length)
    const at = window.view(offset, length)
    const same = Buffer.compare(
      window.bytes.subarray(at, at + length),
      bytes.subarray(offset, offset + length),
    )
    expect(same, `${offset} ${length} ${replayHint(seed)}`).toBe(0)
  }
  const short = new FileWindow(fileSystem.open('/file', 'read'), 30_000)
  expect(() => short.view(19_990, 20)).toThrow(CorruptionError)
})

test('a window reads large pieces where reads follow each other, and little behind jumps', () => {
  const fileSystem = new MemoryFileSystem()
  const bytes = 16 * 1024 * 1024
  fileSystem.replace('/file', new Uint8Array(bytes))
  const walk = (stride: number): { reads: number; bytesRead: number } => {
    const file = fileSystem.open('/file', 'read')
    file.reads = 0
    const window = new FileWindow(file, bytes)
    for (let offset = 0; offset + 100 <= bytes; offset += stride) window.view(offset, 100)
    return { reads: file.reads, bytesRead: window.bytesRead }
  }
  const all = walk(100)
  expect(all.reads).toBeLessThan(30)
  expect(all.bytesRead).toBeLessThan(bytes * 1.001)
  expect(walk(20_000).reads).toBeLessThan(30)
  // The first read is no jump.
  expect(walk(131_072)).toEqual({ reads: 128, bytesRead: 129 * 4096 })
})

test('an append buffer writes pieces of any size in their order, in few writes', () => {
  const fileSystem = new MemoryFileSystem()
  const file = fileSystem.open('/file', 'create')
  const out = new AppendBuffer(file)
  const pieces = [0, 1, 100, 262_143, 262_144, 262_145, 700_000, 5].map((length, i) =>
    bytesOf(length + 3, i),
  )
  for (const piece of pieces) out.append(piece, 1, piece.length - 2)
  const expected = Buffer.concat(pieces.map((piece) => piece.subarray(1, piece.length - 2)))
  expect(out.length).toBe(expected.length)
  out.flush()
  out.flush()
  expect(Buffer.compare(fileSystem.contents('/file'), expected)).toBe(0)
})
