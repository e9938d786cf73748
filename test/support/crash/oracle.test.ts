/** The oracle must refuse every state that is no legal survivor of a crash. */
import { describe, expect, test } from 'vitest'
import { Oracle, requirePosition } from './oracle.ts'

function filled(): { oracle: Oracle; values: Buffer[] } {
  const oracle = new Oracle()
  const values: Buffer[] = []
  for (const key of ['a', 'b', 'a']) {
    const [operation] = oracle.submit([{ type: 'put', key, length: 20 }]).operations
    if (operation?.type === 'put') values.push(operation.value)
  }
  return { oracle, values }
}

describe('oracle', () => {
  test('I2: prefixes of the commit order are recognised, holes are not', () => {
    const { oracle } = filled()
    expect(oracle.positionsOf(new Map())).toEqual([0])
    expect(oracle.positionsOf(new Map([['a', 0]]))).toEqual([1])
    expect(
      oracle.positionsOf(
        new Map([
          ['b', 1],
          ['a', 0],
        ]),
      ),
    ).toEqual([2])
    expect(
      oracle.positionsOf(
        new Map([
          ['b', 1],
          ['a', 2],
        ]),
      ),
    ).toEqual([3])
    expect(() => oracle.positionsOf(new Map([['a', 2]]))).toThrow('no prefix')
    expect(() => oracle.positionsOf(new Map([['b', 1]]))).toThrow('no prefix')
  })

  test('I2: half a batch is no state', () => {
    const oracle = new Oracle()
    oracle.submit([
      { type: 'put', key: 'a' },
      { type: 'put', key: 'b' },
    ])
    expect(() => oracle.positionsOf(new Map([['a', 0]]))).toThrow('no prefix')
  })

  test('I7: a deleted key that comes back is no state', () => {
    const oracle = new Oracle()
    oracle.submit([{ type: 'put', key: 'a' }])
    oracle.submit([{ type: 'delete', key: 'a' }])
    oracle.submit([{ type: 'put', key: 'b' }])
    expect(oracle.positionsOf(new Map([['b', 2]]))).toEqual([3])
    expect(() =>
      oracle.positionsOf(
        new Map([
          ['a', 0],
          ['b', 2],
        ]),
      ),
    ).toThrow('no prefix')
  })

  test('values tell what they are, and damage is seen', () => {
    const { oracle, values } = filled()
    expect(oracle.identify(Buffer.from('a'), values[0]!)).toBe(0)
    expect(() => oracle.identify(Buffer.from('b'), values[0]!)).toThrow('never written')
    const damaged = Buffer.from(values[0]!)
    damaged[10]! ^= 1
    expect(() => oracle.identify(Buffer.from('a'), damaged)).toThrow('damaged')
    expect(() => oracle.identify(Buffer.from('a'), Buffer.alloc(3))).toThrow('never written')
  })

  test('a failed batch may be the last thing that is found, and nothing behind it', () => {
    const { oracle } = filled()
    oracle.exclude(2)
    expect(oracle.positionsOf(new Map([['a', 0]]))).toEqual([1, 2])
    expect(
      oracle.positionsOf(
        new Map([
          ['a', 0],
          ['b', 1],
        ]),
      ),
    ).toEqual([2])
    expect(oracle.positionsOf(new Map([['a', 2]]))).toEqual([3])
    expect(() =>
      oracle.positionsOf(
        new Map([
          ['b', 1],
          ['a', 2],
        ]),
      ),
    ).toThrow('no prefix')
  })

  test('I1: less than what was promised is refused', () => {
    requirePosition([2], 1, 3, 'here')
    expect(() => requirePosition([0], 1, 3, 'here')).toThrow('must be 1 to 3')
  })
})
