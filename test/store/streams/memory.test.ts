/** I10: however long a stream is, it goes through two buffers of a MiB, in both directions. */
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { open, type Store } from '#dist/lib/index.js'
import { unlikeBytes } from '../../support/random.ts'

const MIB = 1024 * 1024
const STREAM_BYTES = 40 * MIB + 12_345

let directory: string
let store: Store

beforeEach(async () => {
  directory = fs.mkdtempSync(path.join(tmpdir(), 'wisc-streams-'))
  store = await open(path.join(directory, 'db'))
})

afterEach(async () => {
  vi.restoreAllMocks()
  await store.close()
  fs.rmSync(directory, { recursive: true, force: true })
})

async function* pieces(value: Buffer): AsyncGenerator<Buffer, void> {
  for (let at = 0; at < value.length; at += 300_000) yield value.subarray(at, at + 300_000)
}

/** Collects the memory of all arguments that are large arrays, or lists of some. */
function memoryOf(calls: readonly (readonly unknown[])[]): Set<ArrayBufferLike> {
  const found = new Set<ArrayBufferLike>()
  for (const argument of calls.flat(2)) {
    if (argument instanceof Uint8Array && argument.length >= MIB / 2) found.add(argument.buffer)
  }
  return found
}

test('an upload, and sixteen of them', async () => {
  const value = unlikeBytes(STREAM_BYTES)
  const writes = vi.spyOn(fs, 'writev')
  await store.putStream('key', pieces(value))
  expect(memoryOf(writes.mock.calls).size).toBe(2)
  writes.mockClear()
  const keys = Array.from({ length: 20 }, (_, i) => `key ${i}`)
  const part = value.subarray(0, 5 * MIB)
  await Promise.all(keys.map((key) => store.putStream(key, pieces(part))))
  expect(memoryOf(writes.mock.calls).size).toBeLessThanOrEqual(2 * 16)
  for (const key of keys) expect((await store.get(key))?.equals(part)).toBe(true)
})

test.each([
  ['a stream', (value: Buffer) => store.putStream('key', pieces(value))],
  ['a large value', (value: Buffer) => store.put('key', value)],
] as const)('%s that is read into the buffers of its reader', async (_name, put) => {
  const value = unlikeBytes(STREAM_BYTES)
  await put(value)
  const reads = vi.spyOn(fs, 'read')
  const reader = (await store.getStream('key'))!.getReader({ mode: 'byob' })
  let at = 0
  for (let buffer = new Uint8Array(700_000); ; ) {
    const { done, value: part } = await reader.read(buffer)
    if (done) break
    expect(value.subarray(at, at + part.length).equals(part), `${at}`).toBe(true)
    at += part.length
    buffer = new Uint8Array(part.buffer)
  }
  expect(at).toBe(value.length)
  expect(reads.mock.calls.length).toBeGreaterThanOrEqual(40)
  expect(memoryOf(reads.mock.calls).size).toBe(2)
})

test('what is given out is its reader’s: no later part changes it', async () => {
  const value = unlikeBytes(STREAM_BYTES)
  await store.putStream('key', pieces(value))
  // One that brings its buffer first, then takes what comes.
  const stream = (await store.getStream('key'))!
  const own = stream.getReader({ mode: 'byob' })
  const first: Uint8Array = (await own.read(new Uint8Array(MIB))).value!
  own.releaseLock()
  const parts = [first]
  for await (const part of stream) parts.push(part)
  expect(Buffer.concat(parts).equals(value)).toBe(true)
})
