/** What callers pass: arrays of any realm are taken, anything else is called by its type, with a hint. */
import vm from 'node:vm'
import { describe, expect, test } from 'vitest'
import { typeOf } from '#dist/lib/contract/given.js'
import type { Store } from '#dist/lib/store/store.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { openSmallStore } from '../../support/store/fault-store.ts'

async function failureOf(action: () => unknown): Promise<{ code: string; message: string }> {
  try {
    await action()
  } catch (error) {
    return error as { code: string; message: string }
  }
  throw new Error('no error')
}

describe('arrays', () => {
  test('of another realm, and subclasses, are keys, values and ends of ranges', async () => {
    const store = await openSmallStore()
    const realm = vm.createContext({ Buffer })
    const foreign = vm.runInContext('new Uint8Array([1, 2, 3])', realm) as Uint8Array
    expect(foreign).not.toBeInstanceOf(Uint8Array)
    class Mine extends Uint8Array {}
    const large = vm.runInContext('new Uint8Array(200_000).fill(7)', realm) as Uint8Array
    await store.put(foreign, foreign)
    await store.put(new Mine([4]), large)
    const operations = vm.runInContext(
      `[{ type: 'put', key: new Uint8Array([5]), value: Buffer.from('x') },
        { type: 'delete', key: new Uint8Array([9]) }]`,
      realm,
    ) as Parameters<Store['write']>[0]
    await store.write(operations)
    expect(store.getSync(Buffer.of(1, 2, 3))).toEqual(Buffer.of(1, 2, 3))
    expect((await store.get(foreign))?.length).toBe(3)
    expect((await store.get(new Mine([4])))?.equals(Buffer.alloc(200_000, 7))).toBe(true)
    expect(await store.has(foreign)).toBe(true)
    const many = await store.getMany(
      vm.runInContext('[new Uint8Array([5])]', realm) as Uint8Array[],
    )
    expect(many.map(String)).toEqual(['x'])
    const keys = await store.keys({ gte: foreign, lt: new Mine([5]) }).nextMany(10)
    expect(keys).toEqual([Buffer.of(1, 2, 3), Buffer.of(4)])
  })

  const buffer = new ArrayBuffer(8)
  const others: [string, RegExp, () => unknown][] = [
    ['a number', /String\(\.\.\.\)/, () => 7],
    ['a bigint', /String\(\.\.\.\)/, () => 7n],
    ['a boolean', /String\(\.\.\.\)/, () => true],
    ['a boxed primitive', /String\(\.\.\.\)/, () => Object('text')],
    ['an Object', /JSON\.stringify/, () => ({ a: 1 })],
    ['an Object', /JSON\.stringify/, () => Object.create(null)],
    ['an Array', /JSON\.stringify/, () => [1, 2]],
    ['an ArrayBuffer', /Buffer\.from\(arrayBuffer\)/, () => buffer],
    [
      'an ArrayBuffer',
      /Buffer\.from\(arrayBuffer\)/,
      () => vm.runInNewContext('new ArrayBuffer(8)'),
    ],
    ['a SharedArrayBuffer', /Buffer\.from\(arrayBuffer\)/, () => new SharedArrayBuffer(8)],
    ['a DataView', /Buffer\.from\(view\.buffer/, () => new DataView(buffer)],
    ['a Uint16Array', /Buffer\.from\(view\.buffer/, () => new Uint16Array(buffer)],
    ['a Float64Array', /Buffer\.from\(view\.buffer/, () => new Float64Array(buffer)],
    ['a Date', /toISOString/, () => new Date()],
    ['a Promise', /await/, () => Promise.resolve('x')],
    ['a Proxy', /./, () => new Proxy(new Uint8Array(3), {})],
    ['a symbol', /./, () => Symbol('s')],
    ['a function', /./, () => () => 'x'],
    ['null', /./, () => null],
    ['undefined', /./, () => undefined],
  ]
  test.each(others)('of another type are refused by name: %s', async (type, hint, make) => {
    const value = make()
    const store = await openSmallStore()
    expect(typeOf(value)).toBe(type)
    const given = value as Uint8Array
    for (const action of [
      () => store.put('a', given),
      () => store.put(given, 'a'),
      () => store.getSync(given),
      () => store.write([{ type: 'put', key: 'a', value: given }]),
    ]) {
      const { code, message } = await failureOf(action)
      expect(code).toBe('WISC_INVALID_ARGUMENT')
      expect(message).toContain(`must be a Uint8Array or a string, not ${type}`)
      expect(message).toMatch(hint)
    }
  })
})

test('other arguments are called by their types, too, whatever they are', async () => {
  const store = await openSmallStore()
  const hostile = { [Symbol.toPrimitive]: () => expect.unreachable() }
  const calls: [() => unknown, RegExp][] = [
    [
      () => store.put('a', 'b', { sync: 'yes' as unknown as boolean }),
      /sync must be a boolean, not a string/,
    ],
    [
      () => store.put('a', 'b', true as unknown as object),
      /options must be an object, not a boolean/,
    ],
    [() => store.write('x' as unknown as []), /operations must be an array, not a string/],
    [() => store.getMany({} as unknown as []), /keys must be an array, not an Object/],
    [() => store.keys({ limit: '7' as unknown as number }), /limit must be an integer .*, not "7"/],
    [() => store.keys({ limit: hostile as unknown as number }), /limit must be .*, not an Object/],
    [() => store.keys({ limit: Object.create(null) as number }), /limit must be .*, not an Object/],
    [
      () => store.keys({ signal: {} as AbortSignal }),
      /signal must be an AbortSignal, not an Object/,
    ],
    [() => openSmallStore({ workers: 1.5 }), /workers must be an integer of 0 to 64, not 1\.5/],
    [
      () => openSmallStore({ readOnly: 1 as unknown as boolean }),
      /readOnly must be a boolean, not a number/,
    ],
  ]
  for (const [call, message] of calls) {
    const failure = await failureOf(call)
    expect(failure).toMatchObject({ code: 'WISC_INVALID_ARGUMENT' })
    expect(failure.message).toMatch(message)
  }
})

test("another library's AbortSignal is one", async () => {
  const store = await openSmallStore()
  for (let i = 0; i < 40; i++) await store.put(`key ${i}`, 'x')
  const target = new EventTarget()
  const signal = Object.assign(target, {
    aborted: false,
    reason: undefined,
  }) as unknown as AbortSignal
  const iterator = store.keys({ signal })
  await iterator.next()
  Object.assign(signal, { aborted: true, reason: new Error('enough') })
  target.dispatchEvent(new Event('abort'))
  expect(await failureOf(() => iterator.next())).toMatchObject({ code: 'WISC_ABORTED' })
  expect(store.stats().iterators.open).toBe(0)
})

test('whatever goes wrong in a read is a WiscError, by every way to read', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({ blockCacheBytes: 0 }, fileSystem)
  for (let i = 0; i < 100; i++) await store.put(`key ${i}`, Buffer.alloc(300, i))
  await store.flush()
  const reads: [string, () => unknown][] = [
    ['get', () => store.get('key 7')],
    ['getSync', () => store.getSync('key 7')],
    ['getMany', () => store.getMany(['key 7'])],
    ['has', () => store.has('key 7')],
    ['hasSync', () => store.hasSync('key 7')],
    ['stat', () => store.stat('key 7')],
    ['entries', () => store.entries().next()],
  ]
  for (const [, read] of reads) await read()
  const bug = new RangeError('nobody expected this')
  fileSystem.onCall = ({ kind }) => {
    if (kind === 'read') throw bug
  }
  for (const [name, read] of reads) {
    expect(await failureOf(read), name).toMatchObject({
      name: 'WiscError',
      code: 'WISC_INTERNAL',
      cause: bug,
    })
  }
})
