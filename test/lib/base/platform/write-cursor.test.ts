/** The way of a write through its sources: limits of a call, short writes, empty sources. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  CALL_BYTES_MAX,
  CALL_SOURCES_MAX,
  WriteCursor,
} from '#dist/lib/base/platform/write-cursor.js'

const bytesOf = (sources: readonly Uint8Array[]): number =>
  sources.reduce((sum, source) => sum + source.length, 0)

test('every byte is written once and in its place, whatever each call takes', () => {
  const source = fc.uint8Array({ maxLength: 9 })
  const counts = fc.infiniteStream(fc.integer({ min: 1, max: 12 }))
  fc.assert(
    fc.property(fc.array(source, { maxLength: 8 }), counts, (sources, takes) => {
      const cursor = new WriteCursor(sources, 100)
      const written: number[] = []
      while (!cursor.done) {
        const call = cursor.next()
        const bytes = call.flatMap((part) => [...part])
        expect(bytes.length).toBeGreaterThan(0)
        expect(cursor.position).toBe(100 + written.length)
        const count = Math.min(bytes.length, takes.next().value)
        written.push(...bytes.slice(0, count))
        cursor.advance(count)
      }
      expect(written).toEqual(sources.flatMap((part) => [...part]))
    }),
  )
})

test('a call takes at most 1024 sources', () => {
  const sources = Array.from({ length: 2500 }, () => new Uint8Array(3))
  const cursor = new WriteCursor(sources, 0)
  const calls: number[] = []
  while (!cursor.done) {
    const call = cursor.next()
    calls.push(call.length)
    cursor.advance(bytesOf(call))
  }
  expect(calls).toEqual([CALL_SOURCES_MAX, CALL_SOURCES_MAX, 2500 - 2 * CALL_SOURCES_MAX])
})

test('a call takes at most 1 GiB, within a source and across sources', () => {
  // Pages that nobody touches cost nothing.
  const large = new Uint8Array(CALL_BYTES_MAX + 10)
  const cursor = new WriteCursor([new Uint8Array(5), large, large.subarray(0, 7)], 0)
  const calls: number[] = []
  while (!cursor.done) {
    calls.push(bytesOf(cursor.next()))
    cursor.advance(calls.at(-1)!)
  }
  expect(calls).toEqual([CALL_BYTES_MAX, 22])
})

test('more written than given is a bug', () => {
  const cursor = new WriteCursor([new Uint8Array(5)], 0)
  expect(() => cursor.advance(6)).toThrow('broken invariant')
})
