/** Random histories of concurrent transactions can be put in an order in which they ran one by one. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { ConflictError } from '#dist/lib/base/errors.js'
import type { Transaction } from '#dist/lib/contract/transactions.js'
import type { Condition, Operation } from '#dist/lib/contract/types.js'
import type { Store } from '#dist/lib/store/store.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'
import { type Committed, findAnomaly } from '../../support/serialisability.ts'
import { openSmallStore } from '../../support/store/fault-store.ts'

const seed = testSeed()
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f']
const CALLERS = 6
const TRANSACTIONS = 12

type Lists = Map<string, readonly number[]>

const parse = (value: Buffer | undefined): number[] => (value ? JSON.parse(String(value)) : [])

/** What one transaction does: reads single keys or all of them, then appends to others. */
interface Plan {
  readonly id: number
  readonly reads: readonly string[]
  readonly range: 'none' | 'forwards' | 'backwards'
  readonly appends: readonly string[]
}

/** Runs a plan in some way. @returns what was read; undefined if it did not commit */
type Way = (store: Store, plan: Plan, prng: Prng) => Promise<Lists | undefined>

async function readAll(
  plan: Plan,
  prng: Prng,
  get: (key: string) => Promise<Buffer | undefined>,
  entries: (reverse: boolean) => AsyncIterable<[Buffer, Buffer]>,
): Promise<Lists> {
  const seen: Lists = new Map()
  if (plan.range !== 'none') {
    for (const key of KEYS) seen.set(key, [])
    for await (const [key, value] of entries(plan.range === 'backwards')) {
      seen.set(String(key), parse(value))
      if (prng.chance(0.2)) await nextTurn()
    }
  }
  for (const key of [...plan.reads, ...plan.appends]) {
    seen.set(key, parse(await get(key)))
    if (prng.chance(0.3)) await nextTurn()
  }
  return seen
}

const appended = (seen: Lists, plan: Plan, key: string): string =>
  JSON.stringify([...seen.get(key)!, plan.id])

const byTransaction: Way = async (store, plan, prng) => {
  try {
    return await store.transaction(
      async (tx: Transaction) => {
        const seen = await readAll(
          plan,
          prng,
          (key) => tx.get(key),
          (reverse) => tx.entries({ reverse }),
        )
        for (const key of plan.appends) tx.put(key, appended(seen, plan, key))
        return seen
      },
      { retries: prng.below(4) },
    )
  } catch (error) {
    if (error instanceof ConflictError) return undefined
    throw error
  }
}

const inOneGo: Way = (store, plan) =>
  store.transactionSync((tx) => {
    const seen: Lists = new Map()
    for (const key of [...plan.reads, ...plan.appends]) seen.set(key, parse(tx.get(key)))
    if (plan.range !== 'none') {
      for (const key of KEYS) seen.set(key, [])
      for (const [key, value] of tx.entries()) seen.set(String(key), parse(value))
    }
    for (const key of plan.appends) tx.put(key, appended(seen, plan, key))
    return seen
  })

const byUpdate: Way = async (store, plan) => {
  const [key] = plan.appends
  let seen: readonly number[] = []
  await store.update(key!, (value) => {
    seen = parse(value)
    return JSON.stringify([...seen, plan.id])
  })
  return new Map([[key!, seen]])
}

/** Snapshot isolation: what it writes is validated, what it has only read is not. The checker must see through it. */
const tooWeak: Way = async (store, plan, prng) => {
  const snapshot = store.snapshot()
  try {
    const seen = await readAll(
      plan,
      prng,
      (key) => store.get(key, { snapshot }),
      (reverse) => store.entries({ reverse, snapshot }),
    )
    const conditions: Condition[] = []
    const operations: Operation[] = []
    for (const key of plan.appends) {
      const found = await store.stat(key, { snapshot })
      conditions.push(found ? { key, sequence: found.sequence } : { key, absent: true })
      operations.push({ type: 'put', key, value: appended(seen, plan, key) })
    }
    await store.write(operations, { if: conditions })
    return seen
  } catch (error) {
    if (error instanceof ConflictError) return undefined
    throw error
  } finally {
    snapshot.close()
  }
}

function planOf(prng: Prng, id: number): Plan {
  const some = (chance: number): string[] => KEYS.filter(() => prng.chance(chance))
  return {
    id,
    reads: some(0.3),
    range: prng.pick(['none', 'none', 'forwards', 'backwards'] as const),
    appends: [prng.pick(KEYS), ...some(0.1)].filter((key, i, all) => all.indexOf(key) === i),
  }
}

/** @returns the anomaly of one random history, and how many transactions it has */
async function run(ways: readonly Way[], prng: Prng): Promise<[string | undefined, number]> {
  const store = await openSmallStore()
  const history: Committed[] = []
  let clock = 0
  let ids = 0
  const caller = async (own: Prng): Promise<void> => {
    for (let i = 0; i < TRANSACTIONS; i++) {
      const way = own.pick(ways)
      const whole = planOf(own, ++ids)
      const plan = way === byUpdate ? { ...whole, appends: whole.appends.slice(0, 1) } : whole
      const began = ++clock
      const reads = await way(store, plan, own)
      const ended = ++clock
      if (reads) history.push({ id: plan.id, began, ended, reads, appends: plan.appends })
      if (own.chance(0.1)) await store.flush()
      if (own.chance(0.05)) await store.compact()
      if (own.chance(0.3)) await nextTurn()
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, () => caller(prng.fork())))
  const lists: Lists = new Map()
  for await (const [key, value] of store.entries()) lists.set(String(key), parse(value))
  await store.close()
  return [findAnomaly(history, lists), history.length]
}

describe(`random histories, ${replayHint(seed)}`, () => {
  test.each([
    ['transactions', [byTransaction]],
    ['transactions, synchronous ones, and updates', [byTransaction, inOneGo, byUpdate]],
  ] as const)('of %s are serialisable, in the order of real time', async (_, ways) => {
    const prng = new Prng(seed)
    let committed = 0
    for (let round = 0; round < 25; round++) {
      const [anomaly, count] = await run(ways, prng.fork())
      expect(anomaly, `round ${round}`).toBeUndefined()
      committed += count
    }
    expect(committed).toBeGreaterThan(25 * CALLERS * TRANSACTIONS * 0.2)
  })

  test('of snapshot isolation are not: the checker finds a circle', async () => {
    const prng = new Prng(seed)
    let found: string | undefined
    for (let round = 0; round < 25 && found === undefined; round++) {
      ;[found] = await run([tooWeak], prng.fork())
    }
    expect(found).toContain('has not seen')
  })
})

test('the checker knows lost, invented and doubled appends', () => {
  const one = { id: 1, began: 1, ended: 2, reads: new Map(), appends: ['a'] }
  expect(findAnomaly([one], new Map([['a', [1]]]))).toBeUndefined()
  expect(findAnomaly([one], new Map())).toContain('lost')
  expect(findAnomaly([], new Map([['a', [1]]]))).toContain('did not commit')
  expect(findAnomaly([one], new Map([['a', [1, 1]]]))).toContain('twice')
  const reader = { id: 2, began: 3, ended: 4, reads: new Map([['a', []]]), appends: [] }
  expect(findAnomaly([one, reader], new Map([['a', [1]]]))).toContain('had ended before')
})
