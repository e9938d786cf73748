/** Batches that somebody helps to read: the same answers, whoever has read what. */
import { describe, expect, test } from 'vitest'
import type { File, ReadHelper } from '#dist/lib/base/files/file-system.js'
import type { ValueReader } from '#dist/vlog/read/value-reader.js'
import { segmentPath } from '../../support/parts/log-segments.ts'
import { readerOf, type Stored, store } from '../../support/parts/stored-values.ts'
import { Prng, replayHint, testSeed } from '../../support/random.ts'

/** Reads some places, as a thread would, and never those that it says it did not. */
class FakeHelper implements ReadHelper {
  readonly #prng: Prng
  #offered: { file: File; length: number; position: number; isRead: boolean }[] | undefined
  reads = 0

  constructor(prng: Prng) {
    this.#prng = prng
  }

  begin(): boolean {
    expect(this.#offered).toBeUndefined()
    this.#offered = []
    return this.#prng.chance(0.9)
  }

  offer(file: File, length: number, position: number): number {
    if (this.#prng.chance(0.1)) return -1
    this.#offered!.push({ file, length, position, isRead: this.#prng.chance(0.5) })
    return this.#offered!.length - 1
  }

  share(): void {
    expect(this.#offered).toBeDefined()
  }

  wasRead(place: number): boolean {
    return this.#offered![place]!.isRead
  }

  take(place: number, target: Uint8Array, at: number): void {
    const { file, length, position, isRead } = this.#offered![place]!
    expect(isRead).toBe(true)
    this.reads++
    file.read(target, at, length, position)
  }

  end(): void {
    expect(this.#offered).toBeDefined()
    this.#offered = undefined
  }
}

describe('readMany with help', () => {
  interface Helped extends Stored {
    readonly helper: FakeHelper
    readonly reader: ValueReader
  }

  function helped(prng: Prng, lengths: readonly number[], segments: number): Helped {
    const parts = store(lengths, segments)
    const helper = new FakeHelper(prng)
    const fileSystem = Object.assign(parts.fileSystem, { readHelper: helper })
    return { ...parts, helper, reader: readerOf(fileSystem, 12) }
  }

  test('answers as without it, whoever has read what', async () => {
    const seed = testSeed()
    const prng = new Prng(seed)
    const lengths = Array.from({ length: 100 }, () => prng.pick([0, 10, 1000, 9000, 40_000]))
    const { requests, values, helper, reader, fileSystem } = helped(prng, lengths, 5)
    for (let round = 0; round < 40; round++) {
      fileSystem.cold = prng.chance(0.1)
      const wanted = Array.from({ length: prng.below(300) }, () => prng.below(requests.length))
      const got: (Buffer | undefined)[] = []
      await reader.readMany(
        wanted.map((index) => requests[index]),
        got,
      )
      for (const [i, index] of wanted.entries()) {
        expect(got[i]!.equals(values[index]!), `round ${round} ${replayHint(seed)}`).toBe(true)
      }
    }
    expect(helper.reads).toBeGreaterThan(0)
    expect(reader.openFiles).toBeLessThanOrEqual(12)
    // No batch has left a file pinned: each of them, more than may be at a time, is read with help again.
    fileSystem.cold = false
    for (let segment = 1; segment <= 5; segment++) {
      const before = helper.reads
      const batch = requests.filter((request) => request.segment === segment)
      // Where the last reads were slow some go to the pool first, the more the oftener they were (value-file.ts).
      for (let i = 0; i < 1000 && helper.reads === before; i++) await reader.readMany(batch, [])
      expect(helper.reads).toBeGreaterThan(before)
    }
    reader.close()
    expect(reader.openFiles).toBe(0)
  })

  test('tells of damage in the same words, with the place', async () => {
    const prng = new Prng(1)
    const { requests, reader, fileSystem } = helped(prng, Array(60).fill(9000), 1)
    const bytes = fileSystem.contents(segmentPath(1))
    const { offset } = requests[30]!
    bytes[offset + 200]! ^= 1
    fileSystem.replace(segmentPath(1), bytes)
    for (let round = 0; round < 20; round++) {
      // Whoever has read it.
      await expect(async () => reader.readMany(requests, [])).rejects.toMatchObject({
        code: 'WISC_CORRUPTION',
        file: '000001.vlog',
        offset,
      })
    }
  })

  test('few reads need none', async () => {
    const { requests, reader, helper } = helped(new Prng(1), Array(23).fill(9000), 1)
    await reader.readMany(requests, [])
    expect(helper.reads).toBe(0)
  })
})
