/**
 * Readers beside a writer: no false alarm, nothing missing, nothing wrong, whatever the writer does between any two
 * calls of a reader; and what is damaged is said to be damaged, also beside a writer.
 */
import { beforeAll, describe, expect, test } from 'vitest'
import { CorruptionError, IoError, WiscError } from '#dist/lib/base/errors.js'
import type { Options } from '#dist/lib/contract/options.js'
import { Attempts, placeOf, readFromCurrent, staleView } from '#dist/lib/reads/read-again.js'
import { openStore } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import { DIRECTORY } from '../../support/crash/recover-image.ts'
import type { DiskImage } from '../../support/files/disk-model.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { HistoryFileSystem, recordHistory } from '../../support/files/history-file-system.ts'
import { Prng, replayHint, seededRandom, testSeed } from '../../support/random.ts'
import { settled } from '../../support/store/settled.ts'

describe('attempts', () => {
  const damage = (offset: number): CorruptionError =>
    new CorruptionError('000001.vlog', offset, 'bad')

  test('what fails twice in the same place is damage, whatever failed in between', () => {
    const attempts = new Attempts()
    attempts.again(damage(1))
    attempts.again(new IoError('open', '/db/000002.sst', 'ENOENT'))
    attempts.again(staleView(damage(2)))
    expect(() => attempts.again(damage(1))).toThrow('bad file=000001.vlog offset=1')
    expect(() => attempts.again(staleView(damage(2)))).toThrow('bad file=000001.vlog offset=2')
  })

  test('what no writer causes is no reason to read again', () => {
    const refused = new IoError('read', '/db/000001.vlog', 'EIO')
    expect(() => new Attempts().again(refused)).toThrow(refused)
    const closed = new WiscError('WISC_NOT_OPEN', 'closed')
    expect(() => new Attempts().again(closed)).toThrow(closed)
  })

  test('a writer that is always faster makes the view stale, not damaged', () => {
    let count = 0
    const read = (): never => {
      throw damage(count++)
    }
    expect(() => readFromCurrent(read)).toThrow(expect.objectContaining({ code: 'WISC_STALE' }))
    expect(count).toBeGreaterThan(10)
  })

  test('of several things all must have been seen before', () => {
    const attempts = new Attempts()
    expect(attempts.areNew([damage(1), damage(2)])).toBe(true)
    expect(attempts.areNew([damage(1), damage(3)])).toBe(true)
    expect(attempts.areNew([damage(3), damage(1)])).toBe(false)
    expect(attempts.areNew([])).toBe(false)
    expect(placeOf(damage(3))).toBe('000001.vlog 3')
  })
})

const seed = testSeed()
const KEYS = 40
const OPTIONS: Options = {
  workers: 0,
  segmentBytes: 262_144,
  memtableBytes: 524_288,
  // Holes are made in values of 17,000 bytes, inline ones, too.
  valueThreshold: 20_000,
  blockCacheBytes: 65536,
  tree: { sizeRatio: 3, tableBytes: 4096, blockBytes: 512 },
  collector: { enabled: false },
}

function keyOf(i: number): string {
  return `key${String(i).padStart(2, '0')}`
}

/** A key has the same value for ever, so that every state of the store shows the same. */
function contentOf(i: number): Buffer {
  return Buffer.alloc([30, 900, 17_000, 24_000, 17_000][i % 5]!, `${keyOf(i)};`)
}

/** A writer puts, flushes, compacts, drops, punches, rewrites, closes and opens again, and every step is kept. */
async function makeHistory(): Promise<DiskImage[]> {
  const fileSystem = new FaultFileSystem({ seed })
  const prng = new Prng(seed)
  const random = seededRandom(seed)
  const open = (): Promise<Store> => openStore(DIRECTORY, OPTIONS, { fileSystem, random })
  let store = await open()
  for (let i = 0; i < KEYS; i++) await store.put(keyOf(i), contentOf(i))
  const states = recordHistory(fileSystem)
  for (let round = 0; round < 14; round++) {
    for (let n = 0; n < 14; n++) {
      const i = prng.below(KEYS)
      await store.put(keyOf(i), contentOf(i))
    }
    if (round % 3 === 0) await store.flush()
    else if (round % 3 === 1) await store.compact()
    const copies = round % 4 === 1 ? { maxCopyBytes: 0 } : {}
    if (round % 2 === 1) await store.collect({ targetSpaceAmplification: 1, ...copies })
    if (round !== 8) continue
    await store.close()
    store = await open()
  }
  await store.close()
  await settled(fileSystem)
  states.push(fileSystem.visibleImage())
  return states
}

let states: DiskImage[]

beforeAll(async () => {
  states = await makeHistory()
})

/** What may end with WISC_STALE, because it is bound to a view. @returns false if it did */
async function inView(work: () => Promise<void>): Promise<boolean> {
  try {
    await work()
    return true
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'WISC_STALE') throw error
    return false
  }
}

function requireContent(i: number, value: Buffer | undefined): void {
  if (!value?.equals(contentOf(i))) throw new Error(`wrong value of ${keyOf(i)}: ${value?.length}`)
}

/** Everything that a reader can do. Throws for false alarms and wrong values. */
async function readEverything(store: Store, prng: Prng): Promise<void> {
  const some = (): number => prng.below(KEYS)
  const actions: (() => Promise<unknown>)[] = [
    async () => {
      const i = some()
      requireContent(i, await store.get(keyOf(i)))
    },
    async () => {
      const i = some()
      requireContent(i, store.getSync(keyOf(i)))
    },
    async () => {
      const all = Array.from({ length: KEYS }, (_, i) => i)
      const values = await store.getMany(all.map(keyOf))
      for (const i of all) requireContent(i, values[i])
    },
    async () => expect(await store.has(keyOf(some()))).toBe(true),
    async () => expect((await store.stat(keyOf(some())))?.size).toBeGreaterThan(0),
    async () => expect(store.segments().length).toBeGreaterThan(0),
    async () => expect(store.stats().lastSequence).toBeGreaterThanOrEqual(KEYS),
    async () => expect((await store.verify({ deep: prng.chance(0.5) })).damage).toEqual([]),
    async () => expect((await store.planCollection()).steps).toBeDefined(),
    () =>
      inView(async () => {
        let i = 0
        for await (const [, value] of store.entries()) requireContent(i++, value)
        expect(i).toBe(KEYS)
      }),
    () =>
      inView(async () => {
        const snapshot = store.snapshot()
        for (let n = 0; n < 4; n++) {
          const i = some()
          requireContent(i, await store.get(keyOf(i), { snapshot }))
        }
        snapshot.close()
      }),
  ]
  for (let n = 0; n < 2 * actions.length; n++) await prng.pick(actions)()
}

async function run(steps: () => number, prng: Prng): Promise<HistoryFileSystem> {
  const fileSystem = new HistoryFileSystem(states, steps)
  const store = await openStore(DIRECTORY, { ...OPTIONS, readOnly: true }, { fileSystem })
  await readEverything(store, prng)
  await store.close()
  expect(fileSystem.openFiles).toBe(0)
  return fileSystem
}

describe(`beside a writer, ${replayHint(seed)}`, () => {
  /** Opens while the history goes from one state to another before the nth call. @returns false if there were fewer */
  async function openDuring(nth: number, from: number, to: number): Promise<boolean> {
    let left = nth
    const fileSystem = new HistoryFileSystem(states, () => (--left === 0 ? to - from : 0), from)
    const store = await openStore(DIRECTORY, { ...OPTIONS, readOnly: true }, { fileSystem })
    const values = await store.getMany(Array.from({ length: KEYS }, (_, i) => keyOf(i)))
    for (const [i, value] of values.entries()) requireContent(i, value)
    await store.close()
    return left <= 0
  }

  test('I11: that has flushed and punched what an open reads, between any two of its calls', async () => {
    const punched = states.findIndex(({ holes }) => (holes?.size ?? 0) > 0)
    expect(punched).toBeGreaterThan(0)
    for (let nth = 1; await openDuring(nth, 0, punched + 2); nth++);
  })

  test('I11: that does anything at once, between any two calls of an open', async () => {
    const prng = new Prng(seed)
    for (let nth = 1; ; nth += 1 + prng.below(2)) {
      const to = prng.below(states.length)
      if (!(await openDuring(nth, prng.below(to + 1), to)) && nth > 60) break
    }
  })

  test('I11: that goes on step by step, at any speed', async () => {
    for (let n = 0; n < 50; n++) {
      const prng = new Prng(seed + n)
      const speed = prng.pick([0.02, 0.1, 0.5, 3])
      const jump = prng.chance(0.5) ? 0.01 : 0
      await run(
        () => (prng.chance(jump) ? prng.below(200) : Math.floor(speed + prng.below(100) / 100)),
        prng.fork(),
      )
    }
  })
})

test('what is damaged is said to be damaged, beside a writer as well', async () => {
  const first = states[0]!
  const [name, bytes] = [...states.at(-1)!.files].find(([path]) => path.endsWith('.sst'))!
  const broken = bytes.slice()
  broken[200]! ^= 1
  const damaged = states.map(({ files, ...image }) =>
    files.has(name) ? { ...image, files: new Map(files).set(name, broken) } : { ...image, files },
  )
  expect(first.files.has(name)).toBe(false)
  const fileSystem = new HistoryFileSystem(damaged, () => 3)
  const store = await openStore(DIRECTORY, { ...OPTIONS, readOnly: true }, { fileSystem })
  while (!fileSystem.isOver) fileSystem.statPath('/')
  const report = await store.verify()
  expect(report.damage.map(({ message }) => message).join()).toContain(name.slice(4))
  const failures = await Promise.allSettled(
    Array.from({ length: KEYS }, (_, i) => store.get(keyOf(i))),
  )
  const codes = failures.map((one) => (one.status === 'rejected' ? one.reason.code : 'fine'))
  expect(new Set(codes)).toEqual(new Set(['WISC_CORRUPTION', 'fine']))
  const scans = await Promise.allSettled([store.entries().nextMany(100)])
  expect(scans[0]).toMatchObject({ reason: { code: 'WISC_CORRUPTION' } })
  await store.close()
})
