/** Iterators of transactions: the snapshot with own writes merged in, as a sorted map has them. */
import { expect, test } from 'vitest'
import type { StoreIterator } from '#dist/lib/contract/types.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'
import { openSmallStore } from '../../support/store/fault-store.ts'

const seed = testSeed()
const KEYS = Array.from({ length: 40 }, (_, i) => Buffer.from(`k${i}`)).sort(Buffer.compare)

interface Walk {
  readonly reverse: boolean
  readonly lower: number
  readonly upper: number
  readonly limit: number | undefined
}

/** What is left of a walk behind `from`, which is included or not. */
function rest(model: Map<number, string>, walk: Walk, from: number, included: boolean): number[] {
  const inside = [...model.keys()].filter((key) => key >= walk.lower && key <= walk.upper)
  const behind = inside.filter((key) =>
    walk.reverse
      ? key < from || (included && key === from)
      : key > from || (included && key === from),
  )
  return behind.sort((left, right) => (walk.reverse ? right - left : left - right))
}

test(`each step gives what the map has now, both ways, beside own writes; ${replayHint(seed)}`, async () => {
  const prng = new Prng(seed)
  for (let round = 0; round < 60; round++) {
    const store = await openSmallStore()
    const model = new Map<number, string>()
    for (let i = 0; i < 30; i++) {
      const key = prng.below(KEYS.length)
      const value = String(prng.u32()).repeat(prng.pick([1, 30]))
      await store.put(KEYS[key]!, value)
      model.set(key, value)
      if (prng.chance(0.1)) await store.flush()
    }
    await store.transaction(async (tx) => {
      const write = (): void => {
        const key = prng.below(KEYS.length)
        if (prng.chance(0.5)) {
          tx.delete(KEYS[key]!)
          model.delete(key)
        } else {
          tx.put(KEYS[key]!, `own ${round}`)
          model.set(key, `own ${round}`)
        }
      }
      for (let i = prng.below(30); i > 0; i--) write()
      for (let i = 0; i < 4; i++) {
        const [lower, upper] = [prng.below(20), 20 + prng.below(20)]
        const limit = prng.chance(0.5) ? prng.below(12) : undefined
        const walk: Walk = { reverse: prng.chance(0.5), lower, upper, limit }
        const bounds = { gte: KEYS[lower]!, lte: KEYS[upper]!, reverse: walk.reverse }
        const entries: StoreIterator<[Buffer, Buffer]> = tx.entries({
          ...bounds,
          ...(limit === undefined ? {} : { limit }),
        })
        let from = walk.reverse ? KEYS.length : -1
        let included = false
        let left = limit ?? Number.POSITIVE_INFINITY
        for (;;) {
          if (prng.chance(0.3)) write()
          if (prng.chance(0.1)) {
            from = prng.below(KEYS.length)
            included = true
            entries.seek(KEYS[from]!)
          }
          const [expected] = left > 0 ? rest(model, walk, from, included) : []
          const { value: found } = await entries.next()
          expect(found && String(found[0])).toBe(
            expected === undefined ? undefined : String(KEYS[expected]),
          )
          if (expected === undefined) break
          expect(String(found![1])).toBe(model.get(expected))
          from = expected
          included = false
          left--
        }
      }
      const keys = (await tx.keys().nextMany(99)).map(String)
      expect(keys).toEqual(rest(model, ALL, -1, false).map((key) => String(KEYS[key])))
    })
    const values = (await store.values().nextMany(99)).map(String)
    expect(values).toEqual(rest(model, ALL, -1, false).map((key) => model.get(key)))
    await store.close()
  }
})

const ALL: Walk = { reverse: false, lower: 0, upper: KEYS.length, limit: undefined }
