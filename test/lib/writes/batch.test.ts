/** Memory of callers that is taken away: borrowed values as compiled code sees them, and what getters of a batch do. */
import { expect, test } from 'vitest'
import type { PutOperation } from '#dist/lib/contract/types.js'
import { KIND } from '#dist/lib/tree/entry.js'
import { isUnchanged } from '#dist/lib/writes/batch.js'
import { plainRecord, RECORD_KIND } from '#dist/vlog/record.js'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'

test('a transferred value is a changed one, also once the function that asks is compiled', () => {
  const key = Buffer.from('key')
  const settled = {
    sync: false,
    records: 1,
    arenaBytes: 0,
    tableBytesMax: 0,
    condition: undefined,
    compose: undefined,
    resolve: () => {},
    reject: () => {},
  }
  for (let i = 0; i < 30_000; i++) {
    const valueBytes = 70 + (i % 5)
    // Some of them can change their size, which is when compiled code of Node 20 is wrong about `length`.
    const options = i % 4 === 1 ? [{ maxByteLength: 100 }] : []
    const buffer = Reflect.construct(ArrayBuffer, [valueBytes, ...options]) as ArrayBuffer
    const value = new Uint8Array(buffer, 0, valueBytes)
    const record = { ...plainRecord(RECORD_KIND.put, key, value), borrowed: true }
    const write = { ...record, entryKind: KIND.pointer, compresses: true, stream: undefined }
    const isGone = i % 7 === 0
    if (isGone) structuredClone(buffer, { transfer: [buffer] })
    const batch = {
      ...settled,
      writes: write,
      borrows: true,
      bytes: valueBytes,
      compresses: false,
      ready: undefined,
      failure: undefined,
    }
    if (isUnchanged(batch) === isGone) expect.fail(`value ${i}`)
  }
})

test.each(['key', 'value'] as const)(
  'a %s that a getter of a later operation transfers is never stored as an empty one',
  async (part) => {
    const store = await openSmallStore()
    const lost = new Uint8Array(100).fill(7)
    const first = { type: 'put', key: 'a', value: 'a', [part]: lost } as const
    const second: PutOperation = {
      type: 'put',
      get key() {
        structuredClone(lost.buffer, { transfer: [lost.buffer] })
        return 'b'
      },
      value: '',
    }
    expect(await codeOf(() => store.write([first, second]))).toBe('WISC_INVALID_ARGUMENT')
    expect(await store.keys().nextMany(9)).toEqual([])
    await store.write([{ type: 'put', key: '', value: '' }])
    expect((await store.keys().nextMany(9)).map(String)).toEqual([''])
  },
)
