/** Relocations: what is written is found again, at its exact length, for any addresses. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { equalBytes } from '#dist/lib/base/bytes.js'
import { IoError, type WiscError } from '#dist/lib/base/errors.js'
import { BlockCache } from '#dist/lib/base/files/block-cache.js'
import type { File } from '#dist/lib/base/files/file-system.js'
import { FILE_BYTES_MAX, FILE_NUMBER_MAX } from '#dist/lib/base/ids.js'
import type { SegmentRecords } from '#dist/lib/base/segment-records.js'
import {
  PAGE_ENTRIES,
  RELOCATION_HEADER_BYTES,
  relocationFileBytes,
} from '#dist/vlog/relocation/relocation-format.js'
import { RelocationWriter } from '#dist/vlog/relocation/relocation-writer.js'
import { MemoryFileSystem } from '../../support/files/memory-file-system.ts'
import { Prng, replayHint, testSeed } from '../../support/random.ts'
import {
  buildRelocation,
  finish,
  IDENTITY,
  type ModelRecord,
  type ModelRelocation,
  makeRecord,
  openRelocation,
  PATH,
  randomRecords,
  readAt,
  writeRecords,
} from './relocation-model.ts'

const seed = testSeed()
const hint = replayHint(seed)
const NO_BYTES = new Uint8Array(0)

function partsOf(records: readonly ModelRecord[]): SegmentRecords[] {
  const sums = new Map<number, { segment: number; records: number; bytes: number }>()
  for (const { segment, bytes } of records) {
    const sum = sums.get(segment) ?? { segment, records: 0, bytes: 0 }
    sum.records++
    sum.bytes += bytes.length
    sums.set(segment, sum)
  }
  return [...sums.values()].sort((left, right) => left.segment - right.segment)
}

function bytesOf(records: readonly ModelRecord[]): number {
  return records.reduce((sum, { bytes }) => sum + bytes.length, 0)
}

/** Everything that a relocation can be asked gives what went in. */
function expectWhole(relocation: ModelRelocation, prng: Prng): void {
  const { records, places, built } = relocation
  const parts = partsOf(records)
  expect(built, hint).toMatchObject({ number: IDENTITY.number, salt: IDENTITY.salt, parts })
  expect(built.length, hint).toBe(
    relocationFileBytes(records.length, bytesOf(records), parts.length),
  )
  expect(relocation.fileSystem.contents(PATH).length).toBe(built.length)

  const reader = openRelocation(relocation)
  expect(reader.parts, hint).toEqual(parts)
  expect(reader.recordsEnd).toBe(RELOCATION_HEADER_BYTES + bytesOf(records))
  const cache = new BlockCache(prng.pick([0, 65536, 2 ** 20]))
  const known = new Set(records.map(({ segment, offset }) => `${segment} ${offset}`))
  const located: number[] = []
  const wrong: string[] = []
  for (const [i, { segment, offset, bytes }] of records.entries()) {
    located.push(reader.locate(segment, offset, cache))
    if (!equalBytes(readAt(reader.file, places[i]!, bytes.length), bytes)) wrong.push(`bytes ${i}`)
    for (const [otherSegment, otherOffset] of [
      [segment, offset + 1],
      [segment, offset - 1],
      [segment, (offset + 2 ** 32) % 2 ** 48],
      [segment + 1, offset],
      [segment - 1, offset],
    ] as const) {
      const other = `${otherSegment} ${otherOffset}`
      if (known.has(other)) continue
      if (reader.locate(otherSegment, otherOffset, cache) !== -1) wrong.push(`absent ${other}`)
    }
  }
  expect(located, hint).toEqual(places)
  expect(wrong, hint).toEqual([])
  const { segments, offsets, places: sorted } = reader.addresses()
  const found = Array.from(sorted, (place, i) => [place, segments[i], offsets[i]])
  expect(found, hint).toEqual(
    records.map((record, i) => [places[i], record.segment, record.offset]),
  )
  reader.verify()
  reader.close()
}

describe('round trips', () => {
  test('any addresses of any segments', () => {
    const step = fc.record({
      segment: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constant(FILE_NUMBER_MAX)),
      gap: fc.oneof(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 0, max: 2 ** 33 })),
      value: fc.integer({ min: 0, max: 30 }),
      order: fc.integer(),
    })
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
        const ends = new Map<number, number>()
        const records = steps.map(({ segment, gap, value, order }, i) => {
          const bytes = makeRecord(Uint8Array.of(i), i, new Uint8Array(value))
          const offset = (ends.get(segment) ?? 0) + gap
          ends.set(segment, offset + bytes.length)
          return { segment, offset, bytes, order }
        })
        records.sort((left, right) => left.order - right.order)
        expectWhole(buildRelocation(records), new Prng(seed))
      }),
      { seed },
    )
  })

  test('pages that are full, begun, and shared by segments', () => {
    const prng = new Prng(seed)
    const counts = [1, 2, PAGE_ENTRIES - 1, PAGE_ENTRIES, PAGE_ENTRIES + 1, 2 * PAGE_ENTRIES]
    for (const count of [...counts, 2 * PAGE_ENTRIES + 1, 3000]) {
      for (const segments of [1, 2, 7, 400]) {
        expectWhole(buildRelocation(randomRecords(prng, count, segments)), prng)
      }
    }
  })

  test('addresses at the limits: the largest segment and the largest offset', () => {
    const bytes = makeRecord(NO_BYTES, 1, NO_BYTES)
    const records = [
      { segment: FILE_NUMBER_MAX, offset: FILE_BYTES_MAX, bytes },
      { segment: 0, offset: 0, bytes },
      { segment: FILE_NUMBER_MAX, offset: 0, bytes },
      { segment: 0, offset: FILE_BYTES_MAX - 1, bytes },
    ]
    expectWhole(buildRelocation(records), new Prng(seed))
  })

  test('records larger than the buffer of the writer', () => {
    const prng = new Prng(seed)
    const records = [3_000_000, 0, 1_048_576, 1_048_440, 5, 2_097_152].map((length, i) => ({
      segment: i % 2,
      offset: 160 + i * 4_000_000,
      bytes: makeRecord(Uint8Array.of(i), i, prng.bytes(length)),
    }))
    expectWhole(buildRelocation(records), prng)
  })

  test('values may be holes: heads prove themselves', () => {
    const records = randomRecords(new Prng(seed), 500, 3)
    const relocation = buildRelocation(records)
    const bytes = relocation.fileSystem.contents(PATH)
    for (const [i, record] of records.entries()) {
      const view = new DataView(record.bytes.buffer)
      const valueStart = 40 + view.getUint32(12, true)
      const place = relocation.places[i]!
      bytes.fill(0, place + valueStart, place + record.bytes.length)
    }
    relocation.fileSystem.replace(PATH, bytes)
    const reader = openRelocation(relocation)
    reader.verify()
    expect(reader.addresses().places.length).toBe(500)
  })
})

describe('lookups', () => {
  test('a page is read once, and leaves the cache when the file is closed', () => {
    const records = randomRecords(new Prng(seed), 1000, 2)
    const relocation = buildRelocation(records)
    const reader = openRelocation(relocation)
    const file = relocation.fileSystem.open(PATH, 'read')
    const before = file.reads
    const cache = new BlockCache(2 ** 20)
    for (let round = 0; round < 2; round++) {
      for (const { segment, offset } of records) reader.locate(segment, offset, cache)
    }
    expect(file.reads - before).toBe(Math.ceil(1000 / PAGE_ENTRIES))
    expect(cache.stats.bytes).toBeGreaterThan(0)
    reader.close()
    expect(cache.stats.bytes).toBe(0)
    reader.close()
  })

  test('a segment that it does not hold costs no read', () => {
    const relocation = buildRelocation(randomRecords(new Prng(seed), 50, 1))
    const reader = openRelocation(relocation)
    const file = relocation.fileSystem.open(PATH, 'read')
    const before = file.reads
    expect(reader.locate(999, 160, new BlockCache(0))).toBe(-1)
    expect(file.reads).toBe(before)
  })

  test('opening reads twice, and what stays in memory is a hundredth of the index', () => {
    const relocation = buildRelocation(randomRecords(new Prng(seed), 50_000, 3))
    const file = relocation.fileSystem.open(PATH, 'read')
    const before = file.reads
    const reader = openRelocation(relocation)
    expect(file.reads - before).toBe(2)
    expect(reader.pinnedBytes).toBeLessThan((relocation.built.length - reader.recordsEnd) / 100)
  })
})

describe('the writer', () => {
  test('I4: when it is done the file has been synced behind its last write', () => {
    const file = new MemoryFileSystem().open(PATH, 'create')
    const calls: string[] = []
    const logged = new Proxy<File>(file, {
      get(target, name: keyof File) {
        const member = target[name]
        if (typeof member !== 'function') return member
        calls.push(name)
        return member.bind(target)
      },
    })
    const writer = new RelocationWriter(logged, IDENTITY)
    writeRecords(writer, randomRecords(new Prng(seed), 2000, 3))
    finish(writer)
    expect(calls.filter((name) => name === 'sync')).toHaveLength(1)
    expect(calls.at(-1)).toBe('sync')
    expect(calls).toContain('write')
  })

  test('a failed sync stops the store', () => {
    const file = new MemoryFileSystem().open(PATH, 'create')
    file.sync = () => {
      throw new IoError('fsync', PATH, 'EIO')
    }
    const writer = new RelocationWriter(file, IDENTITY)
    writeRecords(writer, randomRecords(new Prng(seed), 3, 1))
    expect(() => finish(writer)).toThrow(expect.objectContaining({ code: 'WISC_SYNC_FAILED' }))
  })

  describe('syncs early', () => {
    const MIB = 1024 * 1024
    /** Each early sync waits until the test ends it. */
    function makeWriter(): {
      readonly writer: RelocationWriter
      readonly file: File
      readonly early: { end: (error?: Error) => void }[]
      readonly write: (mebibytes: number) => void
    } {
      const file = new MemoryFileSystem().open(PATH, 'create')
      const early: { end: (error?: Error) => void }[] = []
      file.dataSyncAsync = () =>
        new Promise((resolve, reject) => {
          early.push({ end: (error) => (error ? reject(error) : resolve()) })
        })
      const writer = new RelocationWriter(file, IDENTITY, MIB)
      let offset = 160
      const write = (mebibytes: number): void => {
        const bytes = makeRecord(Buffer.from('k'), 1, new Uint8Array(mebibytes * MIB))
        writeRecords(writer, [{ segment: 5, offset, bytes }])
        offset += bytes.length
      }
      return { writer, file, early, write }
    }
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

    test('one at a time, and the one at the end is not spared: it waits for the early one', async () => {
      const { writer, file, early, write } = makeWriter()
      let synced = 0
      file.sync = () => void synced++
      write(3)
      write(3)
      expect(early).toHaveLength(1)
      early[0]!.end()
      await turn()
      write(2)
      expect(early).toHaveLength(2)
      const steps = writer.finishSlices()
      while (synced === 0) expect(steps.next().done).toBe(false)
      // To be waited for: whoever asked again and again would keep a core busy for as long as the disk is.
      const { value } = steps.next()
      expect(value).toBeInstanceOf(Promise)
      let isOver = false
      void (value as Promise<void>).then(() => {
        isOver = true
      })
      await turn()
      expect(isOver).toBe(false)
      early[1]!.end()
      await value
      expect(steps.next().done).toBe(true)
      expect(synced).toBe(1)
    })

    const failure = new IoError('fdatasync', PATH, 'EIO')
    const stopped = expect.objectContaining({ code: 'WISC_SYNC_FAILED', cause: failure })

    test('I1: a failure of one that is over stops the next write, and nothing is synced again', async () => {
      const { writer, file, early, write } = makeWriter()
      file.sync = () => expect.unreachable('a sync after a failed one')
      write(2)
      early[0]!.end(failure)
      await turn()
      expect(() => write(2)).toThrow(stopped)
      expect(writer.syncFailure).toEqual(stopped)
      expect(early).toHaveLength(1)
    })

    test('I1: a failure that is heard of only behind the sync at the end counts', async () => {
      const { writer, early, write } = makeWriter()
      write(2)
      const steps = writer.finishSlices()
      for (let i = 0; i < 20; i++) expect(steps.next().done).toBe(false)
      early[0]!.end(failure)
      await turn()
      expect(() => steps.next()).toThrow(stopped)
    })
  })

  test('broken input is refused before the file can be used', () => {
    const bytes = makeRecord(NO_BYTES, 1, NO_BYTES)
    const record: ModelRecord = { segment: 5, offset: 160, bytes }
    const broken: readonly (readonly ModelRecord[])[] = [
      [],
      [{ ...record, bytes: bytes.subarray(0, 39) }],
      [{ ...record, bytes: NO_BYTES }, record],
      [{ ...record, segment: FILE_NUMBER_MAX + 1 }],
      [{ ...record, offset: FILE_BYTES_MAX + 1 }],
    ]
    for (const [i, records] of broken.entries()) {
      const internal = expect.objectContaining<Partial<WiscError>>({ code: 'WISC_INTERNAL' })
      expect(() => buildRelocation(records), `case ${i}`).toThrow(internal)
    }
  })

  test('finishing goes in short steps that say what they wrote', () => {
    const writer = new RelocationWriter(new MemoryFileSystem().open(PATH, 'create'), IDENTITY)
    const records = randomRecords(new Prng(seed), 100_000, 5)
    writeRecords(writer, records)
    let yielded = 0
    let count = 0
    const steps = writer.finishSlices()
    let step = steps.next()
    for (; !step.done; step = steps.next()) {
      if (typeof step.value === 'number') yielded += step.value
      count++
    }
    const recordsEnd = RELOCATION_HEADER_BYTES + bytesOf(records)
    expect(yielded).toBe(step.value.length - recordsEnd)
    expect(count).toBeGreaterThan(20)
  })
})
