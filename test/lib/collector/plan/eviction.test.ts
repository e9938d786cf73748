/** What a cache gives up: the oldest files, as many as are needed; of the tree where that holds most. */
import { expect, test } from 'vitest'
import type { LookState } from '#dist/lib/collector/plan/decide.js'
import {
  type CacheDecision,
  type CacheState,
  decideInCache,
  type EvictableFile,
} from '#dist/lib/collector/plan/eviction.js'
import { atOnce } from '#dist/lib/collector/plan/in-turns.js'
import type { Space } from '#dist/lib/space/space.js'

const SEGMENT_BYTES = 1000
const LIMIT_BYTES = 20_000
/** Of these, two segments are left to writers. */
const START_BYTES = 18_000

/** Files of a segment each, of a hundred sequences. */
function filesOf(count: number): EvictableFile[] {
  return Array.from({ length: count }, (_, i) => ({
    number: i + 1,
    lastSequence: 100 * (i + 1),
    bytes: SEGMENT_BYTES,
  }))
}

interface Given extends Partial<Omit<CacheState, keyof LookState>> {
  readonly usedBytes: number
  readonly tableBytes?: number
  readonly tableGarbageBytes?: number
  readonly isCompacting?: boolean
  readonly missingBytes?: number
}

function decided(given: Given): CacheDecision {
  const { tableBytes = 100, tableGarbageBytes = 0, missingBytes, ...state } = given
  const measured = { tableBytes, tableGarbageBytes, diskBytes: given.usedBytes, files: [] }
  const look = {
    rules: { segmentBytes: SEGMENT_BYTES, blockBytes: 1 },
    running: { count: 0 },
    lack: missingBytes === undefined ? undefined : { missingBytes, spareBytes: 0 },
    hasRoom: true,
    isCompacting: false,
    isTreeExposed: false,
  }
  const store = {
    limitBytes: LIMIT_BYTES,
    leavingBytes: 0,
    evictedBelow: 0,
    oldest: filesOf(20),
    // Spread evenly over the sequences of all files.
    olderTableBytes: (below: number) => (tableBytes * Math.min(below, 2001)) / 2001,
    flushedSequence: 2000,
    isEvicting: false,
  }
  const all = { ...look, ...store, ...state } as unknown as CacheState
  return atOnce(decideInCache(measured as unknown as Space, all))
}

test('nothing goes up to the start, then as many of the oldest files as are needed', () => {
  expect(decided({ usedBytes: START_BYTES }).eviction).toBeUndefined()
  expect(decided({ usedBytes: START_BYTES + 1 }).eviction).toEqual({ below: 101, files: [1] })
  const eviction = { below: 301, files: [1, 2, 3] }
  expect(decided({ usedBytes: START_BYTES + 2500 }).eviction).toEqual(eviction)
})

test('what goes anyway is not evicted again, and nothing is beside another eviction', () => {
  const usedBytes = START_BYTES + 2500
  expect(decided({ usedBytes, leavingBytes: 2500 }).eviction).toBeUndefined()
  expect(decided({ usedBytes, leavingBytes: 2000 }).eviction?.files).toEqual([1])
  expect(decided({ usedBytes, isEvicting: true }).eviction).toBeUndefined()
})

test('a full disk is a bound, too', () => {
  expect(decided({ usedBytes: 9000, missingBytes: 1500 }).eviction?.files).toEqual([1, 2])
})

test('where files do not give enough, what is in no table is flushed', () => {
  const few = { usedBytes: START_BYTES + 2500, oldest: filesOf(1), flushedSequence: 100 }
  const { eviction, flushes } = decided({ ...few, olderTableBytes: () => 0 })
  expect([eviction?.files, flushes]).toEqual([[1], true])
  const nothing = decided({ ...few, oldest: [], flushedSequence: -1, olderTableBytes: () => 0 })
  expect([nothing.eviction, nothing.flushes]).toEqual([undefined, true])
})

test('where the tree has most of what is oldest, a quarter of it goes, with the files that are as old', () => {
  const { eviction, flushes } = decided({ usedBytes: 19_000, tableBytes: 16_000, oldest: [] })
  expect(eviction?.files).toEqual([])
  expect(eviction?.below).toBeCloseTo(2001 / 4, -1)
  expect(flushes).toBe(false)
  const small = filesOf(20).map((file) => ({ ...file, bytes: 10 }))
  const both = decided({ usedBytes: 19_000, tableBytes: 16_000, oldest: small }).eviction
  expect(both?.below).toBeCloseTo(2001 / 4, -1)
  expect(both?.files).toEqual([1, 2, 3, 4, 5])
})

test('the tree is compacted when half of it was evicted, a large one at a quarter; then that comes back', () => {
  const small = { usedBytes: 10_000, tableBytes: 2000 }
  expect(decided({ ...small, tableGarbageBytes: 900 }).exposes).toBe(false)
  expect(decided({ ...small, tableGarbageBytes: 1000 }).exposes).toBe(true)
  expect(decided({ ...small, tableGarbageBytes: 1000, isCompacting: true }).exposes).toBe(false)
  const large = { usedBytes: START_BYTES + 3000, tableBytes: 16_000, evictedBelow: 501 }
  const due = decided({ ...large, tableGarbageBytes: 4001 })
  expect([due.exposes, due.eviction]).toEqual([true, undefined])
})
