/**
 * Opens a store on what a power cut left, reads all of it, and opens it once more: both times the same.
 */
import { WiscError } from '#dist/lib/base/errors.js'
import { parseFileName } from '#dist/lib/base/files/file-names.js'
import type { Options } from '#dist/lib/contract/options.js'
import type { Snapshot } from '#dist/lib/contract/types.js'
import { tablesOf } from '#dist/lib/state/tables.js'
import { openStore } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import { VersionSet } from '#dist/lib/tree/version/version-set.js'
import type { DiskImage } from '../files/disk-model.ts'
import { FaultFileSystem } from '../files/fault-file-system.ts'
import { seededRandom } from '../random.ts'
import { settled } from '../store/settled.ts'
import { hashOfImage } from './crash-states.ts'
import type { Oracle } from './oracle.ts'

/** Where stores lie in the file system in memory. */
export const DIRECTORY = '/db'

/** What a store was found to hold: for each key the operation that its value comes from. */
export type Entries = ReadonlyMap<string, number>

/**
 * What stores on images of one workload were found to hold, by the hashes of these: many runs, faults and states end
 * in the same image. It says nothing of what had to be there.
 */
export class KnownImages {
  /** Of images that were opened, read, closed and opened again; undefined where there is no store. */
  readonly opened: Map<string, Entries | undefined> = new Map()
  /** Of those that such an open has left behind. */
  readonly reopened: Map<string, Entries> = new Map()
}

export interface Recovered {
  /** undefined if there is no store. */
  readonly entries: Entries | undefined
  /** Positions whose state was found, or undefined if there is no store. */
  readonly positions: readonly number[] | undefined
  /** The steps of the first open, up to the moment when it had been read. */
  readonly fileSystem: FaultFileSystem
  readonly steps: number
}

export interface RecoverOptions {
  /** Also checks every checksum and pointer. */
  readonly verify?: boolean
  /** What an open leaves behind is opened again once. For recoveries of one workload. */
  readonly known?: KnownImages
}

/**
 * Opens, reads, closes; and again.
 * @throws what the store throws, and Error for whatever a recovery must not leave
 */
export async function recoverImage(
  image: DiskImage,
  oracle: Oracle,
  options: Options,
  seed: number,
  { verify = false, known }: RecoverOptions = {},
): Promise<Recovered> {
  const fileSystem = new FaultFileSystem({ seed }, image)
  let steps = 0
  const open = async (which: string): Promise<Entries | undefined> => {
    const found = await readOnce(fileSystem, oracle, options, seed, verify, () => {
      if (steps === 0) steps = fileSystem.log.length
    })
    if (found === undefined) return undefined
    if (fileSystem.violations.length > 0) {
      throw new Error(`${which}: ${fileSystem.violations.slice(0, 3).join('; ')}`)
    }
    if (fileSystem.openFiles > 0)
      throw new Error(`${which}: ${fileSystem.openFiles} files left open`)
    return found
  }
  const entries = await open('first open')
  const positions = entries && oracle.positionsOf(entries)
  if (positions === undefined) return { entries, positions, fileSystem, steps }
  const left = known && hashOfImage(fileSystem.visibleImage())
  let found = verify ? undefined : known?.reopened.get(left!)
  if (found === undefined) {
    found = await open('second open')
    checkNoOrphans(fileSystem)
    if (found) known?.reopened.set(left!, found)
  }
  const again = found && oracle.positionsOf(found)
  if (again?.join() !== positions.join()) {
    throw new Error(`the second open finds the state at ${again}, the first one at ${positions}`)
  }
  return { entries, positions, fileSystem, steps }
}

/** A closed store holds no file that its version does not. */
export function checkNoOrphans(fileSystem: FaultFileSystem): void {
  const { version, number: manifest } = VersionSet.read(fileSystem, DIRECTORY)!
  const tables = new Set(tablesOf(version).map(({ number }) => number))
  for (const name of fileSystem.list(DIRECTORY)) {
    const file = parseFileName(name)
    if (file === undefined) {
      if (['CURRENT', 'LOCK', 'BALLAST', 'lost'].includes(name)) continue
      throw new Error(`unknown file left: ${name}`)
    }
    const { kind, number } = file
    const isHeld = {
      table: tables.has(number),
      segment: version.files.has(number),
      manifest: number === manifest,
    }[kind]
    if (!isHeld) throw new Error(`orphan left: ${name}`)
  }
}

async function readOnce(
  fileSystem: FaultFileSystem,
  oracle: Oracle,
  options: Options,
  seed: number,
  verify: boolean,
  opened: () => void,
): Promise<Entries | undefined> {
  let store: Store
  try {
    store = await openStore(DIRECTORY, options, { fileSystem, random: seededRandom(seed) })
  } catch (error) {
    if (error instanceof WiscError && error.code === 'WISC_NO_STORE') return undefined
    throw error
  }
  opened()
  const entries = await observe(store, oracle)
  if (verify) {
    // A file that verify has open is read to its end, and must not go meanwhile: the rule is of the file system here.
    await settled(fileSystem)
    const { damage } = await store.verify()
    if (damage[0]) throw new Error(`verify found damage: ${damage[0].message}`)
  }
  await store.close()
  return entries
}

/**
 * Reads the whole store: iteration forward in order, and every key that was ever named by `getSync`.
 * @returns the operation that each key's value comes from
 * @throws Error if a value does not belong to its key, or two ways to read disagree
 */
export async function observe(store: Store, oracle: Oracle, snapshot?: Snapshot): Promise<Entries> {
  const found = new Map<string, number>()
  let previous: Buffer | undefined
  for await (const [key, value] of store.entries({ ...(snapshot && { snapshot }) })) {
    if (previous && Buffer.compare(previous, key) >= 0) {
      throw new Error(`iteration is out of order at ${key.toString('latin1')}`)
    }
    previous = key
    found.set(key.toString('latin1'), oracle.identify(key, value))
  }
  for (const key of oracle.keys) {
    const bytes = Buffer.from(key, 'latin1')
    const value = store.getSync(bytes, { ...(snapshot && { snapshot }) })
    const id = value && oracle.identify(bytes, value)
    if (id !== found.get(key)) {
      throw new Error(`get of ${key} gives ${id}, the iterator ${found.get(key)}`)
    }
  }
  return found
}
