/**
 * Damage: every byte of a small store flipped, every file cut at every length, extended, swapped, replaced, missing.
 *
 * The store answers with an error that names the place, or with correct data: all of it for a store that was
 * closed, a prefix that reaches the proved end for one that crashed. Never anything else.
 */
import { beforeAll, describe, expect, test } from 'vitest'
import { CorruptionError, WiscError } from '#dist/lib/base/errors.js'
import { openStore } from '#dist/lib/open-store.js'
import type { Options } from '#dist/lib/options.js'
import type { Store } from '#dist/lib/store.js'
import type { DiskImage } from '../support/disk-model.ts'
import { FaultFileSystem } from '../support/fault-file-system.ts'
import type { Oracle } from '../support/oracle.ts'
import { Prng, replayHint, seededRandom, testSeed } from '../support/random.ts'
import { DIRECTORY } from '../support/recover-image.ts'
import { Session } from '../support/session.ts'

const seed = testSeed()
const OPTIONS: Options = {
  workers: 0,
  segmentBytes: 4096,
  memtableBytes: 65536,
  valueThreshold: 100,
  blockCacheBytes: 65536,
  tree: { sizeRatio: 3, tableBytes: 4096, blockBytes: 256 },
}
/** What an open may say of a damaged store. */
const CODES: readonly string[] = ['WISC_CORRUPTION', 'WISC_FORMAT_VERSION', 'WISC_NO_STORE']

interface Victim {
  readonly image: DiskImage
  readonly oracle: Oracle
  /** Batches that no damage may hide without an error. */
  readonly proved: number
}

let closed: Victim
let crashed: Victim
let foreign: Victim

/** Tables, sealed segments, an open one. The crashed one has a proved part and an unproved tail. */
async function makeVictim(victimSeed: number, close: boolean): Promise<Victim> {
  const session = await Session.open(new FaultFileSystem({ seed: victimSeed }), { options: OPTIONS, seed: victimSeed })
  for (let i = 0; i < 8; i++) await session.put(`key${i}`, i % 2 === 0 ? 30 : 150, true)
  await session.delete('key3')
  await session.flush()
  await session.write([
    { type: 'put', key: 'key1', length: 200 },
    { type: 'put', key: 'key9', length: 20 },
  ], true)
  await session.put('key2', 120, true)
  const proved = session.oracle.issued - 1
  await session.put('key5', 40)
  await session.delete('key6')
  if (close) await session.close()
  const image = session.fileSystem.visibleImage()
  if (!close) session.fileSystem.kill()
  return { image, oracle: session.oracle, proved: close ? session.oracle.issued : proved }
}

beforeAll(async () => {
  closed = await makeVictim(seed, true)
  crashed = await makeVictim(seed + 1, false)
  foreign = await makeVictim(seed + 2, true)
})

function filesOf({ image }: Victim): string[] {
  return [...image.files.keys()].filter((path) => !/LOCK|BALLAST/.test(path))
}

function withFile(image: DiskImage, path: string, bytes: Uint8Array | undefined): DiskImage {
  const files = new Map(image.files)
  if (bytes) files.set(path, bytes)
  else files.delete(path)
  return { directories: image.directories, files }
}

/** Opens and reads what there is. Throws for everything but correct data and typed errors. */
async function examine(victim: Victim, image: DiskImage): Promise<'correct' | 'error'> {
  const fileSystem = new FaultFileSystem({ seed }, image)
  let store: Store
  try {
    store = await openStore(DIRECTORY, { ...OPTIONS, createIfMissing: false }, { fileSystem, random: seededRandom(1) })
  } catch (error) {
    requirePlace(error, image)
    if (fileSystem.openFiles > 0) throw new Error('a failed open leaves files open')
    return 'error'
  }
  const found = new Map<string, number | 'error'>()
  let errors = 0
  for (const key of victim.oracle.keys) {
    try {
      const bytes = Buffer.from(key, 'latin1')
      const value = store.getSync(bytes)
      if (value) found.set(key, victim.oracle.identify(bytes, value))
    } catch (error) {
      requirePlace(error, image)
      found.set(key, 'error')
      errors++
    }
  }
  requireLegal(victim, found)
  const scanned = new Map<string, number | 'error'>()
  try {
    for await (const [key, value] of store.entries()) {
      scanned.set(key.toString('latin1'), victim.oracle.identify(key, value))
    }
    requireLegal(victim, scanned)
  } catch (error) {
    requirePlace(error, image)
    errors++
  }
  try {
    await store.close()
  } catch (error) {
    requirePlace(error, image)
    errors++
  }
  if (fileSystem.openFiles > 0) throw new Error('a closed store leaves files open')
  return errors > 0 ? 'error' : 'correct'
}

function requirePlace(error: unknown, image: DiskImage): void {
  if (!(error instanceof WiscError) || !CODES.includes(error.code)) throw error
  if (!(error instanceof CorruptionError)) return
  const isName = [...image.files.keys()].some((path) => path.endsWith(`/${error.file}`))
  const wasName = /^(CURRENT|MANIFEST-\d{6}|\d{6}\.(sst|vlog))$/.test(error.file)
  if (!(isName || wasName) || !Number.isInteger(error.offset) || error.offset < 0 || !error.reason) {
    throw new Error(`an error without a place: ${error.message}`)
  }
}

/** Some position at or behind the proved one explains every key that was read without an error. */
function requireLegal({ oracle, proved }: Victim, found: ReadonlyMap<string, number | 'error'>): void {
  for (let position = proved; position <= oracle.issued; position++) {
    const state = oracle.stateAt(position)
    if (oracle.keys.every((key) => found.get(key) === 'error' || found.get(key) === state.get(key))) return
  }
  throw new Error(`wrong data: ${JSON.stringify([...found])}`)
}

async function examineAs(victim: Victim, image: DiskImage, what: string): Promise<'correct' | 'error'> {
  try {
    return await examine(victim, image)
  } catch (error) {
    throw new Error(`${what}: ${(error as Error).message}; ${replayHint(seed)}\n${(error as Error).stack}`)
  }
}

describe.each(['closed', 'crashed'] as const)('a store that was %s', (kind) => {
  const victim = (): Victim => (kind === 'closed' ? closed : crashed)

  test('undamaged it is read in full', async () => {
    expect(await examine(victim(), victim().image)).toBe('correct')
  })

  test.each([0x01, 0xff])('every byte flipped with %i', { timeout: 300_000 }, async (mask) => {
    const counts = { correct: 0, error: 0 }
    for (const path of filesOf(victim())) {
      const bytes = victim().image.files.get(path)!
      for (let at = 0; at < bytes.length; at++) {
        const damaged = Uint8Array.from(bytes)
        damaged[at]! ^= mask
        counts[await examineAs(victim(), withFile(victim().image, path, damaged), `${path} byte ${at}`)]++
      }
    }
    // Most bytes are checked by something; the rest are dead records, padding and what the proved end leaves out.
    expect(counts.error).toBeGreaterThan(counts.correct)
  })

  test('every file cut at every length', { timeout: 300_000 }, async () => {
    for (const path of filesOf(victim())) {
      const bytes = victim().image.files.get(path)!
      for (let length = 0; length < bytes.length; length++) {
        await examineAs(victim(), withFile(victim().image, path, bytes.slice(0, length)), `${path} cut at ${length}`)
      }
    }
  })

  test('every file extended with zeros, ones and garbage', async () => {
    const prng = new Prng(seed)
    for (const path of filesOf(victim())) {
      const bytes = victim().image.files.get(path)!
      for (const count of [1, 7, 64, 511, 4096]) {
        for (const tail of [new Uint8Array(count), new Uint8Array(count).fill(255), prng.bytes(count), bytes]) {
          const image = withFile(victim().image, path, Buffer.concat([bytes, tail]))
          await examineAs(victim(), image, `${path} extended by ${tail.length}`)
        }
      }
    }
  })

  test('any two files swapped, or one in place of the other', async () => {
    const paths = filesOf(victim())
    const { image } = victim()
    for (const one of paths) {
      for (const other of paths) {
        if (one === other) continue
        const replaced = withFile(image, one, image.files.get(other)!)
        await examineAs(victim(), replaced, `${one} replaced by ${other}`)
        const swapped = withFile(replaced, other, image.files.get(one)!)
        await examineAs(victim(), swapped, `${one} and ${other} swapped`)
      }
    }
  })

  test('every file missing, or taken from another database', async () => {
    const { image } = victim()
    for (const path of filesOf(victim())) {
      const without = await examineAs(victim(), withFile(image, path, undefined), `${path} missing`)
      if (!path.includes('/lost')) expect(without, `${path} missing`).toBe('error')
      const other = foreign.image.files.get(path)
      if (other) await examineAs(victim(), withFile(image, path, other), `${path} from another database`)
    }
  })

  test('blocks zeroed or replaced by others of the same file', async () => {
    const prng = new Prng(seed)
    for (const path of filesOf(victim())) {
      const bytes = victim().image.files.get(path)!
      for (let i = 0; i < 60; i++) {
        const damaged = Buffer.from(bytes)
        const length = 1 + prng.below(Math.min(600, bytes.length))
        const to = prng.below(bytes.length - length + 1)
        if (prng.chance(0.5)) damaged.fill(0, to, to + length)
        else damaged.set(bytes.subarray(prng.below(bytes.length - length + 1)).subarray(0, length), to)
        await examineAs(victim(), withFile(victim().image, path, damaged), `${path} block of ${length} at ${to}`)
      }
    }
  })
})
