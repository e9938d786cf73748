/**
 * An actor with keys of its own: a queue over a ring of keys, with long runs of deletes, that are filled again while
 * iterators stand in them. Nobody else writes them, so every answer is known exactly.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RangeOptions } from '#dist/lib/index.js'
import type { Prng } from '../support/random.ts'
import { attempt, type Life } from './life.ts'

const RING = 1200
const QUIET_STEPS = 60
/** One look may ask so often. */
const SLOW_TURNS = 30
/** Behind the keys of all groups. */
const PREFIX = 'queue/'

export function isQueueKey(key: string): boolean {
  return key.startsWith(PREFIX)
}

function keyAt(place: number): string {
  return `${PREFIX}${String(place).padStart(4, '0')}`
}

/** What is in it now; it outlasts the lives of the store. */
export class Queue {
  readonly places: Set<number> = new Set()
  end = 0

  /** Its keys, in the order of an iteration. */
  keys(isReverse: boolean): string[] {
    const places = [...this.places].sort((left, right) => (isReverse ? right - left : left - right))
    return places.map(keyAt)
  }
}

/** Requires: no call fails. */
export async function queuer(life: Life, queue: Queue, prng: Prng): Promise<void> {
  while (!life.ended) {
    await step(life, queue, prng)
    if (prng.chance(0.3)) await sleep(prng.below(10))
  }
}

/** The same when nobody else does anything: then cursors and memtables last. */
export async function queueAlone(life: Life, queue: Queue, prng: Prng): Promise<void> {
  for (let steps = 0; steps < QUIET_STEPS; steps++) {
    await step(life, queue, prng)
    if (prng.chance(0.3)) await attempt(life, 'queue flush', () => life.store.flush())
  }
}

async function step(life: Life, queue: Queue, prng: Prng): Promise<void> {
  const first = prng.below(RING)
  switch (prng.below(8)) {
    case 0:
      return await append(life, queue, 1 + prng.below(80))
    case 1:
      return await take(life, queue, prng.below(prng.chance(0.1) ? RING : 60))
    case 2:
      return await remove(life, queue, first, prng.below(400))
    case 3:
      return await put(life, queue, first)
    case 4:
      return await look(life, queue, { limit: 1, reverse: prng.chance(0.3) })
    case 5:
      return await look(life, queue, { reverse: prng.chance(0.5) })
    default:
      await lookSlowly(life, queue, prng)
  }
}

async function put(life: Life, queue: Queue, place: number): Promise<void> {
  await attempt(life, 'queue put', () => life.store.put(keyAt(place), keyAt(place)))
  queue.places.add(place)
}

async function append(life: Life, queue: Queue, count: number): Promise<void> {
  const places = Array.from({ length: count }, () => queue.end++ % RING)
  const puts = places.map((place) => life.store.put(keyAt(place), keyAt(place)))
  await attempt(life, 'queue append', () => Promise.all(puts))
  for (const place of places) queue.places.add(place)
}

/** From its front, as they are found. */
async function take(life: Life, queue: Queue, count: number): Promise<void> {
  const keys = queue.keys(false).slice(0, count)
  await attempt(life, 'queue take', () => Promise.all(keys.map((key) => life.store.delete(key))))
  for (const key of keys) queue.places.delete(Number(key.slice(PREFIX.length)))
}

async function remove(life: Life, queue: Queue, from: number, count: number): Promise<void> {
  const places = Array.from({ length: count }, (_, i) => (from + i) % RING)
  const operations = places.map((place) => ({ type: 'delete', key: keyAt(place) }) as const)
  await attempt(life, 'queue remove', () => life.store.write(operations))
  for (const place of places) queue.places.delete(place)
}

function boundsOf(range: RangeOptions): RangeOptions {
  return { gte: PREFIX, lt: `${PREFIX}:`, ...range }
}

async function look(life: Life, queue: Queue, range: RangeOptions): Promise<void> {
  const expected = queue.keys(range.reverse === true).slice(0, range.limit)
  await attempt(life, 'queue look', async () => {
    const found: string[] = []
    for await (const key of life.store.keys(boundsOf(range))) found.push(key.toString())
    requireSame(found, expected)
  })
}

/** Keys are put where the iterator has not been yet, and where it has: it sees none of them, the next look does. */
async function lookSlowly(life: Life, queue: Queue, prng: Prng): Promise<void> {
  const reverse = prng.chance(0.5)
  const all = queue.keys(reverse)
  // Half of the time from the last key before a gap.
  const gaps = all
    .map((_, i) => i)
    .filter((i) => placeOf(all, i + 1, reverse) - placeOf(all, i, reverse) > 20)
  const start = gaps.length > 0 && prng.chance(0.7) ? prng.pick(gaps) : 0
  const expected = all.slice(start)
  const [first] = expected
  const from = reverse ? { lte: first ?? `${PREFIX}:` } : { gte: first ?? PREFIX }
  const highWaterMarkBytes = prng.pick([1, 1, 1 << 20])
  const range = reverse ? { gte: PREFIX, ...from } : { lt: `${PREFIX}:`, ...from }
  const iterator = life.store.entries({ ...range, reverse, highWaterMarkBytes })
  const found: string[] = []
  let isWhole = false
  for (let turns = 0; turns < SLOW_TURNS; turns++) {
    const entries = await attempt(life, 'queue slowly', () =>
      iterator.nextMany(1 + prng.below(prng.chance(0.7) ? 3 : 300)),
    )
    isWhole = entries?.length === 0
    if (!entries || isWhole) break
    for (const [key, value] of entries) {
      if (!key.equals(value)) throw new Error(`${key.toString()} has a wrong value`)
      found.push(key.toString())
    }
    // Soon behind where it stands, in its direction.
    const last = Number(found.at(-1)!.slice(PREFIX.length))
    const ahead = (1 + prng.below(40)) * (reverse ? -1 : 1)
    if (prng.chance(0.6)) await put(life, queue, Math.min(RING - 1, Math.max(0, last + ahead)))
  }
  await iterator.close()
  requireSame(found, isWhole ? expected : expected.slice(0, found.length))
  await look(life, queue, { reverse: !reverse })
}

function requireSame(found: readonly string[], expected: readonly string[]): void {
  const at = expected.findIndex((key, i) => found[i] !== key)
  if (at < 0 && found.length === expected.length) return
  const place = at < 0 ? expected.length : at
  throw new Error(
    `the queue shows ${found.length} keys instead of ${expected.length}: ` +
      `${found[place]} instead of ${expected[place]} at ${place}`,
  )
}

/** Distance of a key from the end where an iteration begins. */
function placeOf(keys: readonly string[], at: number, isReverse: boolean): number {
  const place = Number(keys[at]?.slice(PREFIX.length) ?? (isReverse ? 0 : RING))
  return isReverse ? RING - place : place
}
