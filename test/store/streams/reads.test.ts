/**
 * getStream: parts, readers that bring their buffers, values that are overwritten, deleted and collected while they are
 * read, aborts, damage; and values that are too long for a Buffer.
 */
import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { open, type Store } from '#dist/lib/index.js'
import { unlikeBytes } from '../../support/random.ts'
import { codeOf } from '../../support/store/fault-store.ts'

const MIB = 1024 * 1024
const CHUNK = 65536

let directory: string
let store: Store

beforeEach(async () => {
  directory = await fs.mkdtemp(path.join(tmpdir(), 'wisc-streams-'))
  store = await open(path.join(directory, 'db'), { streamThreshold: CHUNK })
})

afterEach(async () => {
  await store.close()
  await fs.rm(directory, { recursive: true, force: true })
})

async function* once(value: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield value
}

async function readAll(stream: ReadableStream<Uint8Array> | undefined): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of stream!) parts.push(part)
  return Buffer.concat(parts)
}

test('values of every kind: inline, in the log, streams; none', async () => {
  const lengths = { inline: 10, empty: 0, log: 50_000, large: 3 * MIB, stream: 16 * MIB + 5 }
  for (const [key, length] of Object.entries(lengths)) {
    if (key === 'stream') await store.putStream(key, once(unlikeBytes(length)))
    else await store.put(key, unlikeBytes(length))
  }
  for (let round = 0; round < 2; round++) {
    for (const [key, length] of Object.entries(lengths)) {
      const found = await readAll(await store.getStream(key))
      expect(found.equals(unlikeBytes(length)), key).toBe(true)
    }
    await store.flush()
  }
  expect(await store.getStream('none')).toBeUndefined()
  expect(store.stats().iterators.open).toBe(0)
})

test('a listing says sizes and places, and reads no value', async () => {
  await store.put('a', 'inline')
  await store.put('b', unlikeBytes(200_000))
  await store.putStream('c', once(unlikeBytes(3 * MIB)))
  await store.put('d', '')
  for (let round = 0; round < 2; round++) {
    const listed: [string, number][] = []
    for await (const [key, stat] of store.entries({ values: 'stat', gte: 'a' })) {
      expect(stat).toEqual(await store.stat(key))
      listed.push([key.toString(), stat.size])
    }
    expect(listed).toEqual([
      ['a', 6],
      ['b', 200_000],
      ['c', 3 * MIB],
      ['d', 0],
    ])
    const sizes = await store.values({ values: 'stat', reverse: true, limit: 2 }).nextMany(10)
    expect(sizes.map(({ size }) => size)).toEqual([0, 3 * MIB])
    await store.flush()
  }
  const [first] = await store.values({ values: 'buffer', lt: 'b' }).nextMany(1)
  expect(first?.toString()).toBe('inline')
  const unknown = { values: 'all' } as never
  expect(() => store.entries(unknown)).toThrow(/values must be/)
  expect(() => store.values(unknown)).toThrow(/values must be/)
  expect(() => store.keys({ values: 'stat' } as never)).toThrow(/values/)
})

describe("values: 'stream'", () => {
  const lengths = { a: 6, b: 200_000, c: 3 * MIB, d: 0, e: 70_000 }

  beforeEach(async () => {
    for (const [key, length] of Object.entries(lengths))
      await store.putStream(key, once(unlikeBytes(length)))
    await store.flush()
  })

  test('each value is read when its stream is, and only then', async () => {
    for await (const [key, stream] of store.entries({ values: 'stream' })) {
      const wanted = unlikeBytes(lengths[key.toString() as keyof typeof lengths])
      if (key.toString() === 'b') continue
      expect((await readAll(stream)).equals(wanted), key.toString()).toBe(true)
    }
    expect(store.stats().iterators.open).toBe(0)
    const last = store.values({ values: 'stream', reverse: true, limit: 1 })
    const [stream] = await last.nextMany(5)
    // It has come to its limit, and yet its stream may begin.
    expect((await readAll(stream)).equals(unlikeBytes(lengths.e))).toBe(true)
    expect(store.stats().iterators.open).toBe(1)
    await last.close()
    expect(store.stats().iterators.open).toBe(0)
    for await (const unread of store.values({ values: 'stream' })) expect(unread.locked).toBe(false)
    expect(store.stats().iterators.open).toBe(0)
  })

  test('they are of the moment of the iterator, and go on when that is closed', async () => {
    const iterator = store.entries({ values: 'stream', gte: 'b' })
    const [b, c, d] = (await iterator.nextMany(3)).map(([, stream]) => stream)
    const reader = b!.getReader()
    const { value: first } = (await reader.read()) as { value: Uint8Array }
    await store.delete('b')
    await store.put('c', 'other')
    await store.flush()
    await store.compact()
    const wholeC = readAll(c)
    // A loop asks for its first part in a microtask.
    await nextTurn()
    await iterator.close()
    const parts = [first]
    for (let part = await reader.read(); !part.done; part = await reader.read())
      parts.push(part.value as Uint8Array)
    expect(Buffer.concat(parts).equals(unlikeBytes(lengths.b))).toBe(true)
    expect((await wholeC).equals(unlikeBytes(lengths.c))).toBe(true)
    // What nobody has begun held nothing.
    const error = await readAll(d).catch((reason: Error) => reason)
    expect(error).toMatchObject({ code: 'WISC_NOT_OPEN', message: /before the stream was read/ })
    expect(store.stats().iterators.open).toBe(0)
  })

  test('a signal, a close and damage reach those that have begun, and those that have not', async () => {
    const controller = new AbortController()
    const { signal } = controller
    const [b, c] = await store.values({ values: 'stream', gte: 'b', signal }).nextMany(2)
    const reader = c!.getReader()
    await reader.read()
    controller.abort(new Error('enough'))
    for (const call of [readAll(b), reader.read()])
      expect(await codeOf(() => call)).toBe('WISC_ABORTED')
    expect(store.stats().iterators.open).toBe(0)
    const cancelled = store.values({ values: 'stream' })
    const [first, second] = await cancelled.nextMany(2)
    await first!.cancel()
    await store.close()
    expect(await codeOf(() => readAll(second))).toBe('WISC_NOT_OPEN')
  })
})

test('parts, also behind the end', async () => {
  const value = unlikeBytes(17 * MIB)
  await store.putStream('key', once(value))
  const parts: [offset: number | undefined, length: number | undefined][] = [
    [undefined, undefined],
    [0, 0],
    [0, 1],
    [CHUNK - 1, 2],
    [MIB - 3, MIB + 7],
    [15 * MIB - 1, 2],
    [15 * MIB, CHUNK],
    [16 * MIB + 5, undefined],
    [value.length - 1, 100],
    [value.length, 1],
    [value.length + 5, undefined],
    [undefined, Number.POSITIVE_INFINITY],
  ]
  for (const [offset, length] of parts) {
    const options = {
      ...(offset !== undefined && { offset }),
      ...(length !== undefined && { length }),
    }
    const wanted = value.subarray(
      offset ?? 0,
      length === undefined ? undefined : (offset ?? 0) + length,
    )
    const found = await readAll(await store.getStream('key', options))
    expect(found.equals(wanted), `${offset} ${length}`).toBe(true)
  }
  for (const options of [{ offset: -1 }, { length: 1.5 }, { offset: Number.NaN }, { other: 1 }]) {
    expect(await codeOf(() => store.getStream('key', options))).toBe('WISC_INVALID_ARGUMENT')
  }
})

test('a reader may bring its buffers, of any size, and readers of both kinds', async () => {
  const value = unlikeBytes(3 * MIB + 11)
  await store.putStream('key', once(value))
  const stream = (await store.getStream('key'))!
  const reader = stream.getReader({ mode: 'byob' })
  const parts: Uint8Array[] = []
  let bytes = 0
  for (let size = 1; bytes < 2 * MIB; size = Math.min(300_000, size * 3)) {
    const { value: part } = await reader.read(new Uint8Array(size))
    parts.push(part!)
    bytes += part!.length
  }
  reader.releaseLock()
  parts.push(await readAll(stream))
  expect(Buffer.concat(parts).equals(value)).toBe(true)
  const whole = (await store.getStream('key', { length: 5 }))!.getReader({ mode: 'byob' })
  expect((await whole.read(new Uint8Array(10))).value).toHaveLength(5)
  expect((await whole.read(new Uint8Array(10))).done).toBe(true)
})

test('Readable.fromWeb, and a copy by it', async () => {
  const value = unlikeBytes(3 * MIB)
  await store.putStream('key', once(value))
  await store.putStream('copy', Readable.fromWeb((await store.getStream('key')) as never))
  expect((await store.get('copy'))?.equals(value)).toBe(true)
  await store.putStream('again', (await store.getStream('copy'))!)
  expect((await store.get('again'))?.equals(value)).toBe(true)
})

test.each([
  ['a stream', (value: Buffer) => store.putStream('key', once(value))],
  ['a large value', (value: Buffer) => store.put('key', value)],
] as const)('%s is read to its end, whatever becomes of it', async (_name, put) => {
  const value = unlikeBytes(5 * MIB)
  await put(value)
  const reader = (await store.getStream('key'))!.getReader()
  const parts = [(await reader.read()).value!]
  await put(unlikeBytes(4 * MIB, 2))
  await store.delete('key')
  await store.flush()
  await store.compact()
  await store.collect({ targetSpaceAmplification: 1.01 })
  for (;;) {
    const { done, value: part } = await reader.read()
    if (done) break
    parts.push(part)
  }
  expect(Buffer.concat(parts).equals(value)).toBe(true)
  expect(await store.get('key')).toBeUndefined()
  await store.compact()
  await store.collect({ targetSpaceAmplification: 1.01 })
  expect(store.stats().streams).toBe(0)
})

test('a snapshot may be closed once the stream has begun', async () => {
  const value = unlikeBytes(3 * MIB)
  await store.putStream('key', once(value))
  const snapshot = store.snapshot()
  await store.delete('key')
  const stream = await store.getStream('key', { snapshot })
  snapshot.close()
  await store.compact()
  await store.collect({ targetSpaceAmplification: 1.01 })
  expect((await readAll(stream)).equals(value)).toBe(true)
  expect(await codeOf(() => store.getStream('key', { snapshot }))).toBe('WISC_NOT_OPEN')
})

test('aborted, cancelled, and a store that is closed meanwhile', async () => {
  await store.putStream('key', once(unlikeBytes(5 * MIB)))
  const controller = new AbortController()
  const { signal } = controller
  const reader = (await store.getStream('key', { signal }))!.getReader()
  await reader.read()
  expect(store.stats().iterators.open).toBe(1)
  controller.abort()
  expect(await codeOf(() => reader.read())).toBe('WISC_ABORTED')
  expect(store.stats().iterators.open).toBe(0)
  expect(await codeOf(() => store.getStream('key', { signal }))).toBe('WISC_ABORTED')
  const other = (await store.getStream('key'))!
  await other.cancel()
  expect(store.stats().iterators.open).toBe(0)
  const last = (await store.getStream('key'))!.getReader()
  await last.read()
  await store.close()
  const drained = async (): Promise<void> => {
    while (!(await last.read()).done);
  }
  expect(await codeOf(drained)).toBe('WISC_NOT_OPEN')
})

test('readers of another process, beside the writer', async () => {
  const value = unlikeBytes(3 * MIB)
  await store.putStream('key', once(value))
  const other = await open(path.join(directory, 'db'), { readOnly: true })
  try {
    expect((await readAll(await other.getStream('key'))).equals(value)).toBe(true)
    await store.flush()
    expect((await other.get('key'))?.equals(value)).toBe(true)
  } finally {
    await other.close()
  }
})

test('every byte of a file counts: damage fails what needs it, and names its place', async () => {
  const value = unlikeBytes(2 * CHUNK + 100)
  await store.putStream('key', once(value))
  const { segment } = (await store.stat('key'))!
  await store.close()
  const name = `${String(segment).padStart(6, '0')}.vlog`
  const file = path.join(directory, 'db', name)
  const bytes = await fs.readFile(file)
  // All of what frames the value, and some of it.
  const chunksFrom = 64 + 12 + 3 + 4
  const chunksTo = chunksFrom + value.length
  const places: number[] = []
  for (let at = 0; at < bytes.length; at += at >= chunksFrom && at < chunksTo - 120 ? 1306 : 1)
    places.push(at)
  for (const at of places) {
    const damaged = Buffer.from(bytes)
    damaged[at]! ^= 1
    await fs.writeFile(file, damaged)
    const reader = await open(path.join(directory, 'db'), { readOnly: true })
    try {
      const code = await codeOf(() => reader.get('key'))
      // Bytes that a reader need not look at: what is ignored, and reserved ones.
      if (code === 'no error') expect((await reader.get('key'))?.equals(value), `${at}`).toBe(true)
      else
        expect(['WISC_CORRUPTION', 'WISC_FORMAT_VERSION', 'WISC_CODEC_UNAVAILABLE']).toContain(code)
      const report = await reader.verify()
      expect(report.ok && at >= chunksFrom && at < chunksTo, `${at}`).toBe(false)
      if (at >= chunksFrom && at < chunksTo) {
        const stream = readAll(await reader.getStream('key'))
        await expect(stream).rejects.toMatchObject({ code: 'WISC_CORRUPTION', file: name })
        // A part that does not touch the chunk can be read still.
        const chunk = Math.floor((at - chunksFrom) / CHUNK)
        const offset = chunk === 0 ? CHUNK : 0
        const part = await readAll(await reader.getStream('key', { offset, length: 10 }))
        expect(part.equals(value.subarray(offset, offset + 10))).toBe(true)
      }
    } finally {
      await reader.close()
    }
  }
  await fs.writeFile(file, bytes)
  store = await open(path.join(directory, 'db'))
  expect((await store.get('key'))?.equals(value)).toBe(true)
})
