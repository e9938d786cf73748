/** Limits: keys of 0 to 64 KiB, values of 0 bytes to 2 GiB - 1, thresholds from all separated to all inline. */
import fs from 'node:fs'
import os from 'node:os'
import { describe, expect, test } from 'vitest'
import { type Options, open, type Store } from '#dist/lib/index.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { codeOf } from '../support/store/fault-store.ts'

const MIB = 1024 * 1024
const GIB = 1024 * MIB
const OPTIONS: Options = { workers: 1, segmentBytes: 4 * MIB, memtableBytes: MIB }

/** Bytes that differ everywhere, cheaply. */
function makeValue(length: number, fill: number): Buffer {
  const value = Buffer.alloc(length, fill + 1)
  for (let i = 0; i + 4 <= length; i += 4096) value.writeUInt32LE((i + fill) >>> 0, i)
  if (length > 0) value[length - 1] = 0xee
  return value
}

async function reopen(store: Store, directory: string, options: Options): Promise<Store> {
  await store.close()
  return open(directory, options)
}

describe('keys', () => {
  test('of 0 to 65536 bytes keep their order; longer ones are refused', async () => {
    const directory = temporaryDirectory()
    let store = await open(directory, OPTIONS)
    const long = Buffer.alloc(65536, 'k')
    const keys = [
      Buffer.alloc(0),
      Buffer.of(0),
      Buffer.of(0, 0),
      Buffer.from('k'),
      long.subarray(0, 65535),
      long,
      Buffer.alloc(65536, 0xff),
    ]
    for (const [i, key] of [...keys.entries()].reverse()) await store.put(key, String(i))
    expect(await codeOf(() => store.put(Buffer.alloc(65537), 'x'))).toBe('WISC_INVALID_ARGUMENT')
    for (const step of ['memtable', 'tables', 'reopened', 'compacted']) {
      if (step === 'tables') await store.flush()
      if (step === 'reopened') store = await reopen(store, directory, OPTIONS)
      if (step === 'compacted') await store.compact()
      const found = await store.entries().nextMany(100)
      expect(
        found.map(([key]) => key.length),
        step,
      ).toEqual(keys.map((key) => key.length))
      expect(
        found.map(([, value]) => String(value)),
        step,
      ).toEqual(keys.map((_, i) => String(i)))
      const reverse = await store.keys({ reverse: true }).nextMany(100)
      expect(
        reverse.map((key) => key.length),
        step,
      ).toEqual(keys.map((key) => key.length).reverse())
      expect(String(store.getSync('')), step).toBe('0')
      expect(store.getSync(long.subarray(1, 100)), step).toBeUndefined()
    }
    await store.delete('')
    expect(await store.has('')).toBe(false)
    expect((await store.keys({ lte: Buffer.of(0) }).nextMany(9)).map((key) => key.length)).toEqual([
      1,
    ])
    expect((await store.verify()).damage).toEqual([])
    await store.close()
  })
})

const AROUND = [1024, 65536, 16 * MIB].flatMap((length) => [length - 1, length, length + 1])
const LENGTHS = [0, 1, ...AROUND, 64 * MIB]

describe.each([0, 1024, 65536, Number.POSITIVE_INFINITY])(
  'with valueThreshold %s',
  (valueThreshold) => {
    test('values of 0 bytes to 64 MiB come back from everywhere', async () => {
      const directory = temporaryDirectory()
      const options = { ...OPTIONS, valueThreshold }
      let store = await open(directory, options)
      const values = LENGTHS.map((length, i) => makeValue(length, i))
      const expectAll = async (step: string): Promise<void> => {
        for (const [i, value] of values.entries()) {
          const label = `${step} ${value.length}`
          expect(store.getSync(`key${i}`)?.equals(value), label).toBe(true)
          expect((await store.get(`key${i}`))?.equals(value), label).toBe(true)
        }
      }
      for (const [i, value] of values.entries()) await store.put(`key${i}`, value)
      await expectAll('memtable')
      await store.compact()
      await expectAll('compacted')
      store = await reopen(store, directory, options)
      let scanned = 0
      for await (const [key, value] of store.entries()) {
        expect(value.equals(values[Number(String(key).slice(3))]!)).toBe(true)
        scanned++
      }
      expect(scanned).toBe(values.length)
      const { levels } = store.stats()
      const pointed = levels.reduce((sum, level) => sum + level.pointedBytes, 0)
      const separated = LENGTHS.filter((length) => length >= valueThreshold || length > 16 * MIB)
      expect(pointed).toBeGreaterThanOrEqual(separated.reduce((sum, length) => sum + length, 0))
      await store.close()
    })
  },
)

function hasRoom(): boolean {
  const { bavail, bsize } = fs.statfsSync(os.tmpdir())
  return process.availableMemory() >= 8 * GIB && bavail * bsize >= 8 * GIB
}

test.skipIf(!hasRoom())(
  'a value of 2 GiB - 1 byte goes in and comes back in one call',
  async () => {
    const directory = temporaryDirectory()
    let store = await open(directory)
    const length = 2 ** 31 - 1
    const value = Buffer.alloc(length)
    for (let i = 0; i < length - 4; i += 65536) value.writeUInt32LE(i, i)
    value[length - 1] = 9
    await store.put('huge', value)
    await store.put('small', 'x')
    store = await reopen(store, directory, {})
    const found = await store.get('huge')
    expect(found?.length).toBe(length)
    expect(found?.equals(value)).toBe(true)
    expect(String(store.getSync('small'))).toBe('x')
    await store.close()
  },
)

test('I10: memory stays bounded while one writer never waits', async () => {
  const store = await open(temporaryDirectory(), { ...OPTIONS, maxPendingBytes: MIB })
  const value = Buffer.alloc(16 * 1024, 5)
  const puts: Promise<void>[] = []
  let most = 0
  for (let i = 0; i < 1500; i++) {
    puts.push(store.put(`key${i}`, value))
    const { memtableBytes, openFiles } = store.stats()
    most = Math.max(most, memtableBytes)
    expect(openFiles).toBeLessThan(512)
    if (i % 100 === 0) await puts.at(-1)
  }
  await Promise.all(puts)
  expect(most).toBeLessThanOrEqual(3 * MIB)
  await store.close()
})
