/** Lists of dead records: what is added is found, what has gone is not, and memory is bounded. I10. */
import { expect, test } from 'vitest'
import { type DeadRecords, DeadRecordsBuilder } from '#dist/lib/base/dead-records.js'
import { DeadLists } from '#dist/lib/space/dead-lists.js'
import { EMPTY_VERSION } from '#dist/lib/tree/version/version.js'

function dead(...records: readonly (readonly [segment: number, offset: number])[]): DeadRecords {
  const builder = new DeadRecordsBuilder()
  for (const [segment, offset] of records) builder.add(segment, offset, 10)
  return builder.finish()
}

function offsetsOf(lists: DeadLists, ...segments: number[]): number[] {
  return lists.of(segments).flatMap(({ offsets }) => [...offsets])
}

test('lists of several jobs are kept apart by their segments', () => {
  const lists = new DeadLists()
  lists.add(dead([1, 100], [2, 200], [1, 110]))
  lists.add(dead([2, 210], [3, 300]))
  expect(offsetsOf(lists, 1)).toEqual([100, 110])
  expect(offsetsOf(lists, 2)).toEqual([200, 210])
  expect(offsetsOf(lists, 1, 3, 4)).toEqual([100, 110, 300])
  expect(lists.of([2]).map(({ lengths }) => [...lengths])).toEqual([[10], [10]])
})

test('what has left the files is forgotten, what died since is not', () => {
  const lists = new DeadLists()
  lists.add(dead([1, 100], [2, 200]))
  const moved = lists.of([1])
  lists.add(dead([1, 110]))
  lists.forget(moved)
  expect(offsetsOf(lists, 1, 2)).toEqual([110, 200])
  // Again: they are not there.
  lists.forget(moved)
  expect(offsetsOf(lists, 1, 2)).toEqual([110, 200])
  lists.follow(EMPTY_VERSION)
  expect(offsetsOf(lists, 1, 2)).toEqual([])
  expect(lists.bytes).toBe(0)
})

test('I10: under pressure the shortest lists go, and no memory of a job is kept by a part of its list', () => {
  const lists = new DeadLists(20_000)
  const records = Array.from({ length: 600 }, (_, i) => [i % 6 === 0 ? i : 1, i] as const)
  lists.add(dead(...records))
  expect(lists.bytes).toBeLessThanOrEqual(20_000)
  expect(offsetsOf(lists, 1)).toHaveLength(500)
  for (const { offsets } of lists.of([1])) expect(offsets.buffer.byteLength).toBe(500 * 8)
  lists.add(dead(...Array.from({ length: 1000 }, (_, i) => [1, i] as const)))
  expect(lists.bytes).toBeLessThanOrEqual(20_000)
})
