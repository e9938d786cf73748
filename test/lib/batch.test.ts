/** Borrowed values that were taken away, as compiled code sees them. */
import { expect, test } from 'vitest'
import { isUnchanged } from '#dist/lib/batch.js'
import { RECORD_KIND } from '#dist/vlog/record.js'

test('a transferred value is a changed one, also once the function that asks is compiled', () => {
  const key = Buffer.from('key')
  const settled = { sync: false, arenaBytes: 0, resolve: () => {}, reject: () => {} }
  for (let i = 0; i < 30_000; i++) {
    const valueBytes = 70 + (i % 5)
    // Some of them can change their size, which is when compiled code of Node 20 is wrong about `length`.
    const options = i % 4 === 1 ? [{ maxByteLength: 100 }] : []
    const buffer = Reflect.construct(ArrayBuffer, [valueBytes, ...options]) as ArrayBuffer
    const value = new Uint8Array(buffer, 0, valueBytes)
    const write = { kind: RECORD_KIND.put, key, value, valueBytes, borrowed: true, sums: undefined }
    const isGone = i % 7 === 0
    if (isGone) structuredClone(buffer, { transfer: [buffer] })
    const batch = { ...settled, writes: write, borrows: true, bytes: valueBytes }
    if (isUnchanged(batch) === isGone) expect.fail(`value ${i}`)
  }
})
