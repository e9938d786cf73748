/** What takes long is compressed by jobs: the loop is free, the order stays, and no job that fails loses a value. */
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Options } from '#dist/lib/contract/options.js'
import type { Job, ResultOf } from '#dist/lib/jobs/messages.js'
import type { JobRunner, RunOptions } from '#dist/lib/jobs/runner.js'
import { openStore } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import { DIRECTORY } from '../../support/crash/recover-image.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { PausedRunner } from '../../support/parts/paused-runner.ts'
import { seededRandom } from '../../support/random.ts'
import { documents, HAS_ZSTD } from '../../support/zstd.ts'

const SMALL = documents(4096, 1)
const LARGE = documents(3_000_000, 2)

interface Watched {
  readonly store: Store
  readonly runner: PausedRunner
  /** Chunks of each job that compressed. */
  readonly packs: number[]
}

/** @param fails called before each job that compresses */
async function openWatched(
  options: Options,
  fails: () => void = () => undefined,
): Promise<Watched> {
  const packs: number[] = []
  let runner: PausedRunner | undefined
  const parts = {
    fileSystem: new FaultFileSystem(),
    random: seededRandom(1),
    wrapRunner: (inner: JobRunner): JobRunner => {
      const run = async <J extends Job>(job: J, given?: RunOptions): Promise<ResultOf<J>> => {
        if (job.kind === 'compress') {
          packs.push(job.chunks.lengths.length)
          fails()
        }
        return inner.run(job, given)
      }
      runner = new PausedRunner({
        run,
        shareArena: (id, buffer) => inner.shareArena(id, buffer),
        forgetArena: (id) => inner.forgetArena(id),
        close: () => inner.close(),
      })
      return runner
    },
  }
  const collector = { enabled: false }
  const given: Options = { compression: 'zstd', workers: 0, collector, ...options }
  const store = await openStore(DIRECTORY, given, parts)
  return { store, runner: runner!, packs }
}

describe.skipIf(!HAS_ZSTD)('jobs compress', () => {
  test('values of several chunks, a MiB at a time, and none of one chunk', async () => {
    const { store, packs } = await openWatched({})
    await store.put('small', SMALL)
    expect(packs).toEqual([])
    await store.put('large', LARGE)
    expect(packs).toEqual([16, 16, 14])
    expect(store.getSync('large')?.equals(LARGE)).toBe(true)
    await store.close()
  })

  test('small values, too, of a level at which they take long, or when there are many: together', async () => {
    const slow = await openWatched({ compressionLevel: 19 })
    await Promise.all(['a', 'b', 'c'].map((key) => slow.store.put(key, SMALL)))
    expect(slow.packs).toEqual([3])
    await slow.store.close()
    const { store, packs } = await openWatched({})
    const keys = Array.from({ length: 400 }, (_, i) => `key ${i}`)
    await Promise.all(keys.map((key) => store.put(key, SMALL)))
    expect(packs.length).toBeGreaterThan(0)
    expect(packs.length).toBeLessThan(10)
    for (const key of keys) expect((await store.stat(key))!.codec, key).toBe('zstd')
    await store.close()
  })

  test('the first value of a run that does not compress, and the first one behind it', async () => {
    const { store, packs } = await openWatched({ compressionLevel: 19 })
    for (let i = 0; i < 40; i++) await store.put(`noise ${i}`, randomBytes(100_000))
    expect(packs).toEqual([2])
    // Up to 31 values pass untried.
    for (let i = 0; i < 32; i++) await store.put('large', LARGE)
    expect((await store.stat('large'))!.codec).toBe('zstd')
    expect(packs.slice(1, 4)).toEqual([16, 16, 14])
    await store.close()
  })

  test('the parts of a batch together', async () => {
    const { store, packs } = await openWatched({ compressionLevel: 9 })
    const values = [...Array.from({ length: 600 }, (_, i) => documents(3000, i)), LARGE, SMALL]
    const put = (value: Buffer, i: number): object => ({ type: 'put', key: `key ${i}`, value })
    await store.write(values.map(put) as [])
    expect(packs).toHaveLength(5)
    for (const [i, value] of values.entries())
      expect(store.getSync(`key ${i}`)?.equals(value), `${i}`).toBe(true)
    await store.close()
  })

  test('while writes behind them wait their turn', async () => {
    const { store, runner } = await openWatched({})
    runner.hold('compress', 'after')
    const settled: string[] = []
    const large = store.put('key', LARGE).then(() => settled.push('large'))
    await runner.reached('compress')
    const small = store.put('key', SMALL).then(() => settled.push('small'))
    const deleted = store.delete('other').then(() => settled.push('deleted'))
    await new Promise(setImmediate)
    expect(settled).toEqual([])
    expect(store.getSync('key')).toBeUndefined()
    runner.release('compress')
    await Promise.all([large, small, deleted])
    expect(settled).toEqual(['large', 'small', 'deleted'])
    expect(store.getSync('key')?.equals(SMALL)).toBe(true)
    await store.close()
  })

  test('and close waits for what was put', async () => {
    const { store, runner } = await openWatched({})
    runner.hold('compress', 'before')
    const put = store.put('key', LARGE)
    await runner.reached('compress')
    const closed = store.close()
    runner.release('compress')
    await put
    await closed
  })

  test('and what is transferred meanwhile is refused', async () => {
    const { store, runner } = await openWatched({})
    runner.hold('compress', 'before')
    const given = new Uint8Array(LARGE)
    const put = store.put('key', given)
    await runner.reached('compress')
    structuredClone(given.buffer, { transfer: [given.buffer] })
    runner.release('compress')
    await expect(put).rejects.toMatchObject({ code: 'WISC_INVALID_ARGUMENT' })
    await store.put('next', SMALL)
    await store.close()
  })

  test('and values stay as they are when the job fails, at first or in the middle', async () => {
    for (const good of [0, 1]) {
      let jobs = 0
      const { store } = await openWatched({}, () => {
        if (jobs++ >= good) throw new Error('the thread has died')
      })
      await store.put('key', LARGE)
      expect(await store.stat('key')).toMatchObject({ codec: 'none', size: LARGE.length })
      expect(store.getSync('key')?.equals(LARGE)).toBe(true)
      await store.close()
    }
  })

  test('in a worker, at any level', async () => {
    const { store } = await openWatched({ workers: 1, compressionLevel: 15 })
    const noise = randomBytes(200_000)
    await Promise.all([store.put('noise', noise), store.put('a', LARGE), store.put('b', SMALL)])
    expect((await store.stat('a'))!.codec).toBe('zstd')
    expect(store.getSync('a')?.equals(LARGE)).toBe(true)
    expect(store.getSync('b')?.equals(SMALL)).toBe(true)
    expect(store.getSync('noise')?.equals(noise)).toBe(true)
    await store.close()
  })
})
