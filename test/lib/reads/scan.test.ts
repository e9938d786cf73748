/** What a scan costs where there is nothing to see, and that what it remembers of that changes no answer. */
import { expect, test, vi } from 'vitest'
import { type ResolvedScan, resolveScan } from '#dist/lib/contract/arguments.js'
import type { Options } from '#dist/lib/contract/options.js'
import type { RangeOptions, Snapshot } from '#dist/lib/contract/types.js'
import { Scan } from '#dist/lib/reads/scan.js'
import { EmptyRanges } from '#dist/lib/state/empty-ranges.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import type { Store } from '#dist/lib/store/store.js'
import type { Entry } from '#dist/lib/tree/entry.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'
import { openSmallStore } from '../../support/store/fault-store.ts'

const seed = testSeed()
const hint = replayHint(seed)
const QUIET: Options = { collector: { enabled: false }, memtableBytes: 2 ** 22 }

function keyOf(i: number): string {
  return `job/${String(i).padStart(6, '0')}`
}

interface ScanResult {
  readonly keys: string[]
  readonly steps: number
  readonly stops: number
}

interface ScanSettings {
  readonly sequence?: number
  /** False: with nothing remembered, and nothing to remember it for. */
  readonly remembers?: boolean
  /** The event loop wants to turn whenever it is asked. */
  readonly stops?: boolean
}

/** Runs a scan to its end, or its limit. */
function scanAll(store: Store, range: RangeOptions, settings: ScanSettings = {}): ScanResult {
  const engine = engineOf(store)
  const { sequence = engine.visibleSequence, remembers = true, stops: isTurnOld = false } = settings
  const own = new EmptyRanges()
  const resolved: ResolvedScan = resolveScan(range)
  const scan = new Scan(
    {
      engine: {
        tree: engine.tree,
        memtables: remembers ? engine.memtables : { emptyRanges: own },
        turn: { isOld: () => isTurnOld },
      },
      sequence,
    },
    resolved,
  )
  const keys: string[] = []
  let stops = 0
  const sink = {
    lastKey: new Uint8Array(0),
    take({ keyBytes, keyStart, keyEnd }: Pick<Entry, 'keyBytes' | 'keyStart' | 'keyEnd'>): boolean {
      sink.lastKey = keyBytes.slice(keyStart, keyEnd)
      keys.push(Buffer.from(sink.lastKey).toString())
      return keys.length < resolved.limit
    },
  }
  while (scan.fill(sink)) stops++
  return { keys, steps: scan.steps, stops }
}

/** Puts and deletes as one batch. */
async function writeRun(
  store: Store,
  from: number,
  to: number,
  type: 'put' | 'delete',
): Promise<void> {
  const operations = []
  for (let i = from; i < to; i++) {
    const key = keyOf(i)
    operations.push(type === 'put' ? { type, key, value: `${i}` } : { type, key })
  }
  await store.write(operations)
}

for (const reverse of [false, true]) {
  const order = reverse ? 'last' : 'first'
  test(`a queue, ${order} in first out: however many were taken, few entries are looked at`, async () => {
    const store = await openSmallStore(QUIET)
    const STEPS = 3000
    let most = 0
    for (let i = 0; i < STEPS; i++) {
      const at = reverse ? STEPS - i : i
      await store.put(keyOf(at), 'value')
      if (i % 500 === 250) await store.flush()
      if (i % 1000 === 600) await store.compact()
      const { keys, steps } = scanAll(store, { gte: 'job/', reverse, limit: 1 })
      expect(keys).toEqual([keyOf(at)])
      most = Math.max(most, steps)
      await store.delete(keyOf(at))
    }
    // Until sixteen are gone they are passed one by one, each deletion and the put before it.
    expect(most).toBeLessThan(60)
    expect(scanAll(store, { reverse }, { remembers: false }).steps).toBeGreaterThan(500)
  })
}

test('what a queue takes and gives back is found, and a put in a remembered range splits it', async () => {
  const store = await openSmallStore(QUIET)
  await writeRun(store, 0, 2000, 'put')
  await writeRun(store, 0, 1990, 'delete')
  expect(scanAll(store, { limit: 1 }).keys).toEqual([keyOf(1990)])
  for (const back of [700, 0, 1989, 1000]) {
    await store.put(keyOf(back), 'again')
    const { keys, steps } = scanAll(store, { limit: 1 })
    expect(keys).toEqual([keyOf(back)])
    expect(steps).toBeLessThan(60)
    await store.delete(keyOf(back))
    expect(scanAll(store, { limit: 1 }).keys).toEqual([keyOf(1990)])
  }
  expect(scanAll(store, { limit: 1 }).steps).toBeLessThan(10)
})

test('tombstones that lie close are drawn down to what they hide, though no level is full', async () => {
  const store = await openSmallStore({
    collector: { enabled: false },
    tree: { sizeRatio: 4, tableBytes: 65536 },
  })
  const value = Buffer.alloc(90, 1)
  for (let i = 0; i < 6000; i++) void store.put(keyOf(i), value)
  await store.flush()
  await store.compact()
  const { levels } = store.stats()
  expect(levels.length).toBeGreaterThan(2)
  // Four runs of level 0 become one of level 1, which holds many more.
  for (let i = 1000; i < 3000; i += 500) {
    await writeRun(store, i, i + 500, 'delete')
    await store.flush()
  }
  const tombstones = (): number =>
    store.stats().levels.reduce((sum, level) => sum + level.tombstones, 0)
  while (tombstones() > 0) await new Promise((resolve) => setImmediate(resolve))
  expect(scanAll(store, {}, { remembers: false })).toMatchObject({ steps: 4000 })
})

test('older readers see what they saw, and do not rely on what was found later', async () => {
  const store = await openSmallStore(QUIET)
  await writeRun(store, 0, 100, 'put')
  const early = store.snapshot()
  await writeRun(store, 0, 100, 'delete')
  const middle = store.snapshot()
  expect(scanAll(store, {}).keys).toEqual([])
  await store.put(keyOf(50), 'later')
  const sequences = { early: early.sequence, middle: middle.sequence }
  for (const reverse of [false, true]) {
    expect(scanAll(store, { reverse }, { sequence: sequences.early }).keys).toHaveLength(100)
    // It passes a key that has a value for later readers only, and must not remember it as empty.
    expect(scanAll(store, { reverse }, { sequence: sequences.middle }).keys).toEqual([])
    expect(scanAll(store, { reverse }).keys).toEqual([keyOf(50)])
  }
  await store.delete(keyOf(50))
  expect(scanAll(store, {}).keys).toEqual([])
  expect(scanAll(store, {}, { sequence: sequences.early }).keys).toHaveLength(100)
})

test('behind a range delete without an end nothing is passed, both ways', async () => {
  const store = await openSmallStore()
  await writeRun(store, 0, 3000, 'put')
  await store.put('a', 'before all others')
  await store.deleteRange({ gt: 'a' })
  for (const reverse of [false, true]) {
    const { keys, steps } = scanAll(store, { reverse })
    expect(keys).toEqual(['a'])
    expect(steps).toBeLessThan(20)
  }
  // One that is put behind it is seen.
  await store.put('\u{10ffff}', 'last')
  for (const reverse of [false, true]) {
    const { keys, steps } = scanAll(store, { reverse })
    expect(keys.sort()).toEqual(['a', '\u{10ffff}'])
    expect(steps).toBeLessThan(40)
  }
})

test('an older reader that jumps over ranges on both sides of a new key leaves that one out', async () => {
  const store = await openSmallStore(QUIET)
  for (const type of ['put', 'delete'] as const) {
    await writeRun(store, 0, 45, type)
    await writeRun(store, 46, 90, type)
  }
  expect(scanAll(store, {}).keys).toEqual([])
  const { sequence } = store.snapshot()
  await store.put(keyOf(45), 'the first of its key')
  for (const reverse of [false, true]) {
    expect(scanAll(store, { reverse }, { sequence }).keys).toEqual([])
    expect(scanAll(store, { reverse }).keys).toEqual([keyOf(45)])
  }
})

test('many versions of one key cost a seek, not a step each', async () => {
  const store = await openSmallStore(QUIET)
  await store.put('a', '1')
  await store.put('b', 'first')
  const snapshot = store.snapshot()
  for (let i = 0; i < 5000; i++) void store.put('b', `${i}`)
  await store.put('c', '1')
  for (const reverse of [false, true]) {
    for (const sequence of [undefined, snapshot.sequence]) {
      const settings = sequence === undefined ? {} : { sequence }
      const { keys, steps } = scanAll(store, { reverse }, settings)
      const expected = sequence === undefined ? ['a', 'b', 'c'] : ['a', 'b']
      expect(keys).toEqual(reverse ? expected.reverse() : expected)
      expect(steps).toBeLessThan(60)
    }
  }
})

test('a scan that finds nothing for long stops again and again for the event loop to turn', async () => {
  const store = await openSmallStore(QUIET)
  await writeRun(store, 0, 1000, 'put')
  const snapshot = store.snapshot()
  await writeRun(store, 0, 990, 'delete')
  await writeRun(store, 2000, 3000, 'put')
  for (const reverse of [false, true]) {
    const settings = { stops: true, remembers: false }
    const deleted = scanAll(store, { lt: keyOf(2000), reverse }, settings)
    expect(deleted.keys).toHaveLength(10)
    expect(deleted.stops).toBe(15)
    const tooNew = scanAll(
      store,
      { gte: keyOf(995), reverse },
      {
        ...settings,
        sequence: snapshot.sequence,
      },
    )
    expect(tooNew.keys).toHaveLength(5)
    expect(tooNew.stops).toBeGreaterThanOrEqual(15)
  }
})

test('iterators let the event loop turn in a long run of tombstones, and hear their signal there', async () => {
  const store = await openSmallStore(QUIET)
  await writeRun(store, 0, 4000, 'put')
  await writeRun(store, 0, 3999, 'delete')
  // As if each turn had lasted long: no time is measured here.
  vi.spyOn(engineOf(store).turn, 'isOld').mockReturnValue(true)
  let turns = 0
  let counting = true
  const count = (): void => {
    turns++
    if (counting) setImmediate(count)
  }
  setImmediate(count)
  const abort = new AbortController()
  const iterators = {
    next: store.keys({ signal: abort.signal }),
    many: store.entries({ signal: abort.signal }),
    seek: store.values({ signal: abort.signal, reverse: true, lt: keyOf(3999) }),
  }
  iterators.seek.seek(keyOf(3990))
  const waiting = [iterators.next.next(), iterators.many.nextMany(10), iterators.seek.next()]
  const results = Promise.allSettled(waiting)
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve))
  abort.abort()
  for (const result of await results) {
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'WISC_ABORTED' } })
  }
  expect(turns).toBeLessThan(40)
  turns = 0
  const iterator = store.keys()
  expect(String((await iterator.next()).value)).toBe(keyOf(3999))
  expect(turns).toBeGreaterThan(10)
  counting = false
})

test('getMany of many keys lets the event loop turn, and is of one moment all the same', async () => {
  const store = await openSmallStore(QUIET)
  await writeRun(store, 0, 3000, 'put')
  const { turn, readers } = engineOf(store)
  const keys = Array.from({ length: 3000 }, (_, i) => keyOf(i))
  // The turn is old when the first slice has been read: the second one waits until all of them are gone.
  let goOn: (() => void) | undefined
  vi.spyOn(turn, 'isOld').mockReturnValueOnce(true)
  vi.spyOn(turn, 'later').mockImplementationOnce((action) => {
    goOn = action
  })
  const getting = store.getMany(keys)
  while (!goOn) await new Promise((resolve) => setImmediate(resolve))
  await writeRun(store, 0, 3000, 'delete')
  await store.compact()
  goOn()
  expect((await getting).map(String)).toEqual(keys.map((_, i) => String(i)))
  expect(readers.count).toBe(0)
  expect(await store.getMany(keys)).toEqual(keys.map(() => undefined))
  const abort = new AbortController()
  vi.spyOn(turn, 'isOld').mockImplementationOnce(() => {
    abort.abort()
    return false
  })
  await expect(store.getMany(keys, { signal: abort.signal })).rejects.toMatchObject({
    code: 'WISC_ABORTED',
  })
  expect(readers.count).toBe(0)
  const late = expect(store.getMany(keys)).rejects.toMatchObject({ code: 'WISC_NOT_OPEN' })
  await store.close()
  await late
})

test('the answers of scans are the same with and without remembered ranges, and those of a sorted map', async () => {
  const prng = new Prng(seed)
  const KEYS = 300
  for (let round = 0; round < 3; round++) {
    const store = await openSmallStore({
      collector: { enabled: false },
      tree: { sizeRatio: 4, tableBytes: 4096, blockBytes: 256 },
    })
    const model = new Set<number>()
    const held: { readonly snapshot: Snapshot; readonly keys: Set<number> }[] = []
    const check = (keys: ReadonlySet<number>, sequence: number | undefined): void => {
      const from = prng.below(KEYS)
      const to = from + prng.below(KEYS)
      const reverse = prng.chance(0.5)
      const limit = prng.chance(0.5) ? 1 + prng.below(3) : 1000
      const range: RangeOptions = { gte: keyOf(from), lt: keyOf(to), reverse, limit }
      const expected = [...keys].filter((key) => key >= from && key < to)
      expected.sort((left, right) => (reverse ? right - left : left - right))
      const wanted = expected.slice(0, limit).map(keyOf)
      const at = sequence === undefined ? {} : { sequence }
      const stops = prng.chance(0.5)
      expect(scanAll(store, range, { ...at, stops }).keys, hint).toEqual(wanted)
      expect(scanAll(store, range, { ...at, stops, remembers: false }).keys, hint).toEqual(wanted)
    }
    for (let step = 0; step < 250; step++) {
      const what = prng.below(12)
      const from = prng.below(KEYS)
      const to = Math.min(KEYS, from + 1 + prng.below(what < 3 ? 120 : 4))
      if (what < 3) {
        await writeRun(store, from, to, 'delete')
        for (let key = from; key < to; key++) model.delete(key)
      } else if (what < 7) {
        await writeRun(store, from, to, 'put')
        for (let key = from; key < to; key++) model.add(key)
      } else if (what === 7) held.push({ snapshot: store.snapshot(), keys: new Set(model) })
      else if (what === 8) held.shift()?.snapshot.close()
      else if (what === 9 && prng.chance(0.3)) await store.compact()
      else if (what === 10) await store.flush()
      check(model, undefined)
      for (const { snapshot, keys } of held) check(keys, snapshot.sequence)
    }
    await store.close()
  }
})

for (const reverse of [false, true]) {
  const order = reverse ? 'backward' : 'forward'
  test(`what is put while an iterator waits is not remembered as deleted by it, ${order}`, async () => {
    const prng = new Prng(seed)
    for (const flushed of [false, true]) {
      const store = await openSmallStore(QUIET)
      await writeRun(store, 0, 2000, 'put')
      await writeRun(store, 0, 2000, 'delete')
      const model = new Set<number>()
      for (let key = 0; key < 2000; key += 19) model.add(key)
      for (const key of model) await store.put(keyOf(key), 'kept')
      // The cursor of the iterator stands on tombstones of tables, too, with memtables beside them.
      if (flushed) await store.flush()
      await store.put('zzz', 'of the memtable')
      const iterator = store.keys({ reverse, lt: 'k' })
      for (;;) {
        const [last] = (await iterator.nextMany(16)).slice(-1)
        if (last === undefined) break
        // Just where it goes on, and somewhere further on.
        const at = Number(last.toString().slice(4))
        for (const distance of [1, 1 + prng.below(40)]) {
          const key = reverse ? at - distance : at + distance
          if (key < 0 || key >= 2000) continue
          await store.put(keyOf(key), 'new')
          model.add(key)
        }
      }
      const expected = [...model].sort((left, right) => left - right).map(keyOf)
      expect(scanAll(store, { lt: 'k', reverse: true }).keys, hint).toEqual([...expected].reverse())
      expect(scanAll(store, { lt: 'k' }).keys, hint).toEqual(expected)
      await store.close()
    }
  })
}
