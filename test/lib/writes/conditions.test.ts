/** Conditions of writes: judged in their turn, behind all that was called before; what fails leaves nothing. */
import { describe, expect, test } from 'vitest'
import { ConflictError } from '#dist/lib/base/errors.js'
import type { Condition, KeyCondition } from '#dist/lib/contract/types.js'
import type { Store } from '#dist/lib/store/store.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'

/** The key that a failed condition names. */
async function conflictOf(action: Promise<unknown>): Promise<string | undefined> {
  try {
    await action
    return undefined
  } catch (error) {
    expect(error).toBeInstanceOf(ConflictError)
    expect(error).toMatchObject({ code: 'WISC_CONFLICT' })
    return String((error as ConflictError).key)
  }
}

/** Values as memtables and tables keep them: inline, pointed to, empty. */
const VALUES = { inline: 'short', pointer: 'long'.repeat(100), empty: '' }

/** What conditions are held against: entries of memtables, or of tables. */
const PLACES: Record<string, (store: Store) => Promise<void>> = {
  'a memtable': async () => {},
  'a table': (store) => store.flush(),
  'the bottom': (store) => store.compact(),
}

describe.each(Object.keys(PLACES))('an entry in %s', (place) => {
  test.each(Object.entries(VALUES))('with a value that is %s', async (_, value) => {
    const store = await openSmallStore()
    await store.put('key', value)
    await store.put('gone', 'x')
    await store.delete('gone')
    await PLACES[place]!(store)
    const { sequence } = (await store.get('key', { withSequence: true }))!
    const holds = (key: string, condition: KeyCondition): Promise<boolean> =>
      conflictOf(store.write([], { if: [{ key, ...condition }] })).then((found) => {
        if (found !== undefined) expect(found).toBe(key)
        return found === undefined
      })
    expect(await holds('key', { absent: true })).toBe(false)
    expect(await holds('key', { present: true })).toBe(true)
    expect(await holds('key', { sequence })).toBe(true)
    expect(await holds('key', { sequence: sequence + 1 })).toBe(false)
    expect(await holds('key', { value })).toBe(true)
    expect(await holds('key', { value: `${value}x` })).toBe(false)
    expect(await holds('key', { value: 'y'.repeat(value.length) })).toBe(value === '')
    for (const missing of ['gone', 'never']) {
      expect(await holds(missing, { absent: true })).toBe(true)
      expect(await holds(missing, { present: true })).toBe(false)
      expect(await holds(missing, { sequence: 1 })).toBe(false)
      expect(await holds(missing, { value: '' })).toBe(false)
    }
  })
})

describe('in one group', () => {
  test('each batch sees those before it', async () => {
    const fileSystem = new FaultFileSystem()
    const store = await openSmallStore({}, fileSystem)
    await store.put('key', '0')
    let writes = 0
    fileSystem.onCall = ({ kind, path }) => {
      if (kind === 'write' && path.endsWith('.vlog')) writes++
    }
    const steps = [
      store.put('key', '1', { if: { value: '0' } }),
      store.put('key', 'long'.repeat(100), { if: { value: '1' } }),
      store.delete('key', { if: { value: 'long'.repeat(100) } }),
      store.put('key', '2', { if: { absent: true } }),
      store.put('other', '1', { if: { absent: true } }),
      store.write([{ type: 'put', key: 'key', value: '3' }], {
        if: [
          { key: 'other', present: true },
          { key: 'key', value: '2' },
        ],
      }),
    ]
    await Promise.all(steps)
    expect(writes).toBe(1)
    expect(String(store.getSync('key'))).toBe('3')
  })

  test('one that fails is refused alone, and those behind it do not see it', async () => {
    const store = await openSmallStore()
    await store.put('key', '0')
    const { sequence } = (await store.stat('key'))!
    const settled = await Promise.allSettled([
      store.put('key', '1', { if: { sequence } }),
      store.put('key', '2', { if: { sequence } }),
      store.put('key', '3', { if: { absent: true } }),
      store.put('key', '4', { if: { value: '1' } }),
      store.put('plain', 'x'),
      store.delete('plain', { if: { absent: true } }),
      store.delete('plain', { if: { present: true } }),
    ])
    expect(settled.map(({ status }) => status === 'fulfilled')).toEqual([
      true,
      false,
      false,
      true,
      true,
      false,
      true,
    ])
    expect(String(store.getSync('key'))).toBe('4')
    expect(store.hasSync('plain')).toBe(false)
  })

  test('of a hundred that want the same sequence one wins, without await', async () => {
    const store = await openSmallStore()
    await store.put('key', 'start')
    const { sequence } = (await store.get('key', { withSequence: true }))!
    const all = Array.from({ length: 100 }, (_, i) =>
      conflictOf(store.put('key', String(i), { if: { sequence } })),
    )
    const found = await Promise.all(all)
    expect(found.filter((key) => key === undefined)).toHaveLength(1)
    expect(String(store.getSync('key'))).toBe('0')
  })
})

describe('a batch', () => {
  test('is written whole or not at all, and its conditions may be of keys that it does not write', async () => {
    const store = await openSmallStore()
    const { lastSequence } = store.stats()
    const operations = [
      { type: 'put', key: 'a', value: '1' },
      { type: 'put', key: 'b', value: '1' },
    ] as const
    expect(await conflictOf(store.write(operations, { if: [{ key: 'c', present: true }] }))).toBe(
      'c',
    )
    expect(await store.keys().nextMany(9)).toEqual([])
    expect(store.stats().lastSequence).toBe(lastSequence)
    await store.put('c', '')
    await store.write(operations, { if: [{ key: 'c', present: true }], sync: true })
    expect((await store.keys().nextMany(9)).map(String)).toEqual(['a', 'b', 'c'])
    expect(store.stats().durableSequence).toBe(store.stats().lastSequence)
  })

  test('without operations asks its conditions, and with sync makes durable what was before', async () => {
    const store = await openSmallStore()
    const writing = store.put('a', '1')
    await store.write([], { if: [{ key: 'a', value: '1' }], sync: true })
    await writing
    const { lastSequence, durableSequence } = store.stats()
    expect([lastSequence, durableSequence]).toEqual([1, 1])
    await store.write([], { if: [], sync: true })
  })

  test('keeps its conditions when callers use their arrays again', async () => {
    const store = await openSmallStore()
    await store.put('key', 'value')
    const key = Buffer.from('key')
    const value = Buffer.from('value')
    const writing = store.write([{ type: 'put', key, value: '2' }], { if: [{ key, value }] })
    key.fill(0)
    value.fill(0)
    await writing
    expect(String(store.getSync('key'))).toBe('2')
  })
})

test('what a condition has to read and cannot fails that write alone', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({}, fileSystem)
  const value = 'long'.repeat(100)
  await store.put('key', value)
  fileSystem.faults = ({ kind, path }) =>
    kind === 'read' && path.endsWith('.vlog') ? { errno: 'EIO' } : undefined
  const refused = codeOf(() => store.put('key', 'x', { if: { value } }))
  const other = store.put('other', '1')
  expect(await refused).toBe('WISC_IO')
  await other
  fileSystem.faults = () => undefined
  expect(store.stats().backgroundError).toBeUndefined()
  await store.put('key', 'x', { if: { value } })
})

describe('get with its sequence', () => {
  test('tells what a condition may ask for', async () => {
    const store = await openSmallStore()
    await store.put('key', '1')
    const snapshot = store.snapshot()
    const first = (await store.get('key', { withSequence: true }))!
    await store.put('key', 'long'.repeat(100))
    const second = (await store.get('key', { withSequence: true }))!
    expect([String(first.value), String(second.value)]).toEqual(['1', 'long'.repeat(100)])
    expect(second.sequence).toBeGreaterThan(first.sequence)
    expect(second.sequence).toBe((await store.stat('key'))!.sequence)
    expect(await store.get('key', { withSequence: true, snapshot })).toEqual(first)
    expect(await store.get('none', { withSequence: true })).toBeUndefined()
    expect(String(await store.get('key', { withSequence: false } as object))).toBe(
      'long'.repeat(100),
    )
    expect(await codeOf(() => store.get('key', { withSequence: 1 } as object))).toBe(
      'WISC_INVALID_ARGUMENT',
    )
    snapshot.close()
  })
})

describe('bad conditions are refused before anything is queued', () => {
  const bad: readonly unknown[] = [
    null,
    5,
    'absent',
    [],
    {},
    { absent: false },
    { absent: 1 },
    { present: false },
    { absent: true, present: true },
    { present: true, value: 'x' },
    { sequence: 1, value: 'x' },
    { sequence: 0 },
    { sequence: -1 },
    { sequence: 1.5 },
    { sequence: '1' },
    { sequence: 2 ** 53 },
    { value: 5 },
    { value: null },
    { key: 'a', absent: true },
    { equals: 'x' },
  ]
  test.each(bad.map((one) => [one]))('%j', async (condition) => {
    const store = await openSmallStore()
    const given = { if: condition } as never
    expect(await codeOf(() => store.put('key', 'x', given))).toBe('WISC_INVALID_ARGUMENT')
    expect(await codeOf(() => store.delete('key', given))).toBe('WISC_INVALID_ARGUMENT')
    const batch = { if: [condition] } as never
    if (condition === null || !Object.hasOwn(Object(condition), 'key')) {
      expect(await codeOf(() => store.write([], batch))).toBe('WISC_INVALID_ARGUMENT')
    }
    expect(store.stats().lastSequence).toBe(0)
  })

  test.each(['absent', 'present'])('%s: false says what to say instead', async (wants) => {
    const store = await openSmallStore()
    const given = { if: { [wants]: false } } as never
    const opposite = wants === 'absent' ? 'present' : 'absent'
    const said = `if.${wants} must be true, not false: for the opposite say ${opposite}: true`
    await expect(store.put('key', 'x', given)).rejects.toThrow(said)
  })

  test.each([
    [
      'a key twice',
      [
        { key: 'a', absent: true },
        { key: Buffer.from('a'), absent: true },
      ],
    ],
    ['no key', [{ absent: true }]],
    ['a hole', Array(1)],
    ['no list', { key: 'a', absent: true }],
    ['a bad key', [{ key: 7, absent: true }]],
  ])('a batch with %s', async (_, conditions) => {
    const store = await openSmallStore()
    const write = store.write([{ type: 'put', key: 'b', value: 'x' }], {
      if: conditions as Condition[],
    })
    expect(await codeOf(() => write)).toBe('WISC_INVALID_ARGUMENT')
    expect(store.stats().lastSequence).toBe(0)
  })
})
