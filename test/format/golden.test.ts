/**
 * Golden databases of this version of the format (test/golden, made by make.ts) are read by the store and by the
 * second reader, for as long as the format lives. I11: reading them changes nothing.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CorruptionError } from '#dist/lib/base/errors.js'
import { open, type Store } from '#dist/lib/index.js'
import { HAS_ZSTD } from '../support/zstd.ts'
import { readDatabase } from './second-reader.ts'

const GOLDEN = fileURLToPath(new URL('../golden', import.meta.url))
const BROKEN_KEY = 'batch/2'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'wisc-golden-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

function copyOf(name: string): string {
  const target = join(directory, name)
  cpSync(join(GOLDEN, name), target, { recursive: true })
  return target
}

function expectedPairs(name: string): Record<string, string> {
  return JSON.parse(readFileSync(join(GOLDEN, `${name}.json`), 'utf8')) as Record<string, string>
}

async function pairsOf(store: Store): Promise<Record<string, string>> {
  const pairs: Record<string, string> = {}
  for await (const [key, value] of store.entries())
    pairs[key.toString('hex')] = value.toString('hex')
  return pairs
}

function filesOf(path: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(path).map((name) => [name, readFileSync(join(path, name), 'hex')]),
  )
}

const NAMES = [
  'closed',
  'crashed',
  'collected',
  'streamed',
  'ranged',
  'expiring',
  'evicted',
  ...(HAS_ZSTD ? ['compressed'] : []),
]

describe.each(NAMES)('golden database: %s', (name) => {
  test('I11: the store reads it and changes nothing', async () => {
    const path = copyOf(name)
    const before = filesOf(path)
    const store = await open(path, { readOnly: true })
    expect(await pairsOf(store)).toEqual(expectedPairs(name))
    await store.close()
    expect(filesOf(path)).toEqual(before)
  })

  test('a writer opens it, finds the same, and again', async () => {
    const path = copyOf(name)
    for (let i = 0; i < 2; i++) {
      const store = await open(path, { workers: 0 })
      expect(await pairsOf(store)).toEqual(expectedPairs(name))
      await store.verify()
      await store.close()
    }
  })

  test('the second reader finds the same', () => {
    const pairs = readDatabase(join(GOLDEN, name))
    const found = Object.fromEntries(
      pairs.map(([key, value]) => [key.toString('hex'), value.toString('hex')]),
    )
    expect(found).toEqual(expectedPairs(name))
  })
})

test('golden database: corrupt: both readers find the damage, and the rest is there', async () => {
  const path = copyOf('corrupt')
  const store = await open(path, { readOnly: true })
  await expect(store.get(BROKEN_KEY)).rejects.toThrow(CorruptionError)
  for (const [key, value] of Object.entries(expectedPairs('closed'))) {
    const bytes = Buffer.from(key, 'hex')
    if (bytes.toString() !== BROKEN_KEY) expect(store.getSync(bytes)?.toString('hex')).toBe(value)
  }
  await store.close()
  expect(() => readDatabase(path)).toThrow('record: value checksum')
})
