/** The cache of open files: its capacity, what it spares, and what it gives up for others. */
import { describe, expect, test } from 'vitest'
import { OpenCache } from '#dist/lib/base/files/open-cache.js'
import { giveUpSpareFiles } from '#dist/lib/base/files/spare-files.js'

describe('an open cache', () => {
  function makeCache(capacity: number): {
    cache: OpenCache<{ close: () => void }>
    opened: number[]
    closed: number[]
  } {
    const opened: number[] = []
    const closed: number[] = []
    const cache = new OpenCache<{ close: () => void }>(capacity, (number) => {
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
