/** What `wisc gc --dry-run` foretells against what a collection then does, on stores of several kinds. */
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { CollectionReport } from '#dist/lib/contract/collection.js'
import type { Options } from '#dist/lib/contract/options.js'
import {
  type CollectionForecast,
  forecastCollection,
} from '#dist/lib/inspect/collection/forecast.js'
import { openStore as open } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import { temporaryDirectory } from '../../../support/files/temporary-directory.ts'
import { Prng } from '../../../support/random.ts'

const OPTIONS: Options = {
  workers: 0,
  segmentBytes: 512 * 1024,
  collector: { enabled: false },
}

/** Always the same: where a step more or less decides about a goal, no forecast of bytes can be sure. */
const SEED = 7

type Fill = (store: Store, random: Prng) => Promise<void>

async function putAll(store: Store, count: number, keys: number, length: (i: number) => number) {
  for (let i = 0; i < count; i++) await store.put(`key ${i % keys}`, Buffer.alloc(length(i), i))
}

const KINDS: Readonly<Record<string, Fill>> = {
  'overwrites of large values': async (store, random) => {
    await putAll(store, 200, 60, (i) => 20_000 + (i % 7) * 5000)
    await store.flush()
    for (let i = 0; i < 40; i++) await store.put(`key ${random.below(60)}`, Buffer.alloc(30_000, i))
  },
  'overwrites of small values': async (store, random) => {
    for (let i = 0; i < 6000; i++) {
      await store.put(`key ${random.below(1500)}`, Buffer.alloc(100 + (i % 7) * 30, i))
      if (i % 2000 === 1999) await store.flush()
    }
  },
  'values of some kilobytes, hidden in every table': async (store, random) => {
    for (let i = 0; i < 2000; i++) {
      await store.put(`key ${random.below(500)}`, Buffer.alloc(1500 + (i % 7) * 300, i))
      if (i % 500 === 499) await store.flush()
    }
  },
  deletes: async (store, random) => {
    await putAll(store, 900, 900, () => 2500)
    await store.flush()
    for (let i = 0; i < 900; i++) if (random.below(10) < 7) await store.delete(`key ${i}`)
  },
  'all of it': async (store, random) => {
    const lengths = [50, 500, 3000, 40_000]
    for (let i = 0; i < 1500; i++) {
      const key = `key ${random.below(400)}`
      if (random.below(5) === 0) await store.delete(key)
      else await store.put(key, Buffer.alloc(lengths[random.below(4)]!, i))
      if (i % 400 === 399) await store.flush()
    }
  },
  'after snapshots': async (store, random) => {
    for (let i = 0; i < 1200; i++) {
      await store.put(`key ${random.below(300)}`, Buffer.alloc(2000 + (i % 5) * 1000, i))
      if (i % 300 !== 299) continue
      store.snapshot()
      await store.flush()
    }
  },
  'nothing in tables yet': (store) => putAll(store, 400, 100, () => 5000),
  'no garbage at all': (store) => putAll(store, 200, 200, () => 5000),
}

async function forecast(db: string, target: number | undefined): Promise<CollectionForecast> {
  const store = await open(db, { readOnly: true })
  const wishes = { target, segments: undefined, maxCopyBytes: undefined }
  const { signal } = new AbortController()
  try {
    return await forecastCollection(store, wishes, { owner: undefined, readers: [], signal })
  } finally {
    await store.close()
  }
}

/** Within 5 %, or two blocks where next to nothing is done. */
function expectNear(done: number, foretold: number, what: string): void {
  const error = Math.abs(done - foretold)
  expect(error, `${what}: foretold ${foretold}, done ${done}`).toBeLessThanOrEqual(
    Math.max(8192, done * 0.05),
  )
}

function check(found: CollectionForecast, report: CollectionReport): void {
  expectNear(report.bytesFreed, found.bytesFreed, 'bytes freed')
  expectNear(report.bytesCopied, found.bytesCopied, 'bytes copied')
}

describe.each(Object.entries(KINDS))('%s', (_name, fill) => {
  test.each([undefined, 1.1, 1])('to the target %s', async (target) => {
    const db = path.join(temporaryDirectory(), 'store')
    const filled = await open(db, OPTIONS)
    await fill(filled, new Prng(SEED))
    await filled.close()
    const found = await forecast(db, target)
    const store = await open(db, { workers: 0, collector: { enabled: false } })
    const report = await store.collect(
      target === undefined ? {} : { targetSpaceAmplification: target },
    )
    await store.close()
    check(found, report)
  })
})

test('what a reader of another process pins is not counted as garbage', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  const store = await open(db, OPTIONS)
  await putAll(store, 400, 100, () => 5000)
  const snapshot = store.snapshot()
  await putAll(store, 400, 100, () => 6000)
  const view = await open(db, { readOnly: true })
  const found = await forecastCollection(
    view,
    { target: 1, segments: undefined, maxCopyBytes: undefined },
    {
      owner: {
        targetSpaceAmplification: 1.3,
        segmentBytes: 512 * 1024,
        punchHoles: true,
        prefer: 'balanced',
      },
      readers: [snapshot.sequence],
      signal: new AbortController().signal,
    },
  )
  await view.close()
  const report = await store.collect({ targetSpaceAmplification: 1 })
  check(found, report)
  expect(found.before.pinnedBytes).toBeGreaterThan(0)
  expect(report.after.pinnedBytes).toBeGreaterThan(0)
  await store.close()
})
