/** The order of a flush and of a compaction, seen from the file system. */
import { expect, test } from 'vitest'
import type { Call } from '../../support/files/fault-calls.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { openSmallStore } from '../../support/store/fault-store.ts'

/** Flushes and compactions begin only when the test wants them. */
const NOT_COLLECTED = { collector: { enabled: false } }

/** Runs `look` at each call of the store, but not for the calls that looking makes. */
function watch(fileSystem: FaultFileSystem, look: (call: Call) => void): void {
  let looking = false
  fileSystem.onCall = (call) => {
    if (looking) return
    looking = true
    look(call)
    looking = false
  }
}

test('I3: a table is published only when the log is durable up to its highest record', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore(NOT_COLLECTED, fileSystem)
  for (let i = 0; i < 200; i++) await store.put(`key${i}`, Buffer.alloc(i))
  expect(store.stats().durableSequence).toBeLessThan(200)
  let tables = 0
  let publications = 0
  watch(fileSystem, ({ kind, path }) => {
    if (kind === 'create' && path.endsWith('.sst')) tables++
    if (kind !== 'write' || !path.includes('MANIFEST') || tables === 0) return
    publications++
    expect(store.stats().durableSequence).toBe(200)
  })
  await store.flush()
  expect(tables).toBeGreaterThan(0)
  expect(publications).toBeGreaterThan(0)
})

test('I5: inputs of a compaction are unlinked only when its edit is durable', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore(NOT_COLLECTED, fileSystem)
  for (const round of [1, 2]) {
    for (let i = 0; i < 100; i++) await store.put(`key${i}`, `${round}`)
    await store.flush()
  }
  let manifestSynced = false
  let unlinked = 0
  watch(fileSystem, ({ kind, path }) => {
    if (kind === 'write' && path.includes('MANIFEST')) manifestSynced = false
    if (kind === 'sync' && path.includes('MANIFEST')) manifestSynced = true
    if (kind !== 'unlink' || !path.endsWith('.sst')) return
    unlinked++
    expect(manifestSynced).toBe(true)
    expect(store.stats().tables).toBe(1)
  })
  await store.compact()
  expect(unlinked).toBe(2)
  expect(fileSystem.violations).toEqual([])
})

test('I1: a compaction whose sync fails while the store closes poisons it like any other', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore(NOT_COLLECTED, fileSystem)
  let flushed = false
  let closing: Promise<unknown> | undefined
  fileSystem.faults = ({ kind, path }) => {
    if (!flushed || kind !== 'sync' || !path.endsWith('.sst')) return undefined
    // The call is under way: the compaction is cancelled behind it.
    closing = store.close().then(
      () => 'closed',
      (error: { code?: unknown }) => error.code,
    )
    fileSystem.faults = undefined
    return { errno: 'EIO' }
  }
  for (let round = 0; closing === undefined; round++) {
    expect(round).toBeLessThan(20)
    for (let i = 0; i < 20; i++) await store.put(`key${i}`, `${round}`)
    flushed = false
    await store.flush()
    flushed = true
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
  expect(await closing).toBe('WISC_SYNC_FAILED')
  expect(fileSystem.violations).toEqual([])
})
