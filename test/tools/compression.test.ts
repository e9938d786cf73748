/** Every verb over a store with compressed values: what it tells, and what it saves of it. */
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { open } from '#dist/lib/index.js'
import type { SizeBucket } from '#dist/lib/inspect/size-histogram.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { wisc, wiscJson } from '../support/processes/wisc-process.ts'
import { documents, HAS_ZSTD } from '../support/zstd.ts'

const GOLDEN = fileURLToPath(new URL('../golden', import.meta.url))
const PAIRS = Object.entries(
  JSON.parse(readFileSync(join(GOLDEN, 'compressed.json'), 'utf8')) as Record<string, string>,
)

function golden(): string {
  const db = join(temporaryDirectory(), 'db')
  cpSync(join(GOLDEN, 'compressed'), db, { recursive: true })
  return db
}

async function expectPairs(db: string): Promise<void> {
  const store = await open(db, { readOnly: true })
  for (const [key, value] of PAIRS)
    expect(store.getSync(Buffer.from(key, 'hex'))?.toString('hex')).toBe(value)
  await store.close()
}

describe.skipIf(!HAS_ZSTD)('a store with compressed values', () => {
  test.each([
    ['verify'],
    ['segments'],
    ['map', '2'],
    ['explain', '2'],
    ['orphans'],
    ['scan'],
    ['gc', '--dry-run'],
  ])('%s', async (verb, ...rest) => {
    expect(await wisc([verb, golden(), ...rest])).toMatchObject({ code: 0, err: '' })
  })

  test('dump names the codec', async () => {
    const db = golden()
    const dumped = await wisc(['dump', join(db, '000002.vlog')])
    expect(dumped).toMatchObject({ code: 0, err: '' })
    expect(dumped.out).toContain('zstd')
  })

  test('salvage saves all of it, the tree lost', async () => {
    const db = golden()
    const target = join(temporaryDirectory(), 'saved')
    const saved = await wisc(['salvage', db, target])
    expect([saved.code, saved.err]).toEqual([0, ''])
    await expectPairs(target)
  })

  test('stat and advise tell of samples what is compressed, and what could be', async () => {
    const db = temporaryDirectory()
    const store = await open(db, { workers: 0 })
    for (let i = 0; i < 60; i++) {
      const compression = i % 3 === 0 ? 'zstd' : 'none'
      await store.put(`key ${i}`, documents(4096, i), { compression })
    }
    await store.put('inline', 'not counted')
    await store.flush()
    await store.close()
    const [stat] = await wiscJson<Record<string, number>>(['stat', db])
    expect(stat!['compressedShareEstimate']).toBeCloseTo(1 / 3)
    const saved = stat!['compressionSavesBytesEstimate']!
    expect(saved).toBeGreaterThan(20 * 2000)
    expect(saved).toBeLessThan(20 * 4200)
    expect((await wisc(['stat', db])).out).toMatch(/compressed +about 33% of the values/)
    const [advice] = await wiscJson<{ compression: Record<string, number> }>(['advise', db])
    const { values, compressed, rawBytes, storedBytes, compressedBytes } = advice!.compression
    expect([values, compressed, rawBytes]).toEqual([60, 20, 60 * 4096])
    expect(rawBytes! - compressedBytes!).toBeCloseTo(3 * (rawBytes! - storedBytes!), -4)
    expect((await wisc(['advise', db])).out).toContain('compressed now: 20 of 60 sampled values')
  })

  test('advise counts values by their sizes before compression', async () => {
    const db = temporaryDirectory()
    const store = await open(db, { workers: 0, compression: 'zstd' })
    for (let i = 0; i < 60; i++) await store.put(`key ${i}`, documents(4096, i))
    for (let i = 0; i < 60; i++) await store.put(`zeros ${i}`, Buffer.alloc(100_000))
    await store.flush()
    await store.close()
    const [advice] = await wiscJson<{ histogram: SizeBucket[]; valueBytes: number }>(['advise', db])
    const filled = advice!.histogram.filter(({ keys }) => keys > 0)
    expect(filled.map(({ from, keys }) => [from, keys])).toEqual([
      [4096, 60],
      [65_536, 60],
    ])
    expect(advice!.valueBytes).toBe(60 * 4096 + 60 * 100_000)
    for (const { storedBytes, valueBytes } of filled) {
      expect(storedBytes).toBeLessThan(valueBytes / 2)
    }
  })
})
