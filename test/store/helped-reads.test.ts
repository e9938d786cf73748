/** Batches that a thread helps to read, while everything moves: overwrites, relocations, holes, unlinked files. */
import { expect, test } from 'vitest'
import { threadReadHelper } from '#dist/lib/base/platform/read-helper.js'
import { openStore } from '#dist/lib/store/open-store.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { Prng, replayHint, testSeed } from '../support/random.ts'

const KEYS = 400
const ROUNDS = 15

/** Says whose it is, from the first byte to the last. */
function madeFor(key: string, round: number, length: number): Buffer {
  return Buffer.alloc(length, `${key}:${round};`)
}

test('I5, I8: every value is the one that was put last', async () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  const options = {
    segmentBytes: 1048576,
    memtableBytes: 65536,
    valueThreshold: 300,
    collector: { targetSpaceAmplification: 1.2 },
  }
  const store = await openStore(temporaryDirectory(), options)
  const keys = Array.from({ length: KEYS }, (_, i) => `key ${String(i).padStart(3, '0')}`)
  const values = new Map<string, Buffer>()
  const put = (key: string, round: number): Promise<void> => {
    values.set(key, madeFor(key, round, prng.pick([400, 1000, 4000, 9000, 40_000])))
    return store.put(key, values.get(key)!)
  }
  await Promise.all(keys.map((key) => put(key, 0)))
  // No neighbours: these would be read in one go, and few reads are not worth any help.
  const some = keys.filter((_, i) => i % 3 === 0)
  // On one core there is no help.
  while (!threadReadHelper.isReady && !threadReadHelper.isUseless) {
    await store.getMany(some)
    await new Promise(setImmediate)
  }
  for (let round = 1; round <= ROUNDS; round++) {
    const asked = Array.from({ length: 150 }, () => prng.pick(keys))
    const many = await store.getMany(asked)
    for (const [i, key] of asked.entries()) {
      expect(many[i]?.equals(values.get(key)!), `${key} ${replayHint(seed)}`).toBe(true)
    }
    // What an iterator sees stays as it was, whatever is written while it goes on.
    const seen = new Map(values)
    let writes: Promise<unknown>[] = []
    for await (const [key, value] of store.entries()) {
      if (writes.length === 0)
        writes = Array.from({ length: 20 }, () => put(prng.pick(keys), round))
      expect(value.equals(seen.get(key.toString())!), `${key} ${replayHint(seed)}`).toBe(true)
    }
    await Promise.all(writes)
    const what = prng.below(6)
    if (what === 0) await store.flush()
    else if (what === 1) await store.collect({ targetSpaceAmplification: 1 })
    else if (what === 2) await store.collect({ targetSpaceAmplification: 1, maxCopyBytes: 0 })
  }
  await store.close()
})
