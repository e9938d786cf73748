/** Edits of tables, in any order and number, against sorted lists; and one builder for many edits. */
import { expect, test } from 'vitest'
import { EMPTY_VERSION, type Version } from '#dist/lib/tree/version/version.js'
import { applyEdit, VersionBuilder } from '#dist/lib/tree/version/version-builder.js'
import type { AddedTable, VersionEdit } from '#dist/lib/tree/version/version-edit.js'
import { meta } from '../../../support/parts/table-metas.ts'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'

/** `level/run: numbers in key order` of each run, newest first. */
function shape(version: Version): string[] {
  return version.levels.flatMap(({ runs }, level) =>
    runs.map(({ id, tables }) => `${level}/${id}: ${tables.map((table) => table.number).join()}`),
  )
}

function modelShape(tables: readonly AddedTable[]): string[] {
  const runs = new Map<string, AddedTable[]>()
  const sorted = tables.toSorted(
    (left, right) => left.level - right.level || right.runId - left.runId,
  )
  for (const table of sorted) {
    const key = `${table.level}/${table.runId}`
    runs.set(key, [...(runs.get(key) ?? []), table])
  }
  return [...runs].map(([key, members]) => {
    members.sort((left, right) => Buffer.compare(left.meta.smallestKey, right.meta.smallestKey))
    return `${key}: ${members.map((table) => table.meta.number).join()}`
  })
}

/** A table of its own slot of keys in its run, so that none of a run overlap. */
function table(number: number, prng: Prng, taken: readonly AddedTable[]): AddedTable {
  for (;;) {
    const level = prng.below(3)
    const runId = 1 + prng.below(3)
    const slot = String(prng.below(400)).padStart(3, '0')
    const found = { level, runId, meta: meta(number, `${slot}a`, `${slot}b`) }
    const isTaken = taken.some(
      (other) =>
        other.level === level &&
        other.runId === runId &&
        Buffer.compare(other.meta.smallestKey, found.meta.smallestKey) === 0,
    )
    if (!isTaken) return found
  }
}

test('I6: runs stay in key order, newest first, whatever tables come and go', () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  let number = 10
  let tables: AddedTable[] = []
  let version = EMPTY_VERSION
  const all = new VersionBuilder(EMPTY_VERSION)
  const line: { readonly version: Version; readonly shape: string[] }[] = []
  for (let i = 1; i <= 60; i++) {
    const removed = prng.chance(0.1) ? tables : tables.filter(() => prng.chance(0.2))
    const moved = removed.filter(() => prng.chance(0.2)).map(({ meta: { number: old } }) => old)
    const left = tables.filter((each) => !removed.includes(each))
    const added: AddedTable[] = []
    for (let count = prng.below(30); count > 0; count--) {
      added.push(table(moved.pop() ?? number++, prng, [...left, ...added]))
    }
    tables = [...left, ...added]
    const edit: VersionEdit = {
      nextFileNumber: number,
      removedTables: removed.map((each) => each.meta.number),
      addedTables: added,
    }
    version = applyEdit(version, edit, i)
    all.apply(edit, i)
    line.push({ version, shape: modelShape(tables) })
    expect([...version.tables.values()], replayHint(seed)).toEqual(
      tables.toSorted((left, right) => left.meta.number - right.meta.number),
    )
  }
  for (const step of line) expect(shape(step.version), replayHint(seed)).toEqual(step.shape)
  expect(all.finish(), replayHint(seed)).toEqual(version)
})

test('many edits of one builder leave the version that it began with as it was', () => {
  const added = (number: number, key: string, runId: number): VersionEdit => {
    return { addedTables: [{ level: 1, runId, meta: meta(number, key, `${key}z`) }] }
  }
  const base = applyEdit(EMPTY_VERSION, { nextFileNumber: 100, ...added(10, 'b', 1) }, 1)
  const before = JSON.stringify(base)
  const edits = [added(11, 'd', 1), added(12, 'f', 1), added(13, 'b', 7), { removedTables: [10] }]
  const builder = new VersionBuilder(base)
  for (const [i, edit] of edits.entries()) builder.apply(edit, 2 + i)
  const made = builder.finish()
  expect(shape(made)).toEqual(['1/7: 13', '1/1: 11,12'])
  expect(JSON.stringify(base)).toBe(before)
  expect(shape(base)).toEqual(['1/1: 10'])
})

test('an overlap is found wherever it is made', () => {
  const base = applyEdit(
    EMPTY_VERSION,
    {
      nextFileNumber: 100,
      addedTables: ['b', 'd', 'f'].map((key, i) => ({
        level: 1,
        runId: 1,
        meta: meta(10 + i, key, `${key}z`),
      })),
    },
    1,
  )
  const add = (from: string, to: string, removedTables: number[] = []): Version => {
    const addedTables = [{ level: 1, runId: 1, meta: meta(20, from, to) }]
    return applyEdit(base, { removedTables, addedTables }, 2)
  }
  for (const [from, to] of [
    ['a', 'b'],
    ['bz', 'c'],
    ['a', 'z'],
    ['da', 'db'],
    ['e', 'f'],
    ['fz', 'g'],
  ] as const) {
    expect(() => add(from, to), `${from} to ${to}`).toThrow(/do not overlap/)
  }
  expect(shape(add('c', 'e', [11]))).toEqual(['1/1: 10,20,12'])
  expect(shape(add('a', 'ab'))).toEqual(['1/1: 20,10,11,12'])
  expect(shape(add('g', 'h'))).toEqual(['1/1: 10,11,12,20'])
})
