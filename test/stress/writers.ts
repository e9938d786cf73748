/** Actors that change the store, or its order: each is a loop that ends when the life of the store does. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import {
  type DeleteOperation,
  type ExpiryOptions,
  type PutOperation,
  WiscError,
} from '#dist/lib/index.js'
import type { Prng } from '../support/random.ts'
import { GROUPS, isDelete, keysOf, makeValue } from './content.ts'
import { attempt, drawRange, type Life } from './life.ts'

/** Values up to this length may change as soon as the call has returned. */
const TAKEN_AT_CALL_BYTES = 65_536
/** The run has ended by then. */
const NEVER_MS = 24 * 3_600_000
/** What is put so is gone while the run goes on, and hides what is older all the same. */
const SOON_MS = 500

/** Groups that nobody writes now, one at a time for each writer. */
export class Ownership {
  readonly #busy: Set<number> = new Set()

  take(prng: Prng): number {
    for (;;) {
      const group = prng.below(GROUPS)
      if (this.#busy.has(group)) continue
      this.#busy.add(group)
      return group
    }
  }

  give(group: number): void {
    this.#busy.delete(group)
  }
}

/** Writes one group after the other; a third of the time its buffers are used for something else at once. */
export async function writer(life: Life, owners: Ownership, prng: Prng): Promise<void> {
  while (!life.ended) {
    const group = owners.take(prng)
    const times = 1 + prng.below(3)
    try {
      for (let i = 0; i < times && !life.ended; i++) await writeGroup(life, group, prng)
    } finally {
      owners.give(group)
    }
    if (prng.chance(0.02)) await sleep(prng.below(20))
  }
}

async function writeGroup(life: Life, group: number, prng: Prng): Promise<void> {
  const { store, histories } = life
  const version = histories.issue(group)
  const sync = prng.chance(0.08)
  const expiry = expiryOf(version)
  const operations = operationsOf(group, version, expiry)
  const [first] = operations
  // Where the process has stood for long its moment has passed before it is called.
  let mayBeRefused = expiry.expiresAt !== undefined
  let writing: Promise<unknown>
  // By its version, so that nothing more is drawn.
  if (isDelete(group, version) && version % 3 === 0) {
    const range = { gte: first!.key, lte: operations.at(-1)!.key }
    writing =
      version % 2 === 0
        ? store.deleteRange(range, { sync })
        : store.write([{ type: 'deleteRange', ...range }], { sync })
  } else if (operations.length === 1 && prng.chance(0.7)) {
    const { key } = first!
    if (first!.type === 'delete') writing = store.delete(key, { sync })
    else if (version % 3 === 1) {
      const source = pieces(Buffer.from(first!.value), 1 + ((version * 7919) % 50_000))
      writing = store.putStream(key, source, { sync, ...expiry })
    } else writing = store.put(key, first!.value, { sync, ...expiry })
  } else writing = store.write(operations, { sync })
  if (typeof expiry.expiresAt === 'number') histories.expires(group, version, expiry.expiresAt)
  if (prng.chance(0.3)) mayBeRefused = spoil(operations, prng.chance(0.05)) || mayBeRefused
  const isWritten = await attempt(life, 'write', () =>
    writing.then(
      () => true,
      (error: unknown) => {
        if (mayBeRefused && isChanged(error)) return false
        throw error
      },
    ),
  )
  if (isWritten) histories.acknowledge(group, version, sync)
  else histories.refuse(group, version)
}

/** A value as it comes from a socket: in pieces, some of them in turns of their own. */
async function* pieces(value: Buffer, bytes: number): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < value.length; at += bytes) {
    if (at % 3 === 0) await nextTurn()
    yield value.subarray(at, at + bytes)
  }
}

function isChanged(error: unknown): boolean {
  return error instanceof WiscError && error.code === 'WISC_INVALID_ARGUMENT'
}

/** The same moment for all of a group: it is there as a whole, or not at all. */
function expiryOf(version: number): ExpiryOptions {
  if (version % 8 === 5) return { expiresAt: Date.now() + SOON_MS }
  return version % 4 === 0 ? { ttl: NEVER_MS } : {}
}

function operationsOf(
  group: number,
  version: number,
  expiry: ExpiryOptions,
): (PutOperation | DeleteOperation)[] {
  return keysOf(group).map((name, member) => {
    const key = Buffer.from(name)
    if (isDelete(group, version)) return { type: 'delete', key }
    return { type: 'put', key, value: makeValue(group, member, version), ...expiry }
  })
}

/**
 * Uses the memory of a write that has been called for something else.
 * @param large also that which must not change yet: then the write may be refused
 */
function spoil(operations: readonly (PutOperation | DeleteOperation)[], large: boolean): boolean {
  let spoiledLarge = false
  for (const operation of operations) {
    ;(operation.key as Buffer).fill(0xee)
    if (operation.type !== 'put') continue
    const value = operation.value as Buffer
    if (value.length > TAKEN_AT_CALL_BYTES && !large) continue
    spoiledLarge ||= value.length > TAKEN_AT_CALL_BYTES
    value.fill(0xee)
  }
  return spoiledLarge
}

/** The work that keeps a store in order, asked for at random. */
export async function keeperOfOrder(life: Life, prng: Prng): Promise<void> {
  const { store } = life
  while (!life.ended) {
    const abort = new AbortController()
    const { signal } = abort
    const timer = prng.chance(0.2) ? setTimeout(() => abort.abort(), prng.below(60)) : undefined
    const targetSpaceAmplification = prng.pick([1, 1.02, 1.2, 2])
    switch (prng.below(10)) {
      case 0:
        await attempt(life, 'flush', () => store.flush())
        break
      case 1:
        await attempt(life, 'sync', () => syncAll(life))
        break
      case 2:
        await attempt(life, 'compact', () => store.compact({}, { signal }))
        break
      case 3:
        await attempt(life, 'compact range', () => {
          const { gte, lt } = drawRange(prng).bounds
          return store.compact({ gte: gte!, lt: lt! }, { signal })
        })
        break
      case 4:
        await attempt(life, 'collect', () => store.collect({ targetSpaceAmplification, signal }))
        break
      case 5:
        await attempt(life, 'plan', async () => {
          const plan = await store.planCollection({ targetSpaceAmplification, signal })
          await sleep(prng.below(20))
          await store.collect({ plan, signal })
        })
        break
      case 6:
        await attempt(life, 'pause', async () => {
          store.pauseCollector()
          await sleep(prng.below(100))
          store.resumeCollector()
        })
        break
      case 7:
        await attempt(life, 'verify', () => verify(life, prng.chance(0.5), signal))
        break
      default:
        await attempt(life, 'stats', () => checkStats(life))
    }
    clearTimeout(timer)
    await sleep(prng.below(60))
  }
}

async function syncAll({ store, histories }: Life): Promise<void> {
  const versions = histories.acknowledged()
  await store.sync()
  histories.makeDurable(versions)
}

export async function verify(life: Life, deep: boolean, signal?: AbortSignal): Promise<void> {
  const report = await life.store.verify(signal ? { deep, signal } : { deep })
  if (!report.ok && !life.faults) {
    throw new Error(`verify found damage: ${report.damage[0]?.message}`, {
      cause: report.damage[0],
    })
  }
}

function checkStats({ store }: Life): void {
  const stats = store.stats()
  if (stats.diskBytes < 0 || stats.liveBytes < 0) throw new Error('sizes below zero')
  const referenced = store.segments().every((one) => one.referencedBytes <= one.totalBytes)
  if (!referenced) throw new Error('a file holds less than what is referenced in it')
}
