/**
 * Reads behind a proof: each single read of an operation finds other bytes than the disk has, as if they had changed
 * since they were proved, or before they are.
 *
 * Whatever read it is, the operation ends with right values or with an error, and leaves a store in which nothing is
 * damaged: what is shown, and what is copied, is what was proved.
 */
import { expect, test } from 'vitest'
import { WiscError } from '#dist/lib/base/errors.js'
import type { FileSystem } from '#dist/lib/base/files/file-system.js'
import type { Options } from '#dist/lib/contract/options.js'
import { Salvage } from '#dist/lib/inspect/salvage/salvage.js'
import { openStore } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import { DIRECTORY } from '../support/crash/recover-image.ts'
import type { DiskImage } from '../support/files/disk-model.ts'
import { FaultFileSystem } from '../support/files/fault-file-system.ts'
import { watchReads } from '../support/files/watched-reads.ts'
import { Prng, replayHint, seededRandom, testSeed } from '../support/random.ts'
import { settled } from '../support/store/settled.ts'

const seed = testSeed()
const BLOCK_BYTES = 4096
const OPTIONS: Options = {
  workers: 0,
  segmentBytes: 4 * 1024 * 1024,
  memtableBytes: 8 * 1024 * 1024,
  valueThreshold: 30_000,
  blockCacheBytes: 65536,
  controlSocket: false,
  collector: { enabled: false },
}

type Garble = (found: Uint8Array, position: number, prng: Prng) => void
const GARBLES: readonly [string, Garble][] = [
  [
    'a hole in place of a block',
    (found, position, prng) => {
      const first = Math.ceil(position / BLOCK_BYTES)
      const blocks = Math.floor((position + found.length) / BLOCK_BYTES) - first
      if (blocks <= 0) found.fill(0, prng.below(found.length))
      else {
        const at = (first + prng.below(blocks)) * BLOCK_BYTES - position
        found.fill(0, at, at + BLOCK_BYTES)
      }
    },
  ],
  [
    'another byte',
    (found, _position, prng) => {
      found[prng.below(found.length)]! ^= 1 + prng.below(255)
    },
  ],
]

interface Made {
  readonly image: DiskImage
  readonly model: ReadonlyMap<string, Buffer>
}

interface Workload {
  readonly name: string
  readonly make: () => Promise<Made>
  /** @returns what it has shown, key by key */
  readonly run: (fileSystem: FileSystem) => Promise<ReadonlyMap<string, Buffer>>
  /** It writes: what it leaves is looked at. */
  readonly leaves?: true
}

function open(fileSystem: FileSystem, options: Options = {}): Promise<Store> {
  const parts = { fileSystem, random: seededRandom(seed) }
  return openStore(DIRECTORY, { ...OPTIONS, ...options }, parts)
}

function contentOf(key: string, length: number): Buffer {
  return Buffer.from(new Prng(length + key.length * 7919 + Number(key.slice(-3))).bytes(length))
}

/** A log that no table has: one frame that is longer than any window, in it small values between large ones. */
async function makeCrashed(): Promise<Made> {
  const fileSystem = new FaultFileSystem({ seed })
  const store = await open(fileSystem)
  const model = new Map<string, Buffer>()
  const put = (key: string, length: number): { type: 'put'; key: string; value: Buffer } => {
    const value = contentOf(key, length)
    model.set(key, value)
    return { type: 'put', key, value }
  }
  await store.write([put('first 000', 20_000)], { sync: true })
  const many = Array.from({ length: 56 }, (_, i) => {
    const length = i % 20 === 7 ? 40_000 : i % 9 === 4 ? 300 : 20_000
    return put(`many ${String(i).padStart(3, '0')}`, length)
  })
  await store.write([...many, put('large 001', 700_000), put('deferred 002', 66_000)])
  await store.write([put('last 003', 100)])
  const image = fileSystem.visibleImage()
  fileSystem.kill()
  return { image, model }
}

/** Tables, garbage between what lives, relocations. */
async function makeCollected(): Promise<Made> {
  const fileSystem = new FaultFileSystem({ seed })
  const store = await open(fileSystem, { valueThreshold: 256, segmentBytes: 262_144 })
  const model = new Map<string, Buffer>()
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 40; i += 1 + (round % 2)) {
      const key = `key ${String(i).padStart(3, '0')}`
      const value = contentOf(key, i % 4 === 0 ? 9000 + round : i % 4 === 1 ? 40 : 700 + round)
      await store.put(key, value)
      model.set(key, value)
    }
    await store.compact()
    if (round === 1) await store.collect({ targetSpaceAmplification: 1.2 })
  }
  await store.close()
  return { image: fileSystem.visibleImage(), model }
}

async function readAll(store: Store): Promise<Map<string, Buffer>> {
  const shown = new Map<string, Buffer>()
  for await (const [key, value] of store.entries()) shown.set(key.toString(), value)
  for (const key of shown.keys()) shown.set(key, store.getSync(key)!)
  return shown
}

const WORKLOADS: readonly Workload[] = [
  {
    name: 'an open for reading replays the log',
    make: makeCrashed,
    run: async (fileSystem) => {
      const store = await open(fileSystem, { readOnly: true })
      const shown = await readAll(store)
      await store.close()
      return shown
    },
  },
  {
    name: 'an open for writing copies the tail and replays it',
    make: makeCrashed,
    leaves: true,
    run: async (fileSystem) => {
      const store = await open(fileSystem)
      const shown = await readAll(store)
      await store.flush()
      await store.close()
      return shown
    },
  },
  {
    name: 'compactions, marks, punches and rewrites',
    make: makeCollected,
    leaves: true,
    run: async (fileSystem) => {
      const options = { valueThreshold: 256, segmentBytes: 262_144 }
      const store = await open(fileSystem, options)
      // Either may fail at what it reads.
      await Promise.allSettled([store.compact()])
      await Promise.allSettled([store.collect({ targetSpaceAmplification: 1 })])
      await store.close()
      return new Map()
    },
  },
  {
    name: 'salvage',
    make: makeCrashed,
    run: async (fileSystem) => {
      const salvage = new Salvage(DIRECTORY, fileSystem)
      try {
        for (const _bytes of salvage.readSlices());
        const found = new Map<string, Buffer>()
        for await (const { key, value } of salvage.entries())
          found.set(key.toString(), Buffer.from(value as Uint8Array))
        return found
      } finally {
        salvage.close()
      }
    },
  },
]

/** What is there, is right; a log that was cut off at a read that failed its check lacks an end, nothing else. */
function requireRight(shown: ReadonlyMap<string, Buffer>, { model }: Made, hint: string): void {
  for (const [key, value] of shown) {
    expect(model.get(key)?.equals(value), `value of ${key}, ${hint}`).toBe(true)
  }
}

async function runGarbled(
  workload: Workload,
  made: Made,
  nth: number,
  garble: Garble,
  hint: string,
): Promise<boolean> {
  const fileSystem = new FaultFileSystem({ seed }, made.image)
  const prng = new Prng(seed + nth)
  let reads = 0
  let garbles = true
  const watched = watchReads(fileSystem, (path, found, position) => {
    const isOurs = garbles && found.length > 0 && /\.(vlog|sst)$/.test(path)
    if (isOurs && ++reads === nth) garble(found, position, prng)
  })
  let failure: unknown
  try {
    requireRight(await workload.run(watched), made, hint)
  } catch (error) {
    failure = error
  }
  const isTyped = failure instanceof WiscError && failure.code !== 'WISC_INTERNAL'
  if (failure !== undefined && !isTyped) throw failure
  garbles = false
  await settled(fileSystem)
  if (!workload.leaves) return reads >= nth
  const store = await open(fileSystem.kill({ seed }))
  requireRight(await readAll(store), made, `opened again, ${hint}`)
  expect((await store.verify()).damage, hint).toEqual([])
  await store.close()
  return reads >= nth
}

for (const workload of WORKLOADS) {
  for (const [name, garble] of GARBLES) {
    test(`${workload.name}: one read finds ${name}`, async () => {
      const made = await workload.make()
      for (let nth = 1; ; nth++) {
        const hint = `read ${nth}, ${replayHint(seed)}`
        if (!(await runGarbled(workload, made, nth, garble, hint))) break
      }
    })
  }
}
