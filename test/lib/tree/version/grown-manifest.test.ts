/** A manifest that has grown: a new one takes its place, and where none can be made the old one goes on. I1, I4, I5. */
import { expect, test } from 'vitest'
import type { ObsoleteFile } from '#dist/lib/tree/version/obsolete-files.js'
import { VersionSet } from '#dist/lib/tree/version/version-set.js'
import { crashStatesNow } from '../../../support/crash/crash-states.ts'
import type { CallKind } from '../../../support/files/fault-calls.ts'
import { FaultFileSystem } from '../../../support/files/fault-file-system.ts'
import { meta } from '../../../support/parts/table-metas.ts'
import { replayHint, seededRandom, testSeed } from '../../../support/random.ts'

const seed = testSeed()
const DIRECTORY = '/db'
const LONG_KEY = 'k'.repeat(60_000)

interface Grown {
  readonly fileSystem: FaultFileSystem
  readonly set: VersionSet
  readonly obsolete: ObsoleteFile[]
  /** Makes an edit of 120 KB, and waits until it is durable. */
  readonly grow: () => Promise<unknown>
}

/** A new store whose manifest, number 1, is about to be replaced: the next edit finds it too long. */
async function grownManifest(): Promise<Grown> {
  const fileSystem = new FaultFileSystem({ seed })
  fileSystem.makeDirectory(DIRECTORY)
  fileSystem.syncDirectory('/')
  const databaseId = new Uint8Array(16).fill(7)
  const random = seededRandom(1)
  const set = await VersionSet.create({ fileSystem, directory: DIRECTORY, databaseId, random })
  const obsolete: ObsoleteFile[] = []
  set.onObsolete((file) => obsolete.push(file))
  const grow = (): Promise<unknown> => {
    const number = set.fileNumbers.take()
    const removedTables = [...set.current.tables.keys()]
    const added = { level: 0, runId: number, meta: meta(number, LONG_KEY, `${LONG_KEY}z`) }
    return set.apply({ removedTables, addedTables: [added] })
  }
  while (lengthOf(fileSystem, 1) <= 4 * 1024 * 1024) await grow()
  return { fileSystem, set, obsolete, grow }
}

function lengthOf(fileSystem: FaultFileSystem, number: number): number {
  const path = `${DIRECTORY}/MANIFEST-${String(number).padStart(6, '0')}`
  const found = fileSystem.statPath(path)
  return found?.kind === 'file' ? found.size : 0
}

function currentManifest(fileSystem: FaultFileSystem): number {
  return VersionSet.read(fileSystem, DIRECTORY)!.number
}

function manifests(fileSystem: FaultFileSystem): string[] {
  return fileSystem.list(DIRECTORY).filter((name) => name.startsWith('MANIFEST'))
}

/** Whatever a power cut leaves now has every edit that was acknowledged. @returns how many states there are */
function expectDurable({ fileSystem, set }: Grown): number {
  let states = 0
  for (const state of crashStatesNow(fileSystem.model, { seed, tornOfNew: 2, tornOfOld: 1 })) {
    const read = VersionSet.read(new FaultFileSystem({}, state.image()), DIRECTORY)!
    expect(read.lastEditNumber, `${state.choice}; ${replayHint(seed)}`).toBeGreaterThanOrEqual(
      set.durableEdit,
    )
    states++
  }
  return states
}

test('I5: it is replaced, and reported obsolete once CURRENT names the new one durably', async () => {
  const grown = await grownManifest()
  const { fileSystem, set, obsolete, grow } = grown
  let states = 0
  let ready = false
  fileSystem.onCall = ({ kind }) => {
    if (kind === 'create' || kind === 'rename' || kind === 'syncDirectory')
      states += expectDurable(grown)
    if (kind === 'rename') ready = true
    if (!ready) expect(obsolete.filter((file) => file.kind === 'manifest')).toEqual([])
  }
  await grow()
  fileSystem.onCall = undefined
  expect(states + expectDurable(grown)).toBeGreaterThan(10)
  expect(currentManifest(fileSystem)).toBeGreaterThan(1)
  expect(obsolete).toContainEqual({ kind: 'manifest', number: 1 })
  expect(set.current.tables.size).toBe(1)
  await set.close()
  expect(fileSystem.openFiles).toBe(0)
  expect(fileSystem.violations).toEqual([])
})

test.each<[string, CallKind, RegExp]>([
  ['it cannot be created', 'create', /MANIFEST/],
  ['it cannot be written', 'write', /MANIFEST-(?!000001)/],
  ['CURRENT.tmp cannot be created', 'create', /CURRENT.tmp/],
  ['CURRENT.tmp cannot be written', 'write', /CURRENT.tmp/],
])('I4, I5: %s: the old one goes on, and it is tried again later', async (_, kind, path) => {
  const grown = await grownManifest()
  const { fileSystem, set, obsolete, grow } = grown
  const told: string[] = []
  set.onNotReplaced(({ code }) => told.push(code))
  let refused = 0
  fileSystem.faults = (call) => {
    if (call.kind !== kind || !path.test(call.path)) return undefined
    refused++
    return { errno: 'ENOSPC', partialBytes: Math.floor(call.bytes / 2) }
  }
  let states = 0
  fileSystem.onCall = (call) => {
    if (call.kind === 'unlink' || call.kind === 'syncDirectory') states += expectDurable(grown)
  }
  const { durableEdit } = set
  await Promise.all([grow(), set.apply({ lastSequence: 5 })])
  fileSystem.onCall = undefined
  expect(set.durableEdit).toBe(durableEdit + 2)
  expect(refused).toBe(1)
  expect(states + expectDurable(grown)).toBeGreaterThan(0)
  // Nothing of the new one is left, and none is tried for each edit.
  expect(manifests(fileSystem)).toEqual(['MANIFEST-000001'])
  for (let i = 0; i < 5; i++) await grow()
  expect(refused).toBe(1)
  expect(currentManifest(fileSystem)).toBe(1)
  expect(obsolete.filter((file) => file.kind === 'manifest')).toEqual([])
  expect(obsolete.length).toBeGreaterThan(30)
  for (let i = 0; i < 10; i++) await grow()
  expect(refused).toBe(2)
  expect(told).toEqual(['WISC_DISK_FULL', 'WISC_DISK_FULL'])
  fileSystem.faults = undefined
  for (let i = 0; i < 10; i++) await grow()
  expect(currentManifest(fileSystem)).toBeGreaterThan(1)
  expect(obsolete).toContainEqual({ kind: 'manifest', number: 1 })
  expect(expectDurable(grown)).toBeGreaterThan(0)
  await set.close()
  expect(fileSystem.openFiles).toBe(0)
  expect(fileSystem.violations).toEqual([])
})

test('I1: a rename that fails leaves in doubt which one CURRENT names: neither gets another edit', async () => {
  const grown = await grownManifest()
  const { fileSystem, set, obsolete, grow } = grown
  const length = lengthOf(fileSystem, 1)
  fileSystem.faults = ({ kind }) => (kind === 'rename' ? { errno: 'EIO' } : undefined)
  await expect(grow()).rejects.toMatchObject({ code: 'WISC_IO' })
  fileSystem.faults = undefined
  expect(manifests(fileSystem)).toHaveLength(2)
  await grow()
  expect(lengthOf(fileSystem, 1)).toBe(length)
  const { number } = VersionSet.read(fileSystem, DIRECTORY)!
  expect(obsolete.filter((file) => file.kind === 'manifest')).toHaveLength(2)
  expect(obsolete).not.toContainEqual({ kind: 'manifest', number })
  expect(expectDurable(grown)).toBeGreaterThan(0)
  await set.close()
  expect(fileSystem.openFiles).toBe(0)
})
