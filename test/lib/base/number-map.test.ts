/** The persistent map against Map: every version of a line stays what it was, and differences are exact. */
import { expect, test } from 'vitest'
import { NumberMap } from '#dist/lib/base/number-map.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'

type Model = Map<number, string>

interface Step {
  readonly map: NumberMap<number, string>
  readonly model: Model
}

const sorted = (model: Model): [number, string][] => [...model].sort(([a], [b]) => a - b)

function expectSame({ map, model }: Step, message: string): void {
  const entries = sorted(model)
  expect([...map], message).toEqual(entries)
  expect([...map.keys()], message).toEqual(entries.map(([key]) => key))
  expect([...map.values()], message).toEqual(entries.map(([, value]) => value))
  expect(map.list(), message).toEqual([...map.values()])
  expect([map.size, map.last], message).toEqual([entries.length, entries.at(-1)])
}

type Change = readonly [number, string | undefined, string | undefined]

function differences(before: Step['map'], after: Step['map']): Change[] {
  const found: Change[] = []
  NumberMap.diff(before, after, (key, old, recent) => found.push([key, old, recent]))
  return found
}

function modelDifferences(before: Model, after: Model): Change[] {
  const keys = [...new Set([...before.keys(), ...after.keys()])].sort((a, b) => a - b)
  return keys
    .map((key): Change => [key, before.get(key), after.get(key)])
    .filter(([, old, recent]) => old !== recent)
}

/** Changes of one builder: appended numbers, random ones, and whole ranges that go. */
function change(prng: Prng, step: Step, label: string): Step {
  const model = new Map(step.model)
  const builder = step.map.builder()
  const set = (key: number): void => {
    const value = `${label}.${prng.below(3)}`
    builder.set(key, value)
    model.set(key, value)
  }
  const drop = (key: number): void => {
    expect(builder.delete(key)).toBe(model.delete(key))
  }
  const limit = prng.pick([50, 3000, 2 ** 32])
  const many = prng.pick([1, 5, 400])
  for (let i = 0; i < many; i++) {
    const kind = prng.below(8)
    if (kind < 3) set(Math.max(0, ...[...model.keys()].slice(-1)) + 1 + prng.below(3))
    else if (kind < 5) set(prng.below(limit))
    else if (kind < 6) drop(prng.below(limit))
    else {
      const keys = [...model.keys()]
      const at = prng.below(keys.length + 1)
      for (const key of keys.slice(at, at + prng.below(many))) drop(key)
    }
    const asked = prng.below(limit)
    expect([builder.get(asked), builder.size]).toEqual([model.get(asked), model.size])
  }
  return { map: builder.finish(), model }
}

test('each version of a line is the sorted map that was made, and stays it', () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  for (let round = 0; round < 20; round++) {
    const line: Step[] = [{ map: NumberMap.empty(), model: new Map() }]
    for (let i = 0; i < 12; i++) line.push(change(prng, line.at(-1)!, `${i}`))
    for (const step of line) expectSame(step, replayHint(seed))
    for (const step of line) {
      const other = prng.pick(line)
      expect(differences(step.map, other.map), replayHint(seed)).toEqual(
        modelDifferences(step.model, other.model),
      )
      const from = prng.below(4000)
      expect([...step.map.from(from)], replayHint(seed)).toEqual(
        sorted(step.model).filter(([key]) => key >= from),
      )
      for (const key of [from, ...step.model.keys()].slice(0, 20)) {
        expect([step.map.get(key), step.map.has(key)]).toEqual([
          step.model.get(key),
          step.model.has(key),
        ])
      }
    }
  }
})

test('single changes leave the map before as it was', () => {
  const before = NumberMap.from<number, string>([
    [7, 'seven'],
    [3, 'three'],
    [7, 'later'],
  ])
  expect([...before]).toEqual([
    [3, 'three'],
    [7, 'later'],
  ])
  const after = before.set(5, 'five').delete(3).delete(99)
  expect([...after]).toEqual([
    [5, 'five'],
    [7, 'later'],
  ])
  expect([...before.keys()]).toEqual([3, 7])
})

test('what changes nothing gives the same map, and a finished builder is used up', () => {
  const map = NumberMap.from<number, string>([[1, 'one']])
  expect(map.delete(2)).toBe(map)
  const builder = map.builder()
  expect(builder.finish()).toBe(map)
  expect(() => builder.set(3, 'three')).toThrow(/finished/)
})

test('keys of all sizes, and none beyond', () => {
  const keys = [0, 1, 31, 32, 1023, 1024, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]
  const map = NumberMap.from(keys.toReversed().map((key) => [key, `${key}`]))
  expect([...map]).toEqual(keys.map((key) => [key, `${key}`]))
  for (const key of [2, 33, 2 ** 32, 2 ** 32 + 1, 2 ** 35, 2 ** 52]) {
    expect([map.get(key), map.delete(key)]).toEqual([undefined, map])
  }
  expect(() => map.set(2 ** 32, '')).toThrow(/key=4294967296/)
  expect(() => map.set(0.5, '')).toThrow(/key=0.5/)
})

test('what is shared is not looked at', () => {
  const before = NumberMap.from(Array.from({ length: 20_000 }, (_, key) => [key, { key }]))
  const after = before.set(12_345, { key: 0 }).delete(777)
  const clz32 = Math.clz32
  let places = 0
  Math.clz32 = (bits) => {
    places++
    return clz32(bits)
  }
  try {
    NumberMap.diff(before, after, () => {})
  } finally {
    Math.clz32 = clz32
  }
  // Two keys, three digits each.
  expect(places).toBe(6)
})
