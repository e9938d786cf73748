/** The runner that stops jobs for tests of races. */
import { expect, test } from 'vitest'
import type { Job } from '#dist/lib/jobs/messages.js'
import { openStore } from '#dist/lib/store/open-store.js'
import { FaultFileSystem } from '../files/fault-file-system.ts'
import { PausedRunner } from './paused-runner.ts'

async function pausedStore() {
  const fileSystem = new FaultFileSystem()
  let runner: PausedRunner | undefined
  const store = await openStore(
    '/store',
    { workers: 0 },
    {
      fileSystem,
      wrapRunner: (inner) => {
        runner = new PausedRunner(inner)
        return runner
      },
    },
  )
  const tables = (): number =>
    fileSystem.list('/store').filter((name) => name.endsWith('.sst')).length
  return { store, runner: runner!, tables }
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

test('holds a job before it starts, and its result, until it is released', async () => {
  const { store, runner, tables } = await pausedStore()
  for (const [point, made] of [
    ['before', 0],
    ['after', 1],
  ] as const) {
    const before = tables()
    runner.hold('flush', point)
    await store.put('key', point)
    let flushed = false
    const flush = store.flush().then(() => {
      flushed = true
    })
    const job: Job = await runner.reached('flush')
    expect(job.kind).toBe('flush')
    await turns(50)
    expect(flushed).toBe(false)
    expect(tables() - before).toBe(made)
    runner.release('flush')
    await flush
    expect(tables() - before).toBe(1)
  }
  await store.put('key', 'not held')
  await store.flush()
  await store.close()
})

test('a job that is cancelled while it is held ends as any other', async () => {
  const { store, runner } = await pausedStore()
  for (let i = 0; i < 3; i++) {
    await store.put('key', String(i))
    await store.flush()
  }
  runner.hold('compaction', 'before')
  const abort = new AbortController()
  const compacted = store.compact(undefined, { signal: abort.signal })
  await runner.reached('compaction')
  abort.abort()
  await expect(compacted).rejects.toMatchObject({ code: 'WISC_ABORTED' })
  runner.release('compaction')
  await store.compact()
  expect(String(store.getSync('key'))).toBe('2')
  await store.close()
})
