/** A full disk: puts are refused, deletes go on, nothing is lost, and it all goes on when there is space again. */
import { expect, test } from 'vitest'
import { Ballast, type BallastNeed } from '#dist/lib/engine/ballast.js'
import type { Store } from '#dist/lib/store/store.js'
import { eventually } from '../../support/eventually.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { DATABASE_ID } from '../../support/parts/log-segments.ts'
import { seededRandom } from '../../support/random.ts'
import { CollectedStore } from '../../support/store/collected-store.ts'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'
import { settled } from '../../support/store/settled.ts'

const CAPACITY = 1_500_000
const VALUE = Buffer.alloc(3000, 7)

function need(storeBytes: number): BallastNeed {
  return { storeBytes, tableBytesToCome: 0 }
}

/** The ballast of a store is at most half a segment. */
const LARGE_SEGMENTS = { segmentBytes: 1024 * 1024, collector: { enabled: false } }

function usage(fileSystem: FaultFileSystem): { readonly used: number } {
  return { used: fileSystem.capacityBytes - fileSystem.freeBytes('/') }
}

/** Another program writes until nothing is left. @returns its bytes */
async function fillRest(fileSystem: FaultFileSystem): Promise<number> {
  const bytes = fileSystem.freeBytes('/')
  const file = fileSystem.open('/others', 'create')
  file.write(Buffer.alloc(bytes), 0, bytes, 0)
  file.close()
  return bytes
}

/** Puts until the disk is full. @returns what was acknowledged */
async function fillDisk(store: Store, value = VALUE): Promise<string[]> {
  const keys: string[] = []
  for (let i = 0; i < 2000; i++) {
    const code = await codeOf(() => store.put(`key${i}`, value))
    if (code === 'no error') keys.push(`key${i}`)
    else {
      expect(code).toBe('WISC_DISK_FULL')
      return keys
    }
  }
  return expect.unreachable('the disk never got full')
}

function expectAll(store: Store, keys: readonly string[], value = VALUE): void {
  for (const key of keys) expect(store.getSync(key)?.equals(value), key).toBe(true)
}

test('puts get WISC_DISK_FULL, deletes go on, also in one tick with puts', async () => {
  const fileSystem = new FaultFileSystem({ capacityBytes: CAPACITY })
  const store = await openSmallStore({}, fileSystem)
  const keys = await fillDisk(store)
  expect(store.stats().backgroundError).toMatchObject({ code: 'WISC_DISK_FULL' })
  expect(store.stats().ballastBytes).toBe(0)
  const results = await Promise.all([
    codeOf(() => store.delete(keys[0]!)),
    codeOf(() => store.put('more', VALUE)),
    codeOf(() => store.delete(keys[1]!)),
    codeOf(() =>
      store.write([
        { type: 'delete', key: 'x' },
        { type: 'put', key: 'y', value: 'z' },
      ]),
    ),
    codeOf(() => store.delete(keys[2]!, { sync: true })),
  ])
  expect(results).toEqual(['no error', 'WISC_DISK_FULL', 'no error', 'WISC_DISK_FULL', 'no error'])
  expectAll(store, keys.slice(3))
  for (const key of keys.slice(0, 3)) expect(store.getSync(key)).toBeUndefined()
  expect(fileSystem.violations).toEqual([])
})

test('goes on without a restart when there is space again', async () => {
  const fileSystem = new FaultFileSystem({ capacityBytes: CAPACITY })
  const store = await openSmallStore({}, fileSystem)
  const keys = await fillDisk(store)
  fileSystem.capacityBytes = 2 ** 40
  // The first writes find that there is space again and may still be refused.
  await eventually(async () =>
    expect(await codeOf(() => store.put('first', VALUE))).toBe('no error'),
  )
  for (let i = 0; i < 100; i++) {
    await store.put(`more${i}`, VALUE)
    keys.push(`more${i}`)
  }
  await store.flush()
  expect(store.stats().backgroundError).toBeUndefined()
  expect(store.stats().ballastBytes).toBeGreaterThan(0)
  expectAll(store, keys)
  expect((await store.verify()).damage).toEqual([])
  await store.close()
  expect(fileSystem.violations).toEqual([])
})

test('closes when full, and opens with everything that was acknowledged', async () => {
  const fileSystem = new FaultFileSystem({ capacityBytes: CAPACITY })
  const store = await openSmallStore({}, fileSystem)
  const keys = await fillDisk(store)
  await store.close()
  expect(fileSystem.openFiles).toBe(0)
  expect(fileSystem.violations).toEqual([])
  fileSystem.capacityBytes = 2 ** 40
  const again = await openSmallStore({}, fileSystem)
  expectAll(again, keys)
})

test('closes when full on a disk that cannot even be listed, and lets everything go', async () => {
  const fileSystem = new FaultFileSystem({ capacityBytes: CAPACITY })
  const store = await openSmallStore({}, fileSystem)
  const keys = await fillDisk(store)
  fileSystem.faults = ({ kind }) => (kind === 'list' ? { errno: 'EIO' } : undefined)
  await store.close()
  expect(fileSystem.openFiles).toBe(0)
  fileSystem.faults = undefined
  fileSystem.capacityBytes = 2 ** 40
  expectAll(await openSmallStore({}, fileSystem), keys)
})

test('deletes without end are refused, too, rather than waiting for ever; close still works', async () => {
  const fileSystem = new FaultFileSystem({ capacityBytes: CAPACITY })
  const store = await openSmallStore({}, fileSystem)
  const keys = await fillDisk(store)
  // Not one byte more, whatever is given up.
  fileSystem.capacityBytes = 0
  let code: unknown
  for (let i = 0; i < 5000; i++) {
    code = await codeOf(() => store.delete(`absent${i}`))
    if (code !== 'no error') break
  }
  expect(code).toBe('WISC_DISK_FULL')
  await store.close()
  fileSystem.capacityBytes = 2 ** 40
  expectAll(await openSmallStore({}, fileSystem), keys)
})

test('a read-only open works on a full disk', async () => {
  const fileSystem = new FaultFileSystem({ capacityBytes: CAPACITY })
  const store = await openSmallStore({}, fileSystem)
  const keys = await fillDisk(store)
  fileSystem.capacityBytes = 0
  const reader = await openSmallStore({ readOnly: true }, fileSystem)
  expectAll(reader, keys)
})

test('the ballast holds real bytes; one that cannot be made, or is given up half way, leaves nothing', async () => {
  const fileSystem = new FaultFileSystem({ capacityBytes: 3_000_000 })
  fileSystem.makeDirectory('/db')
  const context = { fileSystem, directory: '/db', databaseId: DATABASE_ID, random: seededRandom(1) }
  const ballast = new Ballast(context, 64 * 1024 * 1024)
  expect(await ballast.grow(need(0))).toBeUndefined()
  expect(ballast.bytes).toBe(65536)
  expect(fileSystem.statPath('/db/BALLAST')?.size).toBe(65536)
  // Not made again for less than twice its size.
  await ballast.grow(need(100_000 * 16))
  expect(ballast.bytes).toBe(65536)
  // It grows at its end, to what leaves as much for others.
  expect(await ballast.grow(need(2 ** 40))).toBeUndefined()
  expect(ballast.bytes).toBe(65536 + (3_000_000 - 65536) / 2)
  expect(ballast.bytesWritten).toBe(ballast.bytes)
  ballast.release()
  // A small one only if it is asked for.
  fileSystem.capacityBytes = 100_000
  expect(await ballast.grow(need(2 ** 40))).toMatchObject({ code: 'WISC_DISK_FULL' })
  expect(fileSystem.statPath('/db/BALLAST')).toBeUndefined()
  expect(await ballast.grow(need(2 ** 40), 40_000)).toBeUndefined()
  expect(ballast.bytes).toBe(50_000)
  ballast.release()
  fileSystem.capacityBytes = 3_000_000
  const growing = ballast.grow(need(1_000_000 * 16))
  ballast.release()
  await growing
  expect(ballast.bytes).toBe(0)
  expect(fileSystem.statPath('/db/BALLAST')).toBeUndefined()
  fileSystem.faults = ({ kind }) =>
    kind === 'unlink' || kind === 'stat' ? { errno: 'EIO' } : undefined
  ballast.release()
  await ballast.close()
  expect(fileSystem.violations).toEqual([])
  expect(fileSystem.openFiles).toBe(0)
})

test('the ballast follows the store while it grows, in one session', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore(LARGE_SEGMENTS, fileSystem)
  const sizes = new Set<number>()
  for (let i = 0; i < 2000; i++) {
    await store.put(`key${i}`, VALUE)
    sizes.add(store.stats().ballastBytes)
  }
  const { ballastBytes, ballastBytesWritten, diskBytes } = store.stats()
  expect(ballastBytes).toBeGreaterThan(diskBytes / 40)
  expect(ballastBytes).toBeLessThan(diskBytes / 8)
  // It grew at its end: nothing was written twice.
  expect(ballastBytesWritten).toBe(ballastBytes)
  expect(sizes.size).toBeGreaterThan(2)
  await store.close()
  expect(fileSystem.openFiles).toBe(0)
  expect(fileSystem.violations).toEqual([])
})

test('a disk filled in one session: deletes, flush, collect, close and open go on, full as it is', async () => {
  const fileSystem = new FaultFileSystem({ capacityBytes: 6_000_000 })
  let store = await openSmallStore(LARGE_SEGMENTS, fileSystem)
  const keys = await fillDisk(store)
  for (const key of keys.slice(0, 500)) await store.delete(key)
  await store.flush()
  await store.close()
  // Somebody else takes what is free: the ballast is what there is.
  const others = await fillRest(fileSystem)
  store = await openSmallStore(LARGE_SEGMENTS, fileSystem)
  expectAll(store, keys.slice(500))
  for (const key of keys.slice(500, 800)) await store.delete(key)
  const report = await store.collect({ targetSpaceAmplification: 1 })
  expect(report.bytesFreed).toBeGreaterThan(1_000_000)
  // Whoever has waited for the space has it.
  await store.put('again', VALUE)
  expectAll(store, [...keys.slice(800), 'again'])
  expect((await store.verify()).damage).toEqual([])
  await store.close()
  expect(fileSystem.violations).toEqual([])
  expect(others).toBeGreaterThan(0)
})

test('I1: what must be done finds the room of the ballast: a flush, and a close', async () => {
  const fileSystem = new FaultFileSystem()
  for (const last of ['flush', 'close'] as const) {
    fileSystem.capacityBytes = 2 ** 40
    const store = await openSmallStore(LARGE_SEGMENTS, fileSystem)
    for (let i = 0; i < 300; i++) await store.put(`${last}${i}`, VALUE)
    await eventually(() => expect(store.stats().ballastBytes).toBeGreaterThan(40_000))
    fileSystem.capacityBytes = usage(fileSystem).used
    if (last === 'flush') {
      await store.flush()
      expect(await codeOf(() => store.put('more', VALUE))).toBe('WISC_DISK_FULL')
      await store.delete('key1')
    }
    await store.close()
    const again = await openSmallStore(LARGE_SEGMENTS, fileSystem)
    expect(again.stats().recovery).toMatchObject({ clean: true, replayedRecords: 0 })
    expect(again.getSync(`${last}7`)?.equals(VALUE)).toBe(true)
    await again.close()
  }
  expect(fileSystem.violations).toEqual([])
})

test('a collection that has no room for a compaction gives back what needs none, then compacts', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({ collector: { enabled: false } }, fileSystem)
  for (let i = 0; i < 200; i++) await store.put(`key${i}`, VALUE)
  await store.flush()
  // Dead already, in segments of their own.
  for (let i = 0; i < 200; i++) await store.put(`brief${i}`, VALUE)
  for (let i = 0; i < 200; i++) await store.delete(`brief${i}`)
  await store.flush()
  for (let i = 0; i < 200; i += 2) await store.delete(`key${i}`)
  await store.flush()
  let unlinks = 0
  let refused = 0
  fileSystem.faults = ({ kind, path }) => {
    if (kind === 'unlink' && path.endsWith('.vlog')) unlinks++
    if (kind !== 'write' || !path.endsWith('.sst') || unlinks > 2) return undefined
    refused++
    return { errno: 'ENOSPC' }
  }
  const report = await store.collect({ targetSpaceAmplification: 1 })
  expect(refused).toBeGreaterThan(0)
  expect(report.steps.map(({ action }) => action)).toContain('drop')
  expect(report.bytesFreed).toBeGreaterThan(400 * 3000 * 0.6)
  for (let i = 1; i < 200; i += 2) expect(store.getSync(`key${i}`)?.equals(VALUE)).toBe(true)
  await store.close()
  expect(fileSystem.violations).toEqual([])
})

/** A store of inline values whose first compaction is about to begin; `runner` lets it. */
async function heldBeforeCompaction(): Promise<CollectedStore> {
  const opened = await CollectedStore.open({
    collector: { enabled: false },
    valueThreshold: 100_000,
  })
  const { store, runner } = opened
  runner.hold('compaction', 'before')
  for (let round = 0; round < 6; round++) {
    for (let i = 0; i < 20; i++) await store.put(`key${i}`, VALUE)
    await store.flush()
  }
  await runner.reached('compaction')
  return opened
}

test('a compaction that found no room is not begun again and again: it waits until there is more', async () => {
  const { store, fileSystem, runner } = await heldBeforeCompaction()
  let created = 0
  fileSystem.faults = ({ kind, path }) => {
    if (!path.endsWith('.sst')) return undefined
    if (kind === 'create') created++
    return kind === 'write' ? { errno: 'ENOSPC' } : undefined
  }
  runner.release('compaction')
  await eventually(() =>
    expect(store.stats().backgroundError).toMatchObject({ code: 'WISC_DISK_FULL' }),
  )
  const before = created
  for (let i = 0; i < 12; i++) {
    await store.delete(`key${i}`)
    // Longer than it takes until the disk is asked anew for its room.
    await new Promise((resolve) => setTimeout(resolve, 120))
  }
  expect(created).toBe(before)
  fileSystem.faults = undefined
  fileSystem.capacityBytes += 4 * 1024 * 1024
  await eventually(async () => {
    await store.delete('key1')
    expect(store.stats().compactions).toBeGreaterThan(0)
    expect(store.stats().backgroundError).toBeUndefined()
  })
  await store.close()
  expect(fileSystem.violations).toEqual([])
})

test('flushes go on while a compaction waits for room', async () => {
  const { store, fileSystem, runner } = await heldBeforeCompaction()
  fileSystem.faults = ({ kind, path }) =>
    kind === 'write' && path.endsWith('.sst') ? { errno: 'ENOSPC' } : undefined
  runner.release('compaction')
  await eventually(() =>
    expect(store.stats().backgroundError).toMatchObject({ code: 'WISC_DISK_FULL' }),
  )
  fileSystem.faults = undefined
  const { flushes } = store.stats()
  for (let i = 0; i < 12; i++) {
    await store.delete(`key${i}`)
    await store.flush()
  }
  expect(store.stats()).toMatchObject({ flushes: flushes + 12, compactions: 0 })
  await store.close()
  expect(fileSystem.violations).toEqual([])
})

test('on a full disk the collector gives back what deletes expose, within its own bound, too; puts go on', async () => {
  const fileSystem = new FaultFileSystem({ capacityBytes: 6_000_000 })
  const store = await openSmallStore({ segmentBytes: 1024 * 1024 }, fileSystem)
  const value = Buffer.alloc(20_000, 7)
  const keys = await fillDisk(store, value)
  // Some of each segment, and less than the slack of two segments: the store stays within its bound.
  const isDeleted = (_key: string, i: number): boolean => i % 5 < 2
  const deleted = keys.filter(isDeleted)
  for (const key of deleted) await store.delete(key)
  const code = () => codeOf(() => store.put('one more', value))
  while ((await code()) === 'WISC_DISK_FULL') await settled(fileSystem)
  expect(await code()).toBe('no error')
  expect(store.stats().collector.bytesFreed).toBeGreaterThan(600_000)
  expectAll(
    store,
    keys.filter((key, i) => !isDeleted(key, i)),
    value,
  )
  for (const key of deleted) expect(store.getSync(key)).toBeUndefined()
  await store.close()
  expect(fileSystem.violations).toEqual([])
})
