/** What is asked of streams: no Buffer is as long as some of them, and none stands for another. */
import { expect, test } from 'vitest'
import { checkWhole } from '#dist/vlog/read/stream-requests.js'
import { STREAM_OFFSET, streamPointerBytes } from '#dist/vlog/stream/stream-format.js'
import type { StreamReader } from '#dist/vlog/stream/stream-reader.js'

const key = Buffer.from('key')

function request(size: number): Parameters<typeof checkWhole>[1] {
  const length = streamPointerBytes(key.length, size)
  const place = { segment: 7, offset: STREAM_OFFSET, length, sequence: 1 }
  return { keyBytes: key, keyStart: 0, keyEnd: key.length, ...place }
}

test('a value of 2^31 bytes and more is for getStream', () => {
  const stream = (size: number): StreamReader => ({ key, size }) as unknown as StreamReader
  checkWhole(stream(2 ** 31 - 1), request(2 ** 31 - 1))
  for (const size of [2 ** 31, 2 ** 32 + 5, 2 ** 47]) {
    const whole = (): void => checkWhole(stream(size), request(size))
    expect(whole).toThrow(expect.objectContaining({ code: 'WISC_INVALID_ARGUMENT' }))
    expect(whole).toThrow(/getStream/)
  }
})

test('another stream than the one that a pointer names is damage', () => {
  const stream = { key, size: 100 } as unknown as StreamReader
  checkWhole(stream, request(100))
  for (const other of [
    request(101),
    { ...request(100), offset: STREAM_OFFSET + 1 },
    { ...request(100), keyBytes: Buffer.from('kez') },
  ]) {
    expect(() => checkWhole(stream, other)).toThrow(
      expect.objectContaining({ code: 'WISC_CORRUPTION', file: '000007.vlog' }),
    )
  }
})
