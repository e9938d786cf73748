/** I9: figures that follow what changes are those that are made anew, after any history. */
import { expect, test } from 'vitest'
import type { Engine } from '#dist/lib/engine/engine.js'
import { type Space, SpaceAccount } from '#dist/lib/space/space.js'
import { Store } from '#dist/lib/store/store.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'
import { CollectedStore, keyOf } from '../../support/store/collected-store.ts'

const seed = testSeed()
const KEYS = 300

function engineOf(store: Store): Engine {
  return Store.engineOf(store) as Engine
}

/** Everything asked for once more, by an account that has seen nothing before. */
function recounted(engine: Engine): Space {
  const { context, version, memtables, tables, cache, readers } = engine
  const files = { version, allocated: new Map(), others: [], nextNumber: version.nextFileNumber }
  const view = { context, version, memtables, tables, cache, readers, files }
  const account = new SpaceAccount({ ...view, writtenEnd: (segment) => engine.writtenEnd(segment) })
  return account.measure()
}

test('after random histories the figures of all files are those of a recount', async () => {
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
      const engine = engineOf(store)
      const { space } = engine
      while (prng.chance(0.5) && space.measureInSteps() === undefined);
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
