/** Values through their pointers: only the record that was asked for, in any order, cold or warm. */

import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { CorruptionError } from '#dist/lib/base/errors.js'
import type { File, FileSystem } from '#dist/lib/base/files/file-system.js'
import { SLAB_BYTES, SlabAllocator } from '#dist/vlog/read/slab.js'
import { SYNC_READ_BYTES_MAX, type ValueRequest } from '#dist/vlog/read/value-reader.js'
import { recordBytes } from '#dist/vlog/record.js'
import { segmentPath } from '../../support/parts/log-segments.ts'
import { type ColdFileSystem, readerOf, store } from '../../support/parts/stored-values.ts'
import { Prng, replayHint, testSeed } from '../../support/random.ts'

describe('read', () => {
  test('gives the bytes that were stored', () => {
    const { fileSystem, requests, values } = store([0, 1, 100, 8192, 65536, 65537, 300_000])
    const reader = readerOf(fileSystem)
    for (const [i, one] of requests.entries()) {
      expect(Buffer.compare(reader.read(one), values[i]!), `value ${i}`).toBe(0)
      reader.readHead(one)
    }
  })

  test.each<[string, Partial<ValueRequest>]>([
    ['another key', { keyBytes: Buffer.from('k1-9') }],
    ['another sequence', { sequence: 99 }],
    ['another offset', { offset: 170 }],
    ['an offset behind the end', { offset: 1_000_000 }],
    ['another length', { length: 139 }],
    ['the record of a neighbour', { offset: 160 + recordBytes(4, 100) }],
    ['a segment that is missing', { segment: 9 }],
  ])('I8: refuses %s, with the place', (_, change) => {
    const { fileSystem, requests } = store([100, 100])
    const wrong = { ...requests[0]!, ...change }
    for (const read of ['read', 'readHead'] as const) {
      const error = catchError(() => readerOf(fileSystem)[read](wrong))
      expect(error).toBeInstanceOf(CorruptionError)
      expect(error).toMatchObject({ file: `00000${wrong.segment}.vlog` })
    }
  })

  test('finds every flipped byte of a value and of its key; heads find those in front of the value', () => {
    const { fileSystem, requests } = store([200])
    const { offset, length } = requests[0]!
    const bytes = fileSystem.contents(segmentPath(1))
    for (let i = offset + 4; i < offset + length; i++) {
      bytes[i]! ^= 2
      fileSystem.replace(segmentPath(1), bytes)
      expect(() => readerOf(fileSystem).read(requests[0]!), `byte ${i - offset}`).toThrow(
        CorruptionError,
      )
      // The value's checksum is not a part of the head.
      if (i >= offset + 8 && i < offset + length - 200) {
        expect(() => readerOf(fileSystem).readHead(requests[0]!)).toThrow(CorruptionError)
      }
      bytes[i]! ^= 2
    }
  })
})

function catchError(action: () => unknown): unknown {
  try {
    action()
  } catch (error) {
    return error
  }
  return expect.unreachable('it did not throw')
}

describe('readMany', () => {
  test('answers in the order of the requests, whatever their places', async () => {
    const seed = testSeed()
    const prng = new Prng(seed)
    const lengths = Array.from({ length: 60 }, () => prng.pick([0, 10, 100, 5000, 9000, 70_000]))
    const { fileSystem, requests, values } = store(lengths, 3)
    const reader = readerOf(fileSystem)
    for (let round = 0; round < 30; round++) {
      const wanted = Array.from({ length: prng.below(40) }, () => prng.below(requests.length))
      const holes = wanted.map((index) => (prng.chance(0.1) ? undefined : requests[index]))
      const got: (Buffer | undefined)[] = wanted.map(() => undefined)
      await reader.readMany(holes, got)
      for (const [i, index] of wanted.entries()) {
        const expected = holes[i] ? values[index]! : undefined
        const same = expected ? got[i]?.equals(expected) : got[i] === undefined
        expect(same, `round ${round} ${replayHint(seed)}`).toBe(true)
      }
    }
  })

  test('reads neighbours in one go', async () => {
    const { fileSystem, requests } = store(Array.from({ length: 50 }, () => 100))
    const values: (Buffer | undefined)[] = []
    await readerOf(fileSystem).readMany(requests, values)
    // One for the header of the file, which is opened here.
    expect(fileSystem.reads).toBe(2)
    expect(values).toHaveLength(50)
  })

  test('gives the same record twice in memory of its own each', async () => {
    const { fileSystem, requests, values } = store([100, 100])
    const got: (Buffer | undefined)[] = []
    await readerOf(fileSystem).readMany([requests[0], requests[0], requests[1]], got)
    got[0]!.fill(0)
    expect(got[1]!.equals(values[0]!)).toBe(true)
    expect(got[2]!.equals(values[1]!)).toBe(true)
  })

  test('reports the damage of one value; failures of others are not unhandled', async () => {
    const { fileSystem, requests } = store([2_000_000, 100, 20_000])
    const bytes = fileSystem.contents(segmentPath(1))
    bytes[requests[1]!.offset + 60]! ^= 1
    fileSystem.replace(segmentPath(1), bytes)
    fileSystem.failAsync = true
    await expect(async () => readerOf(fileSystem).readMany(requests, [])).rejects.toBeInstanceOf(
      CorruptionError,
    )
  })
})

describe('readSoon', () => {
  /** Time passes by slow reads alone: a machine that pauses makes no other one look slow. */
  function standStill(fileSystem: ColdFileSystem): void {
    let now = 0
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
    onTestFinished(() => clock.mockRestore())
    fileSystem.passTime = (ms) => {
      now += ms
    }
  }

  test('reads at once while that is fast', () => {
    const { fileSystem, requests } = store([4096])
    standStill(fileSystem)
    const reader = readerOf(fileSystem)
    for (let i = 0; i < 1000; i++) reader.readSoon(requests[0]!)
    expect(fileSystem.asyncReads).toBe(0)
    // One is that of the file's header.
    expect(fileSystem.reads).toBe(1001)
  })

  test('goes to the thread pool when two reads of few are slow, and comes back', async () => {
    const { fileSystem, requests, values } = store([4096])
    standStill(fileSystem)
    const reader = readerOf(fileSystem)
    fileSystem.cold = true
    const results = Array.from({ length: 26 }, () => reader.readSoon(requests[0]!))
    // One of the three is that of the file's header.
    expect(fileSystem.reads).toBe(3)
    expect(fileSystem.asyncReads).toBe(24)
    for (const result of results) expect((await result).equals(values[0]!)).toBe(true)
    fileSystem.cold = false
    let more = 100_000
    while (more-- > 0 && reader.readSoon(requests[0]!) instanceof Promise) await undefined
    expect(more).toBeGreaterThan(0)
  })

  test('a cold file of which some reads are fast is not taken for a warm one', () => {
    const { fileSystem, requests } = store([4096])
    standStill(fileSystem)
    const reader = readerOf(fileSystem)
    for (let i = 0; i < 6000; i++) {
      // Of those that are tried three quarters are slow.
      fileSystem.cold = fileSystem.reads % 4 > 0
      reader.readSoon(requests[0]!)
    }
    expect(fileSystem.reads).toBeLessThan(200)
  })

  test('neighbours go to the pool, too', async () => {
    const { fileSystem, requests, values } = store([100, 100, 100])
    const reader = readerOf(fileSystem)
    fileSystem.cold = true
    for (let i = 0; i < 2; i++) reader.readSoon(requests[0]!)
    const got: (Buffer | undefined)[] = []
    await reader.readMany(requests, got)
    expect(fileSystem.asyncReads).toBe(1)
    for (const [i, value] of values.entries()) expect(got[i]!.equals(value)).toBe(true)
  })

  test('reads large values in the pool; its request may be used again at once', async () => {
    const { fileSystem, requests, values } = store([SYNC_READ_BYTES_MAX + 1])
    const wanted = { ...requests[0]!, keyBytes: Buffer.from(requests[0]!.keyBytes) }
    const result = readerOf(fileSystem).readSoon(wanted)
    expect(result).toBeInstanceOf(Promise)
    wanted.keyBytes.fill(0)
    wanted.offset = 7
    expect((await result).equals(values[0]!)).toBe(true)
  })
})

test('opens a bounded number of files; those that are adopted stay until they are released', () => {
  const { fileSystem, requests } = store([10], 6)
  const reader = readerOf(fileSystem, 2)
  reader.adopt(1, fileSystem.open(segmentPath(1), 'read'))
  for (const one of requests) reader.read(one)
  expect(reader.openFiles).toBe(2)
  expect(fileSystem.closed).not.toContain(segmentPath(1))
  reader.release(1)
  for (const one of requests) reader.read(one)
  expect(fileSystem.closed).toContain(segmentPath(1))
  reader.close()
  expect(reader.openFiles).toBe(0)
})

test('I10: what the thread pool reads counts, also when it has been pushed out meanwhile', async () => {
  const { fileSystem, requests, values } = store([SYNC_READ_BYTES_MAX + 1], 12)
  let open = 0
  let most = 0
  const counted: FileSystem = Object.create(fileSystem, {
    open: {
      value: (path: string, mode: 'read') => {
        const file = fileSystem.open(path, mode)
        most = Math.max(most, ++open)
        let reads = 0
        let isClosed = false
        // The system's descriptor goes when the last read has ended.
        const ended = (): void => {
          if (isClosed && reads === 0) open--
        }
        return Object.create(file, {
          readAsync: {
            value: async (...given: Parameters<File['read']>) => {
              reads++
              await new Promise<void>((resolve) => setImmediate(resolve))
              reads--
              ended()
              return file.read(...given)
            },
          },
          close: {
            value: () => {
              isClosed = true
              ended()
            },
          },
        })
      },
    },
  })
  const reader = readerOf(counted, 8)
  const read = await Promise.all(requests.map((one) => reader.readSoon(one)))
  for (const [i, value] of read.entries()) expect(value.equals(values[i]!)).toBe(true)
  expect(most).toBeLessThanOrEqual(8)
  expect(reader.openFiles).toBe(open)
})

describe('slabs', () => {
  test('are shared by small ranges, which never overlap', () => {
    const slabs = new SlabAllocator()
    const taken = new Map<ArrayBufferLike, number>()
    for (let i = 0; i < 100; i++) {
      const memory = slabs.allocate(1000)
      const start = slabs.start + memory.byteOffset
      expect(start).toBeGreaterThanOrEqual(taken.get(memory.buffer) ?? 0)
      expect(slabs.start + 1000).toBeLessThanOrEqual(memory.length)
      taken.set(memory.buffer, start + 1000)
    }
    expect(taken.size).toBe(Math.ceil(100 / Math.floor(SLAB_BYTES / 1000)))
  })

  test('cannot be transferred, large ranges have memory of their own', () => {
    const slabs = new SlabAllocator()
    const small = slabs.allocate(10)
    const { port1, port2 } = new MessageChannel()
    try {
      port1.postMessage(small, [small.buffer as ArrayBuffer])
    } catch (error) {
      // Node 20 copies instead, later versions refuse.
      expect(error).toMatchObject({ name: 'DataCloneError' })
    }
    port1.close()
    port2.close()
    expect(small.buffer.byteLength).toBe(SLAB_BYTES)
    const large = slabs.allocate(10_000)
    expect(large).toHaveLength(10_000)
    expect(slabs.start).toBe(0)
  })
})
