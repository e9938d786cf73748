/** Deleting ranges: how soon the space of half of a store is back, and a million keys beside `clear`. */
import { randomFillSync } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { ClassicLevel } from 'classic-level'
import { open, type Store } from '../../lib/index.ts'
import { takeJob, tellParent } from '../harness/children.ts'

/** What the parent asks for. */
export type RangeDeleteJob =
  | {
      readonly step: 'halve'
      readonly directory: string
      /** Of values. */
      readonly bytes: number
      /** In which keys were put. */
      readonly order: 'key order' | 'random order'
    }
  | {
      readonly step: 'clear'
      readonly directory: string
      readonly engine: 'wisc' | 'classic-level'
      readonly keys: number
    }

/** Figures by their names. */
export type RangeDeleteReport = Readonly<Record<string, { unit: string; value: number }>>

const HALVED_VALUE_BYTES = 4096
const CLEARED_VALUE_BYTES = 100
const WRITERS = 64
const BATCH = 1000
const LOOK_MS = 20
/** The standard target of the collector, and what a store has beside that: the segment that it writes. */
const TARGET = 1.3
const SEGMENT_BYTES = 64 * 1024 * 1024
/** Longer than this nobody waits. */
const WAIT_MS_MAX = 10 * 60_000

takeJob<RangeDeleteJob>(async (job) => {
  await tellParent(await (job.step === 'halve' ? halve(job) : clear(job)))
})

function keyOf(number: number): Buffer {
  return Buffer.from(`user${String(number).padStart(12, '0')}`)
}

/** Numbers below `count`, each once. */
function* numbers(count: number, order: 'key order' | 'random order'): Generator<number> {
  // A step that has no divisor in common with any count that is tried goes through all.
  const step = order === 'key order' ? 1 : 611_953
  for (let i = 0, at = 0; i < count; i++, at = (at + step) % count) yield at
}

async function halve({
  directory,
  bytes,
  order,
}: RangeDeleteJob & { step: 'halve' }): Promise<RangeDeleteReport> {
  const count = Math.floor(bytes / HALVED_VALUE_BYTES)
  const pool = randomFillSync(Buffer.alloc(16 * 1024 * 1024))
  const valueAt = (number: number): Buffer => {
    const at = (number * 7919) % (pool.length - HALVED_VALUE_BYTES)
    return pool.subarray(at, at + HALVED_VALUE_BYTES)
  }
  const store = await open(directory)
  const began = performance.now()
  const left = numbers(count, order)
  const write = async (): Promise<void> => {
    for (const number of left) await store.put(keyOf(number), valueAt(number))
  }
  await Promise.all(Array.from({ length: WRITERS }, write))
  await store.sync()
  const fillMs = performance.now() - began
  await store.flush()
  const before = store.stats().diskBytes
  const half = Math.floor(count / 2)
  const cpu = process.cpuUsage()
  const deleted = performance.now()
  await store.deleteRange({ lt: keyOf(half) })
  const callMs = performance.now() - deleted
  const goal = TARGET * (bytes / 2) + SEGMENT_BYTES
  const backMs = await untilBelow(store, goal, deleted)
  const { user, system } = process.cpuUsage(cpu)
  const after = store.stats()
  await store.close()
  return {
    'the call': { unit: 'ms', value: callMs },
    'until its space is back': { unit: 's', value: backMs / 1000 },
    'of the processor': { unit: 's', value: (user + system) / 1e6 },
    'writing a quarter of the store': { unit: 's', value: fillMs / 4000 },
    'on disk before': { unit: 'bytes', value: before },
    'on disk behind': { unit: 'bytes', value: after.diskBytes },
  }
}

async function untilBelow(store: Store, diskBytes: number, since: number): Promise<number> {
  for (;;) {
    const ms = performance.now() - since
    const stats = store.stats()
    if (stats.diskBytes - stats.ballastBytes <= diskBytes) return ms
    if (ms > WAIT_MS_MAX) throw new Error('its space does not come back')
    await pause(LOOK_MS)
  }
}

async function clear(job: RangeDeleteJob & { step: 'clear' }): Promise<RangeDeleteReport> {
  const store = await (job.engine === 'wisc' ? openWisc : openClassicLevel)(job.directory)
  const value = Buffer.alloc(CLEARED_VALUE_BYTES, 7)
  let batch: PutOperation[] = []
  for (const number of numbers(job.keys, 'random order')) {
    batch.push({ type: 'put', key: keyOf(number), value })
    if (batch.length < BATCH) continue
    await store.write(batch)
    batch = []
  }
  await store.write(batch)
  const began = performance.now()
  await store.clear()
  const cleared = performance.now()
  if ((await store.count()) > 0) throw new Error('keys are left')
  const scanned = performance.now()
  await store.close()
  return {
    'the call': { unit: 'ms', value: cleared - began },
    'a scan behind it': { unit: 'ms', value: scanned - cleared },
  }
}

interface PutOperation {
  readonly type: 'put'
  readonly key: Buffer
  readonly value: Buffer
}

/** A store as this step uses it. */
interface Cleared {
  write(operations: PutOperation[]): Promise<void>
  clear(): Promise<void>
  count(): Promise<number>
  close(): Promise<void>
}

async function openWisc(directory: string): Promise<Cleared> {
  const store = await open(directory)
  return {
    write: (operations) => store.write(operations),
    clear: () => store.deleteRange({ gte: '' }),
    count: async () => (await store.keys().nextMany(BATCH)).length,
    close: () => store.close(),
  }
}

async function openClassicLevel(directory: string): Promise<Cleared> {
  const options = { keyEncoding: 'buffer', valueEncoding: 'buffer' }
  const database: ClassicLevel<Buffer, Buffer> = new ClassicLevel(directory, options)
  await database.open()
  return {
    write: (operations) => database.batch(operations),
    clear: () => database.clear(),
    count: async () => (await database.keys().nextv(BATCH)).length,
    close: () => database.close(),
  }
}
