/**
 * Calls that the system refuses for want of descriptors or memory: a write fails with WISC_IO, nothing that was
 * acknowledged is lost, and all goes on when they are back, without reopening.
 */
import { expect, test } from 'vitest'
import { VersionSet } from '#dist/lib/tree/version/version-set.js'
import { DIRECTORY } from '../../support/crash/recover-image.ts'
import { eventually } from '../../support/eventually.ts'
import type { Call, CallKind } from '../../support/files/fault-calls.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'

/** Few wait for the collector, and a flush is small. */
const OPTIONS = { collector: { enabled: false }, maxUnflushedLogBytes: 262_144 }
const VALUE = Buffer.alloc(3000, 7)

/** What needs a descriptor, and what may need one in the system. */
const REFUSED: readonly { readonly name: string; readonly kinds: readonly CallKind[] }[] = [
  { name: 'opens for reading', kinds: ['open'] },
  { name: 'creations', kinds: ['create'] },
  { name: 'lists of the directory', kinds: ['list'] },
  {
    name: 'everything that needs a descriptor',
    kinds: ['open', 'create', 'openDirectory', 'list'],
  },
  { name: 'writes for want of memory', kinds: ['write'] },
  { name: 'reads for want of memory', kinds: ['read'] },
]

for (const { name, kinds } of REFUSED) {
  test(`I1: ${name} are refused for a while: it all goes on by itself`, async () => {
    const fileSystem = new FaultFileSystem()
    const store = await openSmallStore(OPTIONS, fileSystem)
    const errors: unknown[] = []
    store.on('error', (error) => errors.push(error))
    const acknowledged: string[] = []
    const put = async (key: string): Promise<unknown> => {
      const code = await codeOf(() => store.put(key, VALUE))
      if (code === 'no error') acknowledged.push(key)
      return code
    }
    for (let i = 0; i < 200; i++) await put(`before${i}`)
    const errno = kinds.includes('write') || kinds.includes('read') ? 'ENOMEM' : 'EMFILE'
    for (let round = 0; round < 3; round++) {
      fileSystem.faults = ({ kind }: Call) => (kinds.includes(kind) ? { errno } : undefined)
      const codes = new Set<unknown>()
      for (let i = 0; i < 150; i++) codes.add(await put(`round${round}/${i}`))
      codes.add(await codeOf(() => store.flush()))
      codes.add(await codeOf(() => store.compact()))
      expect([...codes].filter((code) => code !== 'no error' && code !== 'WISC_IO')).toEqual([])
      fileSystem.faults = undefined
      // Somebody asks: it goes on at once.
      await store.flush()
      await store.put(`after${round}`, VALUE)
      acknowledged.push(`after${round}`)
    }
    await store.compact()
    expect(store.stats().backgroundError).toBeUndefined()
    expect(new Set(errors.map((error) => (error as { code: unknown }).code)).size).toBeLessThan(2)
    expect((await store.verify()).damage).toEqual([])
    for (const key of acknowledged) expect(store.getSync(key)?.equals(VALUE), key).toBe(true)
    await store.close()
    expect(fileSystem.violations).toEqual([])
    expect(fileSystem.openFiles).toBe(0)
    const again = await openSmallStore(OPTIONS, fileSystem)
    for (const key of acknowledged) expect(again.getSync(key)?.equals(VALUE), key).toBe(true)
  })
}

test('a flush that was refused is made again though nobody asks, and writes find it done', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore(OPTIONS, fileSystem)
  const errors: unknown[] = []
  store.on('error', (error) => errors.push(error))
  for (let i = 0; i < 20; i++) await store.put(`key${i}`, VALUE)
  fileSystem.faults = ({ kind, path }) =>
    kind === 'create' && path.endsWith('.sst') ? { errno: 'EMFILE' } : undefined
  await expect(store.flush()).rejects.toMatchObject({ code: 'WISC_IO', errno: 'EMFILE' })
  await eventually(() => expect(store.stats().backgroundError).toMatchObject({ code: 'WISC_IO' }))
  const codes: unknown[] = []
  for (let i = 0; i < 20; i++) codes.push(await codeOf(() => store.put('refused', VALUE)))
  expect(codes).toContain('WISC_IO')
  // Tried again several times meanwhile, and told of once.
  const tried = fileSystem.calls
  await eventually(() => expect(fileSystem.calls).toBeGreaterThan(tried + 3))
  expect(errors).toHaveLength(1)
  fileSystem.faults = undefined
  await eventually(() => expect(store.stats().backgroundError).toBeUndefined())
  expect(store.stats().flushes).toBe(1)
  await store.put('taken', VALUE)
  await store.close()
  expect(fileSystem.violations).toEqual([])
})

test('a close that comes when the calls are taken again does all that was refused before', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore(OPTIONS, fileSystem)
  for (let i = 0; i < 100; i++) await store.put(`key${i}`, VALUE)
  fileSystem.faults = ({ kind }) => (kind === 'create' ? { errno: 'EMFILE' } : undefined)
  for (let i = 0; i < 200; i++) await codeOf(() => store.put(`more${i}`, VALUE))
  await expect(store.flush()).rejects.toMatchObject({ code: 'WISC_IO' })
  fileSystem.faults = undefined
  await store.close()
  const again = await openSmallStore(OPTIONS, fileSystem)
  expect(again.stats().recovery).toMatchObject({ clean: true, replayedRecords: 0 })
})

test('I4: however often edits are refused, one prepared segment is left, and none when it closes', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore(OPTIONS, fileSystem)
  const segments = (): number =>
    fileSystem.list(DIRECTORY).filter((name) => name.endsWith('.vlog')).length
  let written = 0
  const write = async (): Promise<boolean> => {
    const isTaken = (await codeOf(() => store.put(`key${written}`, VALUE))) === 'no error'
    if (isTaken) written++
    return isTaken
  }
  const refuseEdits = async (times: number): Promise<void> => {
    let left = times
    fileSystem.faults = ({ kind, path }) => {
      if (kind !== 'write' || !path.includes('MANIFEST')) return undefined
      left--
      return { errno: 'EIO' }
    }
    while ((await write()) || left > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  while (written < 50) await write()
  await refuseEdits(4)
  const before = segments()
  await refuseEdits(8)
  expect(segments()).toBe(before)
  fileSystem.faults = undefined
  await eventually(async () => expect(await write()).toBe(true))
  await refuseEdits(2)
  fileSystem.faults = undefined
  await store.close()
  expect(segments()).toBe(VersionSet.read(fileSystem, DIRECTORY)!.version.segments.size)
  expect(fileSystem.violations).toEqual([])
  expect(fileSystem.openFiles).toBe(0)
  const again = await openSmallStore(OPTIONS, fileSystem)
  for (let i = 0; i < written; i++) expect(again.getSync(`key${i}`)?.equals(VALUE)).toBe(true)
})
