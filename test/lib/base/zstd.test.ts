/** Zstandard, by each library that is there: what was given comes back, and never more than there is room for. */
import { describe, expect, test } from 'vitest'
import { frameBytesMax, platformZstd } from '#dist/lib/base/zstd.js'
import { documents, LIBRARIES } from '../../support/zstd.ts'

describe.each(LIBRARIES.map((library) => [library.name, library] as const))('%s', (_, library) => {
  function framed(bytes: Uint8Array, level: number = 3): Uint8Array {
    const frame = new Uint8Array(frameBytesMax(bytes.length))
    return frame.subarray(0, library.compress(frame, bytes, level))
  }

  test.each([1, 3, 9, 19])('gives back what was given, level %i', (level) => {
    for (const length of [1, 100, 4096, 65536]) {
      const given = documents(length, level)
      const target = new Uint8Array(length)
      expect(library.decompress(target, framed(given, level))).toBe(length)
      expect(Buffer.compare(target, given)).toBe(0)
    }
  })

  test('what does not compress fits into the bound of its frame', () => {
    const noise = Buffer.alloc(65536)
    for (let i = 0, x = 1; i < noise.length; i++) {
      x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0
      noise[i] = x >>> 16
    }
    expect(framed(noise).length).toBeLessThanOrEqual(frameBytesMax(65536))
  })

  test('a bomb is refused: a frame that gives more than there is room for', () => {
    const bomb = framed(new Uint8Array(65536))
    expect(bomb.length).toBeLessThan(100)
    for (const room of [0, 1, 1000, 65535]) {
      const around = new Uint8Array(room + 100).fill(7)
      const read = (): number => library.decompress(around.subarray(0, room), bomb)
      expect(read).toThrow()
      expect(around.subarray(room).every((byte) => byte === 7)).toBe(true)
    }
  })

  test('what is no frame is refused, and one that is cut off never gives all', () => {
    const target = new Uint8Array(4096)
    expect(() => library.decompress(target, Buffer.from('no frame'))).toThrow()
    const frame = framed(documents(4096, 1))
    const given = (length: number): number => {
      try {
        return library.decompress(target, frame.subarray(0, length))
      } catch {
        return 0
      }
    }
    for (let length = 0; length < frame.length; length++)
      expect(given(length), `${length}`).toBeLessThan(4096)
    expect(given(frame.length)).toBe(4096)
  })
})

test('a platform without it has none', () => {
  expect(platformZstd({ constants: {} })).toBeUndefined()
})

test("the platform's own is asked with the level, and bounded by the room that there is", () => {
  const asked: object[] = []
  const platform = {
    constants: { ZSTD_c_compressionLevel: 100 },
    zstdCompressSync: (source: Uint8Array, options: object) => {
      asked.push(options)
      return Buffer.from(source)
    },
    zstdDecompressSync: (source: Uint8Array, options: object) => {
      asked.push(options)
      return Buffer.from(source)
    },
  }
  const library = platformZstd(platform)!
  const target = new Uint8Array(10)
  expect(library.compress(target, Buffer.from('abc'), 7)).toBe(3)
  expect(library.decompress(target, Buffer.from('abcd'))).toBe(4)
  expect(target.subarray(0, 4)).toEqual(Uint8Array.from(Buffer.from('abcd')))
  expect(asked).toEqual([{ params: { 100: 7 } }, { maxOutputLength: 11 }])
})
