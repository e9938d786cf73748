/** putStream with conditions: they are judged in the turn of its record. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { open, type Store } from '#dist/lib/index.js'
import { eventually } from '../../support/eventually.ts'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'
import { unlikeBytes } from '../../support/random.ts'
import { codeOf } from '../../support/store/fault-store.ts'

const CHUNK = 65536

let store: Store

beforeEach(async () => {
  store = await open(temporaryDirectory(), { streamThreshold: CHUNK })
})

afterEach(() => store.close())

async function* pieces(value: Uint8Array, bytes = 50_000): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < value.length; at += bytes) yield value.subarray(at, at + bytes)
}

describe('conditions', () => {
  const value = unlikeBytes(3 * CHUNK)
  const short = unlikeBytes(100)

  test.each([
    ['a stream', value],
    ['one that becomes a put', short],
  ])('%s is seen if its condition holds, or leaves nothing', async (_, bytes) => {
    const upload = (condition: object): Promise<unknown> =>
      store.putStream('key', pieces(bytes), { if: condition } as never)
    expect(await codeOf(() => upload({ present: true }))).toBe('WISC_CONFLICT')
    expect(await store.has('key')).toBe(false)
    await upload({ absent: true })
    expect((await store.get('key'))?.equals(bytes)).toBe(true)
    expect(await codeOf(() => upload({ absent: true }))).toBe('WISC_CONFLICT')
    const { sequence } = (await store.stat('key'))!
    expect(await codeOf(() => upload({ sequence: sequence + 1 }))).toBe('WISC_CONFLICT')
    await upload({ sequence })
    await upload({ value: bytes })
    expect((await store.stat('key'))!.sequence).toBeGreaterThan(sequence)
    expect((await store.get('key'))?.equals(bytes)).toBe(true)
    await store.compact()
    await eventually(() => expect(store.stats().streams).toBe(bytes === value ? 1 : 0))
  })

  test('it is judged when the source has come to its end: of two uploads one is seen', async () => {
    const uploads = ['a', 'b'].map((text) => {
      const bytes = Buffer.alloc(2 * CHUNK, text)
      return codeOf(() => store.putStream('key', pieces(bytes), { if: { absent: true } }))
    })
    expect((await Promise.all(uploads)).toSorted()).toEqual(['WISC_CONFLICT', 'no error'])
    const late = async function* (): AsyncGenerator<Uint8Array, void> {
      yield value
      await store.delete('key')
    }
    await store.putStream('key', late(), { if: { absent: true } })
    expect((await store.get('key'))?.equals(value)).toBe(true)
  })
})
