/**
 * Micro-benchmark of the persistent map (`lib/base/number-map.ts`), which each get of a relocated value asks and each
 * edit of a version changes. Not a part of `npm run bench`; run it alone on an idle machine:
 * `node dist/bench/micro/number-map.js`. Times of one call in nanoseconds of the processor, the best of its rounds.
 */
import { NumberMap } from '../../lib/base/number-map.ts'

const ROUNDS = 10
const SIZES = [100, 5_000, 100_000]
const KEYS = 4096

/** Nanoseconds of the processor for one of `count` calls. */
function best(count: number, run: () => void): number {
  let nanoseconds = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.cpuUsage()
    run()
    const { user, system } = process.cpuUsage(start)
    nanoseconds = Math.min(nanoseconds, (1000 * (user + system)) / count)
  }
  return nanoseconds
}

let sink = 0

/** Keys that a store's segments might have: ascending, with gaps. */
function measure(size: number): readonly number[] {
  const all = Array.from({ length: size }, (_, i) => 3 * i + 1)
  const asked = Array.from(
    { length: KEYS },
    (_, i) => all[(Math.imul(i, 2654435761) >>> 0) % size]!,
  )
  const native = new Map(all.map((key) => [key, { key }]))
  const build = (): NumberMap<number, { readonly key: number }> =>
    NumberMap.from(all.map((key) => [key, { key }]))
  const map = build()
  let changed = map
  const get = best(100 * KEYS, () => {
    for (let i = 0; i < 100 * KEYS; i++) sink += map.get(asked[i % KEYS]!)!.key
  })
  const nativeGet = best(100 * KEYS, () => {
    for (let i = 0; i < 100 * KEYS; i++) sink += native.get(asked[i % KEYS]!)!.key
  })
  const set = best(10 * KEYS, () => {
    for (let i = 0; i < 10 * KEYS; i++) {
      changed = changed.set(asked[i % KEYS]!, { key: i })
    }
  })
  const append = best(KEYS, () => {
    changed = map
    for (let i = 0; i < KEYS; i++) changed = changed.set(3 * size + i, { key: i })
  })
  const after = map.set(asked[0]!, { key: 0 }).delete(asked[1]!)
  const diff = best(20_000, () => {
    for (let i = 0; i < 20_000; i++) NumberMap.diff(map, after, (key) => (sink += key))
  })
  const times = Math.max(1, 100_000 / size)
  const built = best(size * times, () => {
    for (let i = 0; i < times; i++) sink += build().size
  })
  const walk = best(size * times, () => {
    for (let i = 0; i < times; i++) {
      for (const { key } of map.values()) sink += key
    }
  })
  return [size, get, nativeGet, set, append, diff, built, walk]
}

const HEADS = ['entries', 'get', 'Map.get', 'set', 'append', 'diff', 'build/entry', 'walk/entry']
console.log(HEADS.map((head) => head.padStart(12)).join(''))
for (const size of SIZES) {
  const figures = measure(size).map((figure) => figure.toFixed(figure < 100 ? 1 : 0).padStart(12))
  console.log(figures.join(''))
}
if (Number.isNaN(sink)) throw new Error('a figure was lost')
