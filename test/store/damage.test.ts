/**
 * Damage: every byte of a small store flipped, every file cut at every length, extended, swapped, replaced, missing.
 *
 * The store answers with an error that names the place, or with correct data: all of it for a store that was
 * closed, a prefix that reaches the proved end for one that crashed. Never anything else.
 */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CorruptionError, WiscError } from '#dist/lib/base/errors.js'
import type { Options } from '#dist/lib/contract/options.js'
import { openStore } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import type { Oracle } from '../support/crash/oracle.ts'
import { DIRECTORY } from '../support/crash/recover-image.ts'
import { Session } from '../support/crash/session.ts'
import type { DiskImage } from '../support/files/disk-model.ts'
import { FaultFileSystem } from '../support/files/fault-file-system.ts'
import { Prng, replayHint, seededRandom, TESTS_ALL, testSeed } from '../support/random.ts'

const seed = testSeed()
const OPTIONS: Options = {
  workers: 0,
  segmentBytes: 4096,
  memtableBytes: 65536,
  valueThreshold: 100,
  blockCacheBytes: 65536,
  tree: { sizeRatio: 3, tableBytes: 4096, blockBytes: 256 },
}
/** The bits of a byte that are damaged. */
const MASKS = [0x01, 0x80, 0xff]
/** Of the values that live, and are in the log alone: key1, key2 and key7. */
const SEPARATED_BYTES = 200 + 120 + 150
/** What an open may say of a damaged store. */
const CODES: readonly string[] = ['WISC_CORRUPTION', 'WISC_FORMAT_VERSION', 'WISC_NO_STORE']

interface Victim {
  readonly image: DiskImage
  readonly oracle: Oracle
  /** Batches that no damaged byte may hide without an error: a later frame says that they are durable. */
  readonly proved: number
  /** Batches that not even the loss of a whole tail may hide: the manifest says that they are durable. */
  readonly flushed: number
}

let closed: Victim
let crashed: Victim
let foreign: Victim

/** Tables, sealed segments, an open one. The crashed one has a proved part and an unproved tail. */
async function makeVictim(victimSeed: number, close: boolean): Promise<Victim> {
  const session = await Session.open(new FaultFileSystem({ seed: victimSeed }), {
    options: OPTIONS,
    seed: victimSeed,
  })
  for (let i = 0; i < 8; i++) await session.put(`key${i}`, i % 2 === 0 ? 30 : 150, true)
  await session.delete('key3')
  await session.flush()
  const flushed = session.oracle.issued
  await session.write(
    [
      { type: 'put', key: 'key1', length: 200 },
      { type: 'put', key: 'key9', length: 20 },
    ],
    true,
  )
  await session.put('key2', 120, true)
  const proved = session.oracle.issued - 1
  await session.put('key5', 40)
  await session.delete('key6')
  if (close) await session.close()
  const image = session.fileSystem.visibleImage()
  if (!close) session.fileSystem.kill()
  const { oracle } = session
  if (close) return { image, oracle, proved: oracle.issued, flushed: oracle.issued }
  return { image, oracle, proved, flushed }
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
async function examine(
  victim: Victim,
  image: DiskImage,
  required: number,
): Promise<'correct' | 'error'> {
  const fileSystem = new FaultFileSystem({ seed }, image)
  let store: Store
  try {
    store = await openStore(
      DIRECTORY,
      { ...OPTIONS, createIfMissing: false },
      { fileSystem, random: seededRandom(1) },
    )
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
  requireLegal(victim, required, found)
  const scanned = new Map<string, number | 'error'>()
  try {
    for await (const [key, value] of store.entries()) {
      scanned.set(key.toString('latin1'), victim.oracle.identify(key, value))
    }
    requireLegal(victim, required, scanned)
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
  if (
    !(isName || wasName) ||
    !Number.isInteger(error.offset) ||
    error.offset < 0 ||
    !error.reason
  ) {
    throw new Error(`an error without a place: ${error.message}`)
  }
}

/** Some position at or behind the required one explains every key that was read without an error. */
function requireLegal(
  { oracle }: Victim,
  required: number,
  found: ReadonlyMap<string, number | 'error'>,
): void {
  for (let position = required; position <= oracle.issued; position++) {
    const state = oracle.stateAt(position)
    if (oracle.keys.every((key) => found.get(key) === 'error' || found.get(key) === state.get(key)))
      return
  }
  throw new Error(`wrong data: ${JSON.stringify([...found])}`)
}

/** Collects what is wrong, so that one run shows all of it. */
class Findings {
  readonly counts: { correct: number; error: number } = { correct: 0, error: 0 }
  readonly #wrong: string[] = []
  readonly #victim: Victim

  constructor(victim: Victim) {
    this.#victim = victim
  }

  async examine(
    image: DiskImage,
    what: string,
    required: number = this.#victim.flushed,
  ): Promise<'correct' | 'error' | 'wrong'> {
    try {
      const result = await examine(this.#victim, image, required)
      this.counts[result]++
      return result
    } catch (error) {
      this.#wrong.push(`${what}: ${(error as Error).message}`)
      return 'wrong'
    }
  }

  async examineFile(
    path: string,
    bytes: Uint8Array | undefined,
    what: string,
    required?: number,
  ): Promise<string> {
    const image = withFile(this.#victim.image, path, bytes)
    return this.examine(image, `${path.slice(4)} ${what}`, required)
  }

  expectNone(): void {
    expect(this.#wrong.slice(0, 20), `${this.#wrong.length} wrong; ${replayHint(seed)}`).toEqual([])
  }
}

describe.each(['closed', 'crashed'] as const)('a store that was %s', (kind) => {
  let victim: Victim
  let paths: string[]
  let findings: Findings
  const bytesOf = (path: string): Uint8Array => victim.image.files.get(path)!

  beforeEach(() => {
    victim = kind === 'closed' ? closed : crashed
    paths = filesOf(victim)
    findings = new Findings(victim)
  })

  afterEach(() => {
    findings.expectNone()
  })

  test('undamaged it is read in full', async () => {
    expect(await examine(victim, victim.image, victim.oracle.issued)).toBe('correct')
  })

  test('every byte flipped', async () => {
    const prng = new Prng(seed)
    let foundInLog = 0
    for (const path of paths) {
      const { error } = findings.counts
      for (let at = 0; at < bytesOf(path).length; at++) {
        for (const mask of TESTS_ALL ? MASKS : [prng.pick(MASKS)]) {
          const damaged = Uint8Array.from(bytesOf(path))
          damaged[at]! ^= mask
          const what = `byte ${at} with ${mask}`
          const result = await findings.examineFile(path, damaged, what, victim.proved)
          // A closed store needs all of its files, but for what is dead in the log, or in tables, too.
          if (kind === 'closed' && !path.endsWith('.vlog'))
            expect(result, `${path} ${what}; ${replayHint(seed)}`).toBe('error')
        }
      }
      if (path.endsWith('.vlog')) foundInLog += findings.counts.error - error
    }
    expect(foundInLog, replayHint(seed)).toBeGreaterThan(SEPARATED_BYTES)
    // Of one that crashed the unproved tail may be anything, too.
    expect(findings.counts.error).toBeGreaterThan(findings.counts.correct / 2)
  })

  test('every file cut at every length', async () => {
    for (const path of paths) {
      for (let length = 0; length < bytesOf(path).length; length++) {
        await findings.examineFile(path, bytesOf(path).slice(0, length), `cut at ${length}`)
      }
    }
  })

  test('every file extended with zeros, ones, garbage and itself', async () => {
    const prng = new Prng(seed)
    for (const path of paths) {
      const bytes = bytesOf(path)
      for (const count of [1, 7, 64, 511, 4096]) {
        const tails = [
          new Uint8Array(count),
          new Uint8Array(count).fill(255),
          prng.bytes(count),
          bytes,
        ]
        for (const tail of tails) {
          const longer = Buffer.concat([bytes, tail])
          await findings.examineFile(path, longer, `extended by ${tail.length}`, victim.proved)
        }
      }
    }
  })

  test('any two files swapped, or one in place of the other', async () => {
    for (const one of paths) {
      for (const other of paths) {
        if (one === other) continue
        const replaced = withFile(victim.image, one, bytesOf(other))
        await findings.examine(replaced, `${one} replaced by ${other}`)
        const swapped = withFile(replaced, other, bytesOf(one))
        await findings.examine(swapped, `${one} and ${other} swapped`)
      }
    }
  })

  test('every file missing, or taken from another database', async () => {
    for (const path of paths) {
      const without = await findings.examineFile(path, undefined, 'missing')
      expect(without, `${path} missing`).not.toBe('correct')
      const other = foreign.image.files.get(path)
      if (other) await findings.examineFile(path, other, 'from another database')
    }
  })

  test('blocks zeroed or replaced by others of the same file', async () => {
    const prng = new Prng(seed)
    for (const path of paths) {
      const bytes = bytesOf(path)
      for (let i = 0; i < 60 && bytes.length > 0; i++) {
        const damaged = Buffer.from(bytes)
        const length = 1 + prng.below(Math.min(600, bytes.length))
        const to = prng.below(bytes.length - length + 1)
        const from = prng.below(bytes.length - length + 1)
        if (prng.chance(0.5)) damaged.fill(0, to, to + length)
        else damaged.set(bytes.subarray(from, from + length), to)
        await findings.examineFile(path, damaged, `block of ${length} at ${to}`)
      }
    }
  })
})
