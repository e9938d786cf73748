/** Parts of values through the store: inline and separated, in memtables, tables, segments and relocations. */
import { describe, expect, test } from 'vitest'
import type { ReadOptions } from '#dist/lib/contract/types.js'
import { CollectedStore, collectAll } from '../support/store/collected-store.ts'

const LENGTHS = { empty: 0, inline: 200, plain: 5000, chunks: 200_000 }
const PARTS: readonly ReadOptions[] = [
  {},
  { offset: 0 },
  { length: 0 },
  { length: 100 },
  { offset: 100 },
  { offset: 150, length: 1000 },
  { offset: 65_000, length: 1000 },
  { offset: 131_072, length: 65_536 },
  { offset: 10 ** 12, length: 10 },
  { offset: 7, length: Number.POSITIVE_INFINITY },
]

async function expectParts({ store, model }: CollectedStore): Promise<void> {
  for (const [key, value] of model) {
    for (const part of PARTS) {
      const { offset = 0, length = value.length } = part
      const expected = value.subarray(offset, offset + length)
      const what = `${key} ${JSON.stringify(part)}`
      expect(store.getSync(key, part)?.equals(expected), what).toBe(true)
      expect((await store.get(key, part))?.equals(expected), what).toBe(true)
    }
  }
}

async function filled(): Promise<CollectedStore> {
  const opened = await CollectedStore.open({
    segmentBytes: 524_288,
    collector: { enabled: false, punchHoles: false },
  })
  for (const [key, length] of Object.entries(LENGTHS)) await opened.put(key, length)
  return opened
}

describe('parts of values', () => {
  test('in memtables, in tables, moved by the collector, and after an open', async () => {
    const opened = await filled()
    const { store } = opened
    await expectParts(opened)
    await store.flush()
    await expectParts(opened)
    // Garbage around them: what lives is moved.
    for (let i = 0; i < 20; i++) await opened.put('garbage', 60_000)
    await store.compact()
    await collectAll(opened)
    expect(store.segments().some(({ kind }) => kind === 'relocation')).toBe(true)
    await expectParts(opened)
    await opened.closeAndReopen()
    await expectParts(opened)
    await opened.finish()
  })

  test('of a snapshot are those of its values', async () => {
    const opened = await filled()
    const { store } = opened
    const before = store.getSync('chunks')!
    const snapshot = store.snapshot()
    await opened.put('chunks', 100)
    await opened.delete('plain')
    const part = { snapshot, offset: 100_000, length: 50 }
    expect(store.getSync('chunks', part)).toEqual(before.subarray(100_000, 100_050))
    expect((await store.get('plain', part))!).toHaveLength(0)
    expect(store.getSync('chunks', { offset: 90 })).toHaveLength(10)
    expect(store.getSync('plain', { offset: 90 })).toBeUndefined()
    snapshot.close()
    expect(() => store.getSync('chunks', part)).toThrow()
    await opened.finish()
  })

  test('that nobody can mean are refused, and calls that read no parts refuse them', async () => {
    const { store } = await filled()
    const code = 'WISC_INVALID_ARGUMENT'
    for (const bad of [-1, 1.5, Number.NaN, '1', null, 2 ** 53]) {
      for (const given of [{ offset: bad }, { length: bad }]) {
        const options = given as ReadOptions
        expect(() => store.getSync('plain', options), String(bad)).toThrow(
          expect.objectContaining({ code }),
        )
        await expect(store.get('plain', options), String(bad)).rejects.toMatchObject({ code })
      }
    }
    const part = { offset: 1 } as object
    await expect(store.getMany(['plain'], part)).rejects.toMatchObject({ code })
    await expect(store.has('plain', part)).rejects.toMatchObject({ code })
    await expect(store.stat('plain', part)).rejects.toMatchObject({ code })
  })

  test('go on while the collector takes the file away that they are read from', async () => {
    const opened = await filled()
    const { store, model } = opened
    for (let i = 0; i < 20; i++) await opened.put('garbage', 60_000)
    await opened.put('large', 5_000_000)
    await store.compact()
    const value = model.get('large')!
    // More than is read at once: it is read in the pool.
    const reading = store.get('large', { offset: 70_000, length: 3_000_000 })
    await opened.delete('large')
    await store.compact()
    await collectAll(opened)
    expect((await reading)!.equals(value.subarray(70_000, 3_070_000))).toBe(true)
    await opened.finish()
  })
})
