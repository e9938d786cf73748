/** Deletes have the room of the ballast: none of them is told of a disk that is only now found to be full. */
import { expect, test } from 'vitest'
import type { Store } from '#dist/lib/store/store.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'

const OPTIONS = { segmentBytes: 1024 * 1024, collector: { enabled: false } }
const KEYS = Array.from({ length: 400 }, (_, i) => `key${i}`)
/** A batch of deletes that takes most of a segment. */
const MANY = Array.from({ length: 150 }, (_, i) => ({
  type: 'delete' as const,
  key: `${i}`.padEnd(5000, 'absent'),
}))

async function filledStore(fileSystem: FaultFileSystem): Promise<Store> {
  const store = await openSmallStore(OPTIONS, fileSystem)
  await Promise.all(KEYS.map((key) => store.put(key, Buffer.alloc(3000, key))))
  await store.flush()
  expect(fileSystem.statPath('/db/BALLAST')).toBeDefined()
  return store
}

async function expectWithout(store: Store, deleted: number): Promise<void> {
  for (const key of KEYS.slice(0, deleted)) expect(store.getSync(key), key).toBeUndefined()
  for (const key of KEYS.slice(deleted)) expect(store.getSync(key)?.length, key).toBe(3000)
  expect((await store.verify()).damage).toEqual([])
}

test.each([
  ['the name of the next segment', /\.vlog$/, 'create'],
  [
    'the edit that adds the next segment, seals the last one, or moves the checkpoint',
    /MANIFEST/,
    'write',
  ],
  ['the table of a flush that they wait for', /\.sst$/, 'write'],
] as const)('when there is no room for %s', async (_, path, kind) => {
  const fileSystem = new FaultFileSystem()
  const store = await filledStore(fileSystem)
  let refused = 0
  // Not enough for puts, so that the ballast does not come back.
  fileSystem.freeBytes = () => 100_000
  fileSystem.faults = (call) => {
    if (call.kind !== kind || !path.test(call.path)) return undefined
    if (fileSystem.statPath('/db/BALLAST') === undefined) return undefined
    refused++
    return { errno: 'ENOSPC' }
  }
  for (let i = 0; i < 6; i++) await store.write(MANY)
  expect(refused).toBe(1)
  expect(store.stats()).toMatchObject({ ballastBytes: 0 })
  await store.delete('key0', { sync: true })
  await expectWithout(store, 1)
  await store.close()
  await expectWithout(await openSmallStore(OPTIONS, fileSystem), 1)
  expect(fileSystem.violations).toEqual([])
})

test.each([
  ['in part', 0.6],
  ['not at all', 0],
  ['though it was written', 1],
])('when there is no room for their own frame, which gets to the disk %s', async (_, part) => {
  const fileSystem = new FaultFileSystem()
  const store = await filledStore(fileSystem)
  let refused = 0
  fileSystem.faults = ({ kind, path, bytes }) => {
    if (kind !== 'write' || !path.endsWith('.vlog') || refused > 0) return undefined
    refused++
    return { errno: 'ENOSPC', partialBytes: Math.floor(bytes * part) }
  }
  // One group, before it is known: what is in it has the answer that it would have alone.
  const answers = await Promise.all([
    codeOf(() => store.delete('key0')),
    codeOf(() => store.put('key2', 'new')),
    codeOf(() => store.delete('key1', { sync: true })),
    codeOf(() => store.write([...MANY, { type: 'put', key: 'key3', value: 'new' }])),
  ])
  expect(answers).toEqual(['no error', 'WISC_DISK_FULL', 'no error', 'WISC_DISK_FULL'])
  await expectWithout(store, 2)
  fileSystem.kill()
  await expectWithout(await openSmallStore(OPTIONS, fileSystem.kill()), 2)
  expect(fileSystem.violations).toEqual([])
})

test('a disk that is full to the last byte has the room of the ballast for them, and no more', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await filledStore(fileSystem)
  fileSystem.capacityBytes -= fileSystem.freeBytes('/')
  const { ballastBytes } = store.stats()
  let bytes = 0
  for (const key of KEYS) {
    const code = await codeOf(() => store.write([...MANY.slice(0, 2), { type: 'delete', key }]))
    if (code === 'no error') bytes += 10_000
    else expect(code).toBe('WISC_DISK_FULL')
    if (code !== 'no error') break
  }
  // Half of it is for others.
  expect(bytes).toBeGreaterThan(ballastBytes / 4)
  expect(bytes).toBeLessThan(ballastBytes)
  await store.close()
  expect(fileSystem.violations).toEqual([])
})
