/** I9: figures that follow what changes are those that are made anew, after any history. */
import { expect, onTestFinished, test } from 'vitest'
import type { Engine } from '#dist/lib/engine/engine.js'
import { type Space, SpaceAccount } from '#dist/lib/space/space.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import type { Store } from '#dist/lib/store/store.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'
import { startClock, stopClock } from '../../support/stopped-clock.ts'
import { CollectedStore, keyOf } from '../../support/store/collected-store.ts'

const seed = testSeed()
const KEYS = 300

/** Calls of the file system. */
interface Counts {
  stat: number
  list: number
  open: number
}

function writerOf(store: Store): Engine {
  return engineOf(store) as Engine
}

/** Everything asked for once more, by an account that has seen nothing before. */
function recounted(engine: Engine): Space {
  const { context, version, memtables, tables, cache, values, readers, tree } = engine
  const files = { version, allocated: new Map(), others: [], nextNumber: version.nextFileNumber }
  const view = { context, version, memtables, tables, cache, values, readers, tree, files }
  const account = new SpaceAccount({ ...view, writtenEnd: (segment) => engine.writtenEnd(segment) })
  return account.measure()
}

test('after random histories the figures of all files are those of a recount', async () => {
  // Figures say for which moment they are.
  stopClock()
  onTestFinished(startClock)
  const prng = new Prng(seed)
  for (const punchHoles of [true, false]) {
    const opened = await CollectedStore.open({
      segmentBytes: 32_768,
      memtableBytes: 65_536,
      valueThreshold: 100,
      collector: { enabled: false, punchHoles },
    })
    const { store } = opened
    for (let i = 0; i < 40; i++) {
      for (let n = prng.below(40); n > 0; n--) {
        const key = keyOf(prng.below(KEYS))
        if (prng.chance(0.1)) await opened.delete(key)
        else await opened.put(key, prng.pick([10, 500, 3000, 9000]))
      }
      if (prng.chance(0.3)) await store.flush()
      if (prng.chance(0.15)) await store.compact()
      if (prng.chance(0.15)) await store.collect()
      // Other moments than those of the next look.
      if (prng.chance(0.5)) continue
      const engine = writerOf(store)
      const { space } = engine
      while (prng.chance(0.5) && space.measureInTurns() === undefined);
      await engine.unlinker.ended()
      const { files, ...sums } = space.measure()
      const { files: filesAnew, ...sumsAnew } = recounted(engine)
      const byNumber = new Map(filesAnew.map((file) => [file.number, file]))
      for (const { referencedBytesAtPunch: _at, ...file } of files) {
        expect(file, replayHint(seed)).toEqual(byNumber.get(file.number))
      }
      expect(files.length, replayHint(seed)).toBe(filesAnew.length)
      expect(sums, replayHint(seed)).toEqual(sumsAnew)
    }
    await opened.finish()
  }
})

test('a look takes several turns where there is much, and comes to an end while writes go on', async () => {
  const opened = await CollectedStore.open({
    segmentBytes: 4096,
    memtableBytes: 16_777_216,
    valueThreshold: 100,
    collector: { enabled: false },
  })
  // Segments that are all at the end of the log, more than one turn takes.
  for (let i = 0; i < 2100; i++) await opened.put(keyOf(i), 2000)
  const engine = writerOf(opened.store)
  let turns = 1
  for (let space = engine.space.measureInTurns(); space === undefined; turns++) {
    await opened.put(keyOf(turns), 2000)
    space = engine.space.measureInTurns()
    expect(turns).toBeLessThan(20)
  }
  expect(turns).toBeGreaterThan(1)
  expect(engine.space.measure().files).toEqual(recounted(engine).files)
  await opened.finish()
})

test('what is asked of the file system does not grow with the number of files', async () => {
  const calls: Counts[] = []
  for (const segments of [50, 1000]) {
    const opened = await CollectedStore.open({
      segmentBytes: 4096,
      valueThreshold: 100,
      collector: { enabled: false },
    })
    const { fileSystem } = opened
    for (let i = 0; i < segments; i++) await opened.put(keyOf(i), 2000)
    await opened.store.flush()
    const counted = (): Counts => {
      const counts = { stat: 0, list: 0, open: 0 }
      fileSystem.onCall = ({ kind }) => {
        if (kind === 'stat' || kind === 'list' || kind === 'open') counts[kind]++
      }
      return counts
    }
    await opened.store.close()
    const atOpen = counted()
    await opened.reopen()
    // Each file of the version is asked for once, and each name is read once.
    const files = opened.store.segments().length + opened.store.stats().tables
    calls.push({ ...atOpen, stat: atOpen.stat - files })
    const atStats = counted()
    opened.store.stats()
    calls.push(atStats)
    await opened.put(keyOf(1), 2000)
    const atLook = counted()
    while (writerOf(opened.store).space.measureInTurns() === undefined);
    calls.push(atLook)
    fileSystem.onCall = () => undefined
    await opened.finish()
  }
  const [fewAtOpen, fewAtStats, fewAtLook, manyAtOpen, ...many] = calls as [Counts, ...Counts[]]
  expect(fewAtOpen.list).toBe(1)
  expect(manyAtOpen!.list).toBe(1)
  // A table more or less.
  expect(Math.abs(manyAtOpen!.open - fewAtOpen.open)).toBeLessThan(5)
  expect(Math.abs(manyAtOpen!.stat - fewAtOpen.stat)).toBeLessThan(5)
  expect(many).toEqual([fewAtStats, fewAtLook])
  for (const counts of many) expect(counts).toMatchObject({ list: 0, open: 0 })
})

test('an open gathers the figures of a large store, so that stats need not', async () => {
  const opened = await CollectedStore.open({
    segmentBytes: 4096,
    memtableBytes: 16_777_216,
    valueThreshold: 100,
    collector: { enabled: false },
  })
  for (let i = 0; i < 2100; i++) await opened.put(keyOf(i), 3000)
  await opened.closeAndReopen()
  const { store, fileSystem } = opened
  const opens: string[] = []
  fileSystem.onCall = ({ kind, path }) => {
    if (kind === 'open') opens.push(path)
  }
  const { exposedGarbageBytes, liveBytes, diskBytes } = store.stats()
  // No table had to be opened for what they refer to.
  expect(opens).toEqual([])
  expect({ exposedGarbageBytes, liveBytes, diskBytes }).toEqual({
    exposedGarbageBytes: recounted(writerOf(store)).exposedGarbageBytes,
    liveBytes: recounted(writerOf(store)).liveBytes,
    diskBytes,
  })
  fileSystem.onCall = () => undefined
  await opened.finish()
})
