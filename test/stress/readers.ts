/** Actors that only look: each is a loop that ends when the life of the store does. */
import { readdirSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Snapshot } from '#dist/lib/index.js'
import type { Prng } from '../support/random.ts'
import { GROUPS, keyOf, keysOf } from './content.ts'
import type { View } from './histories.ts'
import { attempt, drawRange, type Life } from './life.ts'

/** Beside cached files: the log's, the manifest's, the lock's, and those of jobs that run now. */
const OTHER_DESCRIPTORS = 96

export async function reader(life: Life, prng: Prng): Promise<void> {
  const { store, histories } = life
  while (!life.ended) {
    const view = histories.now()
    const group = prng.below(GROUPS)
    const keys = keysOf(group)
    const member = prng.below(keys.length)
    const key = keys[member]!
    switch (prng.below(5)) {
      case 0: {
        // By its group, so that nothing more is drawn.
        const asStream = group % 3 === 0
        const got = await attempt(life, asStream ? 'getStream' : 'get', async () => {
          if (!asStream) return { value: await store.get(key) }
          const stream = await store.getStream(key)
          return { value: stream && (await readAll(stream)) }
        })
        if (got) view.check(group, member, got.value)
        break
      }
      case 1: {
        const got = await attempt(life, 'getSync', () => ({ value: store.getSync(key) }))
        if (got) view.check(group, member, got.value)
        break
      }
      case 2: {
        const values = await attempt(life, 'getMany', () => store.getMany(keys))
        if (values) view.checkGroup(group, values)
        break
      }
      case 3: {
        const found = await attempt(life, 'stat', () => store.stat(key).then((stat) => ({ stat })))
        const has = await attempt(life, 'has', () => store.has(key))
        // Nobody says at the same moment as the other.
        if (found?.stat && has !== undefined && found.stat.size < 40) {
          throw new Error(`stat of ${key} tells ${found.stat.size} bytes`)
        }
        break
      }
      default:
        await attempt(life, 'missing', async () => {
          if ((await store.get(`${key}/none`)) !== undefined) throw new Error('a key from nowhere')
        })
    }
    if (prng.chance(0.05)) await sleep(prng.below(5))
  }
}

/** All of a stream; now and then its reader takes its time. */
async function readAll(stream: ReadableStream<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of stream) {
    parts.push(part)
    if (part.length % 7 === 0) await sleep(part.length % 20)
  }
  return Buffer.concat(parts)
}

/** Iterates over ranges of groups, as of one moment each; some iterations are broken off by a signal. */
export async function scanner(life: Life, prng: Prng): Promise<void> {
  const { store, histories } = life
  while (!life.ended) {
    const { from, to, bounds } = drawRange(prng)
    const abort = prng.chance(0.15) ? new AbortController() : undefined
    const view = histories.moment()
    const iterator = store.entries(abort ? { ...bounds, signal: abort.signal } : bounds)
    const timer = abort && setTimeout(() => abort.abort(), prng.below(10))
    const pauses = prng.chance(0.3)
    await attempt(life, 'scan', async () => {
      const entries: [Buffer, Buffer][] = []
      for await (const entry of iterator) {
        entries.push(entry)
        if (pauses && prng.chance(0.1)) await sleep(prng.below(8))
      }
      checkOrder(entries, bounds.reverse === true)
      view.checkRange(from, to, entries)
    })
    clearTimeout(timer)
    if (prng.chance(0.3)) await countKeys(life, prng)
  }
}

function checkOrder(entries: readonly (readonly [Buffer, Buffer])[], reverse: boolean): void {
  for (let i = 1; i < entries.length; i++) {
    const order = Buffer.compare(entries[i - 1]![0], entries[i]![0])
    if (reverse ? order <= 0 : order >= 0) throw new Error('entries out of order')
  }
}

/** A snapshot's keys are those of its entries, from both sides. */
async function countKeys(life: Life, prng: Prng): Promise<void> {
  const { bounds } = drawRange(prng)
  await attempt(life, 'keys', async () => {
    const snapshot = life.store.snapshot()
    try {
      const names: string[][] = [[], []]
      for await (const key of life.store.keys({ ...bounds, reverse: false, snapshot })) {
        names[0]!.push(key.toString())
      }
      for await (const key of life.store.keys({ ...bounds, reverse: true, snapshot })) {
        names[1]!.push(key.toString())
      }
      if (names[0]!.join('\n') !== names[1]!.reverse().join('\n')) {
        throw new Error('keys from both sides differ')
      }
    } finally {
      snapshot.close()
    }
  })
}

/** Holds snapshots for a while and looks through them more than once. */
export async function keeper(life: Life, prng: Prng): Promise<void> {
  while (!life.ended) {
    const view = life.histories.moment()
    const snapshot = await attempt(life, 'snapshot', () => life.store.snapshot())
    if (!snapshot) return
    try {
      const looks = 2 + prng.below(3)
      for (let look = 0; look < looks && !life.ended; look++) {
        await lookThrough(life, snapshot, view, prng)
        await sleep(prng.below(150))
      }
    } finally {
      snapshot.close()
    }
  }
}

async function lookThrough(life: Life, snapshot: Snapshot, view: View, prng: Prng): Promise<void> {
  const { store } = life
  const { from, to, bounds } = drawRange(prng)
  await attempt(life, 'snapshot scan', async () => {
    const entries: [Buffer, Buffer][] = []
    for await (const entry of store.entries({ ...bounds, snapshot })) entries.push(entry)
    view.checkRange(from, to, entries)
  })
  await attempt(life, 'snapshot streams', async () => {
    const entries: [Buffer, Buffer][] = []
    for await (const [key, stream] of store.entries({ ...bounds, snapshot, values: 'stream' }))
      entries.push([key, await readAll(stream)])
    view.checkRange(from, to, entries)
  })
  const group = prng.below(GROUPS)
  await attempt(life, 'snapshot getMany', async () => {
    view.checkGroup(group, await store.getMany(keysOf(group), { snapshot }))
  })
}

/** I10 inside one turn: reads and figures, and between them a count of the descriptors of the process. */
export async function descriptorCounter(life: Life, prng: Prng): Promise<void> {
  while (!life.ended) {
    await attempt(life, 'descriptors', () => {
      for (let i = 0; i < 40; i++) {
        const group = prng.below(GROUPS)
        life.store.getSync(keyOf(group, 0))
      }
      if (prng.chance(0.3)) life.store.stats()
      const open = openDescriptors(life.directory)
      const most = life.maxOpenFiles + OTHER_DESCRIPTORS
      if (open > most)
        throw new Error(`${open} files of the store are open, at most ${most} may be`)
    })
    await sleep(20 + prng.below(60))
  }
}

/** How many files below a directory this process has open. */
function openDescriptors(directory: string): number {
  return readdirSync('/proc/self/fd').filter((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`).startsWith(directory)
    } catch {
      // Closed meanwhile, by a thread or by the listing itself.
      return false
    }
  }).length
}
