/** Compressed values through the store: the same bytes by every way, in the order of the calls, and damage is found. */
import { randomBytes } from 'node:crypto'
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Options } from '#dist/lib/contract/options.js'
import { openStore } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import { readDatabase } from '../../format/second-reader.ts'
import { DIRECTORY } from '../../support/crash/recover-image.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'
import { seededRandom } from '../../support/random.ts'
import { documents, HAS_ZSTD } from '../../support/zstd.ts'

const OPTIONS: Options = {
  compression: 'zstd',
  workers: 0,
  segmentBytes: 262_144,
  collector: { enabled: false, punchHoles: false },
}

const VALUES: Readonly<Record<string, Buffer>> = {
  empty: Buffer.alloc(0),
  inline: documents(500, 1),
  small: documents(4096, 2),
  chunk: documents(65_536, 3),
  chunks: documents(65_537, 4),
  large: documents(3_000_000, 5),
  zeros: Buffer.alloc(2_000_000),
  noise: randomBytes(5000),
  'large noise': randomBytes(300_000),
  mixed: Buffer.concat([documents(131_072, 6), randomBytes(131_072), documents(9000, 7)]),
}

async function openHere(fileSystem: FaultFileSystem, options: Options = {}): Promise<Store> {
  const parts = { fileSystem, random: seededRandom(1) }
  return openStore(DIRECTORY, { ...OPTIONS, ...options }, parts)
}

async function putAll(store: Store): Promise<void> {
  await Promise.all(Object.entries(VALUES).map(([key, value]) => store.put(key, value)))
}

async function expectAll(store: Store): Promise<void> {
  const keys = Object.keys(VALUES).sort()
  const many = await store.getMany(keys)
  for (const [i, key] of keys.entries()) {
    const value = VALUES[key]!
    expect(store.getSync(key)?.equals(value), key).toBe(true)
    expect((await store.get(key))?.equals(value), key).toBe(true)
    expect(many[i]?.equals(value), key).toBe(true)
    for (const [offset, length] of [
      [0, 10],
      [65_530, 20],
      [100_000, 500_000],
      [3, 1e9],
    ] as const) {
      const part = value.subarray(offset, offset + length)
      expect(store.getSync(key, { offset, length })?.equals(part), `${key} ${offset}`).toBe(true)
      expect((await store.get(key, { offset, length }))?.equals(part), key).toBe(true)
    }
  }
  for await (const [key, value] of store.entries())
    expect(VALUES[key.toString()]?.equals(value), key.toString()).toBe(true)
  expect((await store.verify()).damage).toEqual([])
}

describe.skipIf(!HAS_ZSTD)('compressed values', () => {
  test('come back by every way, replayed, flushed, moved, and without the option', async () => {
    const first = new FaultFileSystem()
    let store = await openHere(first)
    await putAll(store)
    await expectAll(store)
    await store.sync()
    const fileSystem = first.kill()
    store = await openHere(fileSystem)
    expect(store.stats().recovery.replayedRecords).toBeGreaterThan(0)
    await expectAll(store)
    await store.flush()
    await expectAll(store)
    for (let i = 0; i < 40; i++) await store.put('garbage', randomBytes(60_000))
    await store.delete('garbage')
    await putAll(store)
    await store.compact()
    await store.collect({ targetSpaceAmplification: 1.01 })
    await expectAll(store)
    await store.close()
    store = await openHere(fileSystem, { compression: 'none', valueThreshold: 100_000 })
    await expectAll(store)
    await store.close()
    expect(fileSystem.violations).toEqual([])
  })

  test('take what they save, where that is an eighth', async () => {
    const store = await openHere(new FaultFileSystem())
    await putAll(store)
    await store.put('plain', VALUES['small']!, { compression: 'none' })
    const codecOf = async (key: string): Promise<string> => (await store.stat(key))!.codec
    for (const key of ['small', 'chunk', 'chunks', 'large', 'zeros', 'mixed']) {
      const { size, storedSize, codec } = (await store.stat(key))!
      expect({ size, codec }, key).toEqual({ size: VALUES[key]!.length, codec: 'zstd' })
      expect(storedSize, key).toBeLessThan(size * 0.875)
    }
    for (const key of ['empty', 'inline', 'noise', 'large noise', 'plain'])
      expect(await codecOf(key), key).toBe('none')
    await store.close()
    const other = await openHere(new FaultFileSystem(), { compression: 'none' })
    await other.put('a', VALUES['small']!)
    await other.put('b', VALUES['small']!, { compression: 'zstd' })
    const codecs = [await other.stat('a'), await other.stat('b')].map((stat) => stat!.codec)
    expect(codecs).toEqual(['none', 'zstd'])
    await other.close()
  })

  test('each part of a batch may say for itself', async () => {
    const value = documents(4096, 9)
    const parts = (['none', 'zstd', undefined] as const).map((compression, i) => {
      return { type: 'put', key: `key${i}`, value, ...(compression && { compression }) } as const
    })
    for (const [standard, codecs] of [
      ['none', ['none', 'zstd', 'none']],
      ['zstd', ['none', 'zstd', 'zstd']],
    ] as const) {
      const store = await openHere(new FaultFileSystem(), { compression: standard })
      await store.write(parts)
      const stats = await store.values({ values: 'stat' }).nextMany(9)
      expect(stats.map(({ codec }) => codec)).toEqual(codecs)
      expect((await store.getMany(['key0', 'key1', 'key2'])).map(String)).toEqual(
        Array(3).fill(value.toString()),
      )
      const wrong = { type: 'put', key: 'other', value, compression: 'lz4' } as never
      await expect(store.write([wrong])).rejects.toThrow(/compression must be/)
      await store.close()
    }
  })

  test('are committed in the order of the calls, also behind one that takes long', async () => {
    const store = await openHere(new FaultFileSystem())
    const settled: string[] = []
    const put = (key: string, value: Buffer): Promise<number> =>
      store.put(key, value).then(() => settled.push(key))
    const all = [
      put('first', VALUES['large']!),
      put('second', VALUES['small']!),
      store.write([
        { type: 'put', key: 'third', value: VALUES['large']! },
        { type: 'put', key: 'second', value: 'newer' },
        { type: 'delete', key: 'first' },
      ]),
      put('fourth', Buffer.from('x')),
    ]
    expect(store.getSync('second')).toBeUndefined()
    await Promise.all(all)
    expect(settled).toEqual(['first', 'second', 'fourth'])
    expect(store.getSync('first')).toBeUndefined()
    expect(store.getSync('second')?.toString()).toBe('newer')
    expect(store.getSync('third')?.equals(VALUES['large']!)).toBe(true)
    await store.close()
  })

  test('that change before they are compressed are refused alone', async () => {
    const store = await openHere(new FaultFileSystem())
    const value = Buffer.from(VALUES['large']!)
    const changed = store.put('changed', value)
    const next = store.put('next', VALUES['small']!)
    value[2_500_000]! ^= 1
    await expect(changed).rejects.toMatchObject({ code: 'WISC_INVALID_ARGUMENT' })
    await next
    expect(store.getSync('changed')).toBeUndefined()
    expect(store.getSync('next')?.equals(VALUES['small']!)).toBe(true)
    await store.close()
  })

  test('leave the event loop its turns', async () => {
    const store = await openHere(new FaultFileSystem())
    let turns = 0
    let goes = true
    const tick = (): void => {
      turns++
      if (goes) setImmediate(tick)
    }
    setImmediate(tick)
    await store.put('large', documents(8_000_000, 9))
    goes = false
    // Of 123 chunks no turn takes all: that would need a machine of 4 GB/s.
    expect(turns).toBeGreaterThan(4)
    await store.close()
  })

  test('of a run that does not compress are only sampled', async () => {
    const store = await openHere(new FaultFileSystem())
    for (let i = 0; i < 20; i++) await store.put(`noise${i}`, randomBytes(4096))
    // Up to 63 values pass untried, then one of them is tried again.
    const codecs: string[] = []
    for (let i = 0; i < 80; i++) {
      await store.put('text', VALUES['small']!)
      codecs.push((await store.stat('text'))!.codec)
    }
    expect(codecs[0]).toBe('none')
    expect(codecs.at(-1)).toBe('zstd')
    await store.close()
  })

  test('every byte that is changed is found, with its place', async () => {
    const directory = temporaryDirectory()
    const store = await openStore(directory, OPTIONS)
    await store.put('key', documents(66_000, 8))
    const { segment, offset, storedSize } = (await store.stat('key'))!
    await store.flush()
    const name = `${String(segment).padStart(6, '0')}.vlog`
    const file = openSync(`${directory}/${name}`, 'r+')
    const end = offset! + 43 + storedSize
    const byte = new Uint8Array(1)
    for (let at = offset!; at < end; at++) {
      readSync(file, byte, 0, 1, at)
      writeSync(file, Uint8Array.of(byte[0]! ^ 4), 0, 1, at)
      for (const read of [() => store.getSync('key'), () => store.getSync('key', { offset: 0 })]) {
        expect(read, `byte ${at - offset!}`).toThrow(
          expect.objectContaining({ file: name, offset }),
        )
      }
      writeSync(file, byte, 0, 1, at)
    }
    expect(store.getSync('key')).toHaveLength(66_000)
    closeSync(file)
    await store.close()
  })

  test('are what the second reader finds', async () => {
    const directory = temporaryDirectory()
    const store = await openStore(directory, OPTIONS)
    await putAll(store)
    await store.flush()
    await store.put('in the log', VALUES['small']!)
    await store.close()
    const pairs = new Map(readDatabase(directory).map(([key, value]) => [key.toString(), value]))
    for (const [key, value] of Object.entries(VALUES))
      expect(pairs.get(key)?.equals(value), key).toBe(true)
  })
})

test('options that nobody can mean are refused', async () => {
  const code = 'WISC_INVALID_ARGUMENT'
  for (const bad of [
    { compression: 'lz4' },
    { compression: 1 },
    { compressionLevel: 0 },
    { compressionLevel: 20 },
  ]) {
    await expect(openHere(new FaultFileSystem(), bad as Options)).rejects.toMatchObject({ code })
  }
  const store = await openHere(new FaultFileSystem(), { compression: 'none' })
  const options = { compression: 'gzip' } as object
  await expect(store.put('a', 'b', options)).rejects.toMatchObject({ code })
  await expect(store.delete('a', { compression: 'zstd' } as object)).rejects.toMatchObject({ code })
  await store.close()
})
