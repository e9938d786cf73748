/** Salvage against a model of what must be saved, for every part that a store can lose. */
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { open } from '#dist/lib/index.js'
import { Salvage } from '#dist/lib/inspect/salvage/salvage.js'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'
import {
  filesLike,
  flipByte,
  type InspectedOptions,
  type InspectedStore,
  kindOf,
  makeInspectedStore,
  stateOf,
} from '../../../support/store/inspected-store.ts'

interface Salvaged {
  readonly values: Map<string, Buffer>
  readonly stale: Set<string>
  readonly lost: string[]
  readonly damaged: string[]
  readonly mayMissNewer: boolean
}

async function salvage(directory: string): Promise<Salvaged> {
  const before = stateOf(directory)
  const found = new Salvage(directory)
  for (const _bytes of found.readSlices());
  const values = new Map<string, Buffer>()
  const stale = new Set<string>()
  for await (const { key, value, mayBeStale } of found.entries()) {
    values.set(key.toString(), Buffer.from(value as Uint8Array))
    if (mayBeStale) stale.add(key.toString())
  }
  found.close()
  expect(stateOf(directory), 'I11: it writes nothing').toEqual(before)
  const lost = found.lost.map(({ key }) => key.toString())
  const damaged = found.damage.map(({ file }) => file)
  return { values, stale, lost, damaged, mayMissNewer: found.mayMissNewer }
}

/** What holds whatever is damaged: nothing is wrong, what may be old says so, nothing is lost without a word. */
function check(store: InspectedStore, salvaged: Salvaged, hint = ''): void {
  const { model, history } = store
  const { values, stale, lost, mayMissNewer } = salvaged
  for (const [key, value] of values) {
    expect(
      history.get(key)?.has(value.toString('hex')),
      `${key} never had this value ${hint}`,
    ).toBe(true)
    if (!stale.has(key) && !mayMissNewer) {
      expect(model.get(key)?.equals(value), `${key} is old, and not said to be ${hint}`).toBe(true)
    }
  }
  for (const key of lost) expect(values.has(key), `${key} is lost and saved ${hint}`).toBe(false)
}

function expectAll(store: InspectedStore, salvaged: Salvaged): void {
  check(store, salvaged)
  const wrong = [...store.model].filter(([key, value]) => !salvaged.values.get(key)?.equals(value))
  expect(wrong.map(([key]) => key)).toEqual([])
  expect([...salvaged.values.keys()].sort()).toEqual([...store.model.keys()].sort())
  expect(salvaged.lost).toEqual([])
}

const KINDS: readonly [string, InspectedOptions][] = [
  ['as it was written', {}],
  ['collected', { collect: true }],
  ['after a crash', { crash: true }],
  ['collected, after a crash', { collect: true, crash: true }],
]

function remove(directory: string, pattern: RegExp): void {
  for (const name of filesLike(directory, pattern)) fs.rmSync(path.join(directory, name))
}

describe.each(KINDS)('a store %s', (_, options) => {
  test('whole: everything, and nothing may be stale', async () => {
    const store = await makeInspectedStore(options)
    const salvaged = await salvage(store.directory)
    expectAll(store, salvaged)
    expect([salvaged.stale.size, salvaged.mayMissNewer]).toEqual([0, false])
    expect(salvaged.damaged).toEqual([])
  })

  test('without CURRENT: everything', async () => {
    const store = await makeInspectedStore(options)
    remove(store.directory, /^CURRENT$/)
    const salvaged = await salvage(store.directory)
    expectAll(store, salvaged)
    expect([salvaged.damaged, salvaged.stale.size]).toEqual([['CURRENT'], 0])
    expect(salvaged.mayMissNewer).toBe(false)
  })

  test('without manifest: every key that lives has its value', async () => {
    const store = await makeInspectedStore(options)
    remove(store.directory, /^MANIFEST/)
    const salvaged = await salvage(store.directory)
    check(store, salvaged)
    expect(salvaged.lost).toEqual([])
    for (const [key, value] of store.model) expect(salvaged.values.get(key)).toEqual(value)
  })

  test('a truncated table: what it held comes from the log, and may be stale', async () => {
    const store = await makeInspectedStore(options)
    const names = filesLike(store.directory, /sst$/)
    for (const name of [names[0]!, names.at(-1)!]) {
      const copy = fs.readFileSync(path.join(store.directory, name))
      fs.truncateSync(path.join(store.directory, name), copy.length - 40)
      const salvaged = await salvage(store.directory)
      check(store, salvaged)
      expect(salvaged.damaged).toContain(name)
      if (!options.collect) {
        for (const [key, value] of store.model) expect(salvaged.values.get(key)).toEqual(value)
      }
      fs.writeFileSync(path.join(store.directory, name), copy)
    }
  })

  test('one damaged block of a table: the others count as before', async () => {
    const store = await makeInspectedStore(options)
    const name = filesLike(store.directory, /sst$/)[0]!
    flipByte(store.directory, name, 70)
    const salvaged = await salvage(store.directory)
    check(store, salvaged)
    expect(salvaged.damaged).toEqual([name])
    expect(salvaged.stale.size).toBeLessThan(store.model.size / 2)
  })

  test('a missing file of values: exactly its separated values are lost', async () => {
    const store = await makeInspectedStore(options)
    const names = filesLike(store.directory, /vlog$/)
    const segment = names.find((name) =>
      [...store.segments.values()].includes(Number.parseInt(name, 10)),
    )!
    remove(store.directory, new RegExp(segment))
    const number = Number.parseInt(segment, 10)
    const gone = [...store.segments].filter(([, each]) => each === number).map(([key]) => key)
    const salvaged = await salvage(store.directory)
    expect(salvaged.damaged).toContain(segment)
    if (!options.crash) {
      expect(salvaged.lost.sort()).toEqual(gone.sort())
      check(store, salvaged)
    } else for (const key of salvaged.lost) expect(gone).toContain(key)
  })

  test('a damaged value: that key alone is lost', async () => {
    const store = await makeInspectedStore(options)
    const [key, value] = [...store.model].find(
      ([name, bytes]) => bytes.length === 5000 && store.segments.has(name),
    )!
    const name = filesLike(store.directory, /vlog$/).find((each) =>
      fs.readFileSync(path.join(store.directory, each)).includes(value),
    )!
    const at = fs.readFileSync(path.join(store.directory, name)).indexOf(value)
    flipByte(store.directory, name, at + 2000)
    const salvaged = await salvage(store.directory)
    check(store, salvaged)
    expect(salvaged.lost).toEqual([key])
    expect(salvaged.mayMissNewer).toBe(false)
    expect(salvaged.values.size).toBe(store.model.size - 1)
  })
})

test('everything but the value log is gone: all of it, while nothing was collected', async () => {
  for (const crash of [false, true]) {
    const store = await makeInspectedStore({ crash })
    remove(store.directory, /^(?!.*vlog$)/)
    const salvaged = await salvage(store.directory)
    expectAll(store, salvaged)
    expect(salvaged.stale.size).toBe(store.model.size)
  }
})

test('only relocations and the log are left: what is dead is not brought back as certain', async () => {
  const store = await makeInspectedStore({ collect: true })
  const relocations = filesLike(store.directory, /vlog$/).filter(
    (name) => kindOf(store.directory, name) === 5,
  )
  expect(relocations.length).toBeGreaterThan(0)
  remove(store.directory, /^(?!.*vlog$)/)
  const salvaged = await salvage(store.directory)
  check(store, salvaged)
  for (const [key] of store.segments) expect(salvaged.values.get(key)).toEqual(store.model.get(key))
})

test('damaged headers of segments and frames: records behind them are found', async () => {
  const store = await makeInspectedStore({ crash: true })
  remove(store.directory, /^(?!.*vlog$)/)
  for (const name of filesLike(store.directory, /vlog$/)) {
    if (fs.statSync(path.join(store.directory, name)).size < 200) continue
    // The magic of the file, and that of the first frame.
    flipByte(store.directory, name, 3)
    flipByte(store.directory, name, 97)
  }
  expectAll(store, await salvage(store.directory))
})

test.each(['in the middle', 'at the end'])(
  'a value that holds another log brings none of its records: %s',
  async (place) => {
    const other = await makeInspectedStore({ seed: 7, crash: true })
    const log = filesLike(other.directory, /vlog$/)
      .map((name) => fs.readFileSync(path.join(other.directory, name)))
      .find((bytes) => bytes.length > 20_000)!
    const directory = `${other.directory}-outer`
    const outer = await open(directory, { workers: 0, segmentBytes: 1024 * 1024 })
    await outer.put('before', 'a')
    await outer.put('log', log)
    if (place === 'in the middle') await outer.put('after', 'b')
    await outer.close()
    remove(directory, /^(?!.*vlog$)/)
    const [name] = filesLike(directory, /vlog$/)
    const at = fs.readFileSync(path.join(directory, name!)).indexOf(log)
    // The heads of the record that holds the log, and of its frame.
    flipByte(directory, name!, at - 10)
    flipByte(directory, name!, at - 3 - 40 - 64 + 10)
    const { values } = await salvage(directory)
    const kept = place === 'in the middle' ? ['after', 'before'] : ['before']
    expect([...values.keys()].sort()).toEqual(kept)
  },
)

test('bytes flipped anywhere never bring a wrong value', async () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  for (let round = 0; round < 12; round++) {
    const options = {
      seed: prng.u32(),
      keys: 60,
      collect: prng.chance(0.5),
      crash: prng.chance(0.5),
    }
    const store = await makeInspectedStore(options)
    const names = filesLike(store.directory, /./)
    for (let flips = 1 + prng.below(6); flips > 0; flips--) {
      const name = prng.pick(names)
      const { size } = fs.statSync(path.join(store.directory, name))
      if (size > 0) flipByte(store.directory, name, prng.below(size))
    }
    if (prng.chance(0.3)) fs.rmSync(path.join(store.directory, prng.pick(names)))
    try {
      check(store, await salvage(store.directory), replayHint(seed))
    } catch (error) {
      throw new Error(`round ${round}, ${JSON.stringify(options)}, ${replayHint(seed)}`, {
        cause: error,
      })
    }
  }
})
