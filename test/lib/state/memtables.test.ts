/** The list of memtables, and the arenas that it uses again. */
import { describe, expect, test } from 'vitest'
import { Memtables } from '#dist/lib/state/memtables.js'
import { KIND } from '#dist/lib/tree/entry.js'
import { keyed } from '../../support/parts/array-cursor.ts'

describe('memtables', () => {
  const START = { ordinal: 1, offset: 0 }
  const put = (memtables: Memtables, sequence: number): void => {
    const key = Buffer.from('key')
    const place = { segment: 1, offset: sequence, length: 50 }
    memtables.insert(key, keyed({ key, sequence, kind: KIND.pointer, ...place }))
  }

  test.each([65_536, 65_537, 65_539])(
    'I10: three arenas of %i serve, and are used again',
    (bytes) => {
      const memtables = new Memtables(bytes, START)
      const used = new Set<SharedArrayBuffer>()
      for (let i = 1; i <= 10; i++) {
        put(memtables, i)
        while (!memtables.freeze({ ordinal: 1, offset: i * 100 }, 0)) memtables.dropOldest()
        const { frozen } = memtables.oldestFrozen!
        used.add(memtables.arenaBuffer(frozen.arenaId))
        // The active one, and those that wait.
        expect(memtables.list(START).length).toBeLessThanOrEqual(3)
      }
      expect(used.size).toBeLessThanOrEqual(3)
    },
  )

  test('a batch too large for an arena gets one of its own; one too large for any is refused', () => {
    const memtables = new Memtables(65536, START)
    expect(memtables.freeze(START, 1_000_000)).toBe(true)
    expect(memtables.active.hasRoom(900_000)).toBe(true)
    expect(() => memtables.freeze(START, 2 ** 30)).toThrow(
      expect.objectContaining({ code: 'WISC_INVALID_ARGUMENT' }),
    )
  })

  test('the list is newest first, without those below the checkpoint', () => {
    const memtables = new Memtables(65536, START)
    const first = memtables.active
    put(memtables, 1)
    memtables.freeze({ ordinal: 1, offset: 100 }, 0)
    const second = memtables.active
    put(memtables, 2)
    memtables.freeze({ ordinal: 2, offset: 200 }, 0)
    expect(memtables.list(START)).toEqual([memtables.active, second, first])
    expect(memtables.list({ ordinal: 1, offset: 100 })).toEqual([memtables.active, second])
    expect(memtables.list({ ordinal: 2, offset: 200 })).toEqual([memtables.active])
  })
})
