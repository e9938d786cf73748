/**
 * putStream: every kind of source, what is short, sizes that do not come true, sources that fail and aborts at each
 * await; what is left of an upload that has failed; many at once; the bounds of space.
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
import { HAS_ZSTD } from '../../support/zstd.ts'

const MIB = 1024 * 1024
const CHUNK = 65536

let directory: string
let store: Store

beforeEach(async () => {
  directory = await fs.mkdtemp(path.join(tmpdir(), 'wisc-uploads-'))
  store = await open(path.join(directory, 'db'), { streamThreshold: CHUNK })
})

afterEach(async () => {
  await store.close()
  await fs.rm(directory, { recursive: true, force: true })
})

async function* pieces(value: Uint8Array, bytes = 50_000): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < value.length; at += bytes) {
    // Another turn now and then, as a socket would take.
    if (at % 3 === 0) await nextTurn()
    yield value.subarray(at, at + bytes)
  }
}

/** Files of streams, those that no version holds included. */
async function streamFiles(): Promise<string[]> {
  const names = await fs.readdir(path.join(directory, 'db'))
  const found: string[] = []
  for (const name of names) {
    if (!name.endsWith('.vlog')) continue
    const handle = await fs.open(path.join(directory, 'db', name)).catch(() => 'it has gone')
    if (typeof handle === 'string') continue
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(64), 0, 64, 0)
    await handle.close()
    if (bytesRead === 64 && buffer[10] === 6) found.push(name)
  }
  return found
}

/** Waits until no stream is left but `count`. */
async function settledStreams(count: number): Promise<void> {
  for (let turns = 0; (await streamFiles()).length !== count; turns++) {
    if (turns > 20_000) expect(await streamFiles()).toHaveLength(count)
    await nextTurn()
  }
}

describe('sources', () => {
  const value = unlikeBytes(5 * CHUNK + 17)

  test.each([
    ['an async generator', () => pieces(value)],
    ['a stream of Node', () => Readable.from(pieces(value))],
    ['a web stream', () => Readable.toWeb(Readable.from(pieces(value))) as ReadableStream],
    ['a Blob', () => new Blob([value])],
    ['tiny pieces', () => pieces(value.subarray(0, 2 * CHUNK), 100)],
    ['one piece', () => pieces(value, value.length)],
  ] as const)('%s', async (_name, source) => {
    const { size } = await store.putStream('key', source())
    const wanted = value.subarray(0, size)
    expect((await store.get('key'))?.equals(wanted)).toBe(true)
    expect(store.getSync('key')?.equals(wanted)).toBe(true)
    expect((await store.getMany(['key', 'other']))[0]?.equals(wanted)).toBe(true)
    expect(await store.stat('key')).toMatchObject({ size, storedSize: size, inline: false })
    expect(size).toBeGreaterThan(CHUNK)
  })

  test('a file handle, from where it stands; it stays open', async () => {
    const file = path.join(directory, 'file')
    await fs.writeFile(file, value)
    const handle = await fs.open(file)
    await handle.read(Buffer.alloc(1000), 0, 1000, null)
    expect(await store.putStream('key', handle)).toEqual({
      size: value.length - 1000,
      storedSize: value.length - 1000,
    })
    expect((await store.get('key'))?.equals(value.subarray(1000))).toBe(true)
    expect((await handle.stat()).size).toBe(value.length)
    await handle.close()
  })

  test.each([0, 1, 99, 1024, CHUNK - 1])('%i bytes become a put', async (length) => {
    await store.putStream('key', pieces(value.subarray(0, length)))
    expect((await store.get('key'))?.equals(value.subarray(0, length))).toBe(true)
    expect(store.stats().streams).toBe(0)
    expect(await streamFiles()).toEqual([])
  })

  test.runIf(HAS_ZSTD)('a put that is compressed tells what it takes then', async () => {
    await store.close()
    store = await open(path.join(directory, 'db'), { compression: 'zstd' })
    for (const length of [0, 10, 5000, 3 * CHUNK]) {
      const { size, storedSize } = await store.putStream(
        'key',
        pieces(Buffer.alloc(length, 'text')),
      )
      expect(size).toBe(length)
      expect(storedSize, `${length}`).toBe((await store.stat('key'))!.storedSize)
      if (length > 1000) expect(storedSize).toBeLessThan(length / 2)
    }
  })

  test.each([CHUNK, CHUNK + 1, 240 * CHUNK - 1, 240 * CHUNK, 240 * CHUNK + 1])(
    '%i bytes become a stream',
    async (length) => {
      const large = unlikeBytes(length)
      await store.putStream('key', pieces(large, 900_000))
      expect((await store.get('key'))?.equals(large)).toBe(true)
      await store.flush()
      expect(store.getSync('key')?.equals(large)).toBe(true)
      expect(store.stats().streams).toBe(1)
      expect(await store.verify()).toMatchObject({ ok: true, valueBytes: length })
    },
  )

  test('the empty key', async () => {
    for (const length of [0, 10, CHUNK]) {
      await store.putStream('', pieces(value.subarray(0, length)))
      expect((await store.get(''))?.length).toBe(length)
    }
    const stream = await store.getStream('')
    expect((await new Response(stream).arrayBuffer()).byteLength).toBe(CHUNK)
  })

  test('without the option less than a MiB becomes a put', async () => {
    const other = await open(path.join(directory, 'other'))
    try {
      await other.putStream('short', pieces(unlikeBytes(MIB - 1)))
      await other.putStream('long', pieces(unlikeBytes(MIB)))
      expect(other.stats().streams).toBe(1)
      expect((await other.get('long'))?.equals(unlikeBytes(MIB))).toBe(true)
    } finally {
      await other.close()
    }
  })

  test('a piece may be used again when the next one is asked for', async () => {
    const same = Buffer.alloc(30_000)
    const source = async function* (): AsyncGenerator<Uint8Array, void> {
      for (let i = 0; i < 6; i++) yield same.fill(i)
      same.fill(99)
    }
    await store.putStream('key', source())
    const wanted = Buffer.concat(Array.from({ length: 6 }, (_, i) => Buffer.alloc(30_000, i)))
    expect((await store.get('key'))?.equals(wanted)).toBe(true)
  })

  test.each([
    ['a string', 'text'],
    ['bytes', new Uint8Array(3)],
    ['an array', [new Uint8Array(3)]],
    ['nothing', undefined],
    ['null', null],
    ['a function', () => {}],
  ])('%s is no source', async (_name, source) => {
    expect(await codeOf(() => store.putStream('key', source as never))).toBe(
      'WISC_INVALID_ARGUMENT',
    )
  })

  test.each([
    ['a string', 'text'],
    ['a number', 7],
    ['nothing', undefined],
    ['a Float64Array', new Float64Array(3)],
  ])('%s is no piece', async (_name, piece) => {
    const source = async function* (): AsyncGenerator<Uint8Array, void> {
      yield unlikeBytes(2 * CHUNK)
      yield piece as never
    }
    expect(await codeOf(() => store.putStream('key', source()))).toBe('WISC_INVALID_ARGUMENT')
    expect(await store.get('key')).toBeUndefined()
    await settledStreams(0)
  })

  test('a piece whose memory is transferred while it is written', async () => {
    const piece = unlikeBytes(4 * CHUNK)
    const source = async function* (): AsyncGenerator<Uint8Array, void> {
      yield piece
    }
    const upload = store.putStream('key', source())
    await nextTurn()
    const buffer = piece.buffer as ArrayBuffer
    structuredClone(buffer, { transfer: [buffer] })
    expect(['WISC_INVALID_ARGUMENT', 'no error']).toContain(await codeOf(() => upload))
  })
})

describe('what does not come to its end', () => {
  test.each([
    ['more', 3 * CHUNK - 1],
    ['less', 3 * CHUNK + 1],
    ['more, and short', 5],
  ])('a source that has %s than its size', async (_name, size) => {
    const length = size < CHUNK ? 6 : 3 * CHUNK
    const upload = (): Promise<unknown> =>
      store.putStream('key', pieces(unlikeBytes(length)), { size })
    expect(await codeOf(upload)).toBe('WISC_INVALID_ARGUMENT')
    expect(await store.get('key')).toBeUndefined()
    await settledStreams(0)
    expect(
      await codeOf(() => store.putStream('key', pieces(unlikeBytes(length)), { size: length })),
    ).toBe('no error')
  })

  test.each([-1, 1.5, Number.NaN, '7', 2 ** 53])('size %s', async (size) => {
    const upload = (): Promise<unknown> =>
      store.putStream('key', pieces(unlikeBytes(10)), { size: size as number })
    expect(await codeOf(upload)).toBe('WISC_INVALID_ARGUMENT')
  })

  test.each([0, 10, 2 * CHUNK, 10 * CHUNK])(
    'a source that fails behind %i bytes',
    async (length) => {
      await store.put('key', 'before')
      const failure = new Error('of the source')
      const source = async function* (): AsyncGenerator<Uint8Array, void> {
        yield* pieces(unlikeBytes(length))
        throw failure
      }
      await expect(store.putStream('key', source())).rejects.toBe(failure)
      expect((await store.get('key'))?.toString()).toBe('before')
      await settledStreams(0)
    },
  )

  test('a signal that has fired, and unknown options', async () => {
    const signal = AbortSignal.abort()
    const source = pieces(unlikeBytes(10))
    expect(await codeOf(() => store.putStream('key', source, { signal }))).toBe('WISC_ABORTED')
    const other = { other: 1 } as object
    expect(await codeOf(() => store.putStream('key', pieces(unlikeBytes(10)), other))).toBe(
      'WISC_INVALID_ARGUMENT',
    )
  })

  test('aborted after any number of turns: all of it is there, or nothing', async () => {
    const value = unlikeBytes(6 * CHUNK)
    let ended = 0
    for (let turns = 0; turns < 60; turns++) {
      const key = `key${turns}`
      const controller = new AbortController()
      const { signal } = controller
      const upload = codeOf(() =>
        store.putStream(key, pieces(value, CHUNK), { signal, sync: true }),
      )
      for (let i = 0; i < turns; i++) await nextTurn()
      controller.abort()
      const code = await upload
      expect(['WISC_ABORTED', 'no error']).toContain(code)
      if (code === 'no error') ended++
      expect((await store.get(key))?.equals(value) ?? false).toBe(code === 'no error')
    }
    await store.flush()
    await settledStreams(ended)
    expect(await store.verify()).toMatchObject({ ok: true })
  })

  test('an abort does not wait for a source that never answers, and cancels it', async () => {
    const controller = new AbortController()
    const { signal } = controller
    let cancelled: unknown
    const web = new ReadableStream<Uint8Array>({
      pull: () => new Promise(() => {}),
      cancel: (reason) => {
        cancelled = reason
      },
    })
    const node = new Readable({ read: () => {} })
    node.push(unlikeBytes(2 * CHUNK))
    const uploads = [web, node].map((source) =>
      codeOf(() => store.putStream('key', source, { signal })),
    )
    await nextTurn()
    controller.abort(new Error('enough'))
    expect(await Promise.all(uploads)).toEqual(['WISC_ABORTED', 'WISC_ABORTED'])
    expect(cancelled).toBeInstanceOf(Error)
    expect(node.destroyed).toBe(true)
    await settledStreams(0)
  })

  test('a close ends uploads that are under way', async () => {
    const upload = codeOf(() =>
      store.putStream(
        'key',
        (async function* () {
          yield unlikeBytes(3 * CHUNK)
          await new Promise(() => {})
        })(),
      ),
    )
    await nextTurn()
    await store.close()
    expect(await upload).toBe('WISC_NOT_OPEN')
    expect(await streamFiles()).toEqual([])
    store = await open(path.join(directory, 'db'))
    expect(await store.get('key')).toBeUndefined()
  })

  test('a store that only reads', async () => {
    const reader = await open(path.join(directory, 'db'), { readOnly: true })
    try {
      const upload = (): Promise<unknown> => reader.putStream('key', pieces(unlikeBytes(10)))
      expect(await codeOf(upload)).toBe('WISC_READ_ONLY')
    } finally {
      await reader.close()
    }
  })
})

describe('beside others', () => {
  test('nothing is seen before the end, and order is that of the ends', async () => {
    const value = unlikeBytes(4 * CHUNK)
    const seen: unknown[] = []
    const source = async function* (): AsyncGenerator<Uint8Array, void> {
      yield value.subarray(0, 3 * CHUNK)
      seen.push(await store.get('key'))
      await store.put('key', 'between')
      yield value.subarray(3 * CHUNK)
    }
    await store.putStream('key', source())
    expect(seen).toEqual([undefined])
    expect((await store.get('key'))?.equals(value)).toBe(true)
  })

  test('forty at once: sixteen have files', async () => {
    let files = 0
    const values = Array.from({ length: 40 }, (_, i) => unlikeBytes(3 * CHUNK + i, i))
    const uploads = values.map((value, i) => {
      const source = async function* (): AsyncGenerator<Uint8Array, void> {
        yield* pieces(value)
        files = Math.max(files, (await streamFiles()).length - store.stats().streams)
      }
      return store.putStream(`key${i}`, source())
    })
    await Promise.all(uploads)
    expect(files).toBeGreaterThan(1)
    expect(files).toBeLessThanOrEqual(16)
    for (const [i, value] of values.entries())
      expect((await store.get(`key${i}`))?.equals(value)).toBe(true)
  })

  test('what is overwritten or deleted comes back by itself', async () => {
    for (let i = 0; i < 6; i++)
      await store.putStream(`key${i % 2}`, pieces(unlikeBytes(3 * CHUNK, i)))
    await store.delete('key0')
    await store.flush()
    await store.compact()
    await settledStreams(1)
    expect((await store.get('key1'))?.equals(unlikeBytes(3 * CHUNK, 5))).toBe(true)
  })

  test('I12: a replay after a kill finds each stream', async () => {
    const value = unlikeBytes(3 * CHUNK)
    await store.putStream('key', pieces(value), { sync: true })
    await store.putStream('key', pieces(value.subarray(1)), { sync: true })
    await store.put('key', 'last', { sync: true })
    // As a kill leaves it: nothing is flushed.
    await fs.cp(path.join(directory, 'db'), path.join(directory, 'copy'), { recursive: true })
    const copy = await open(path.join(directory, 'copy'))
    try {
      expect((await copy.get('key'))?.toString()).toBe('last')
      expect(copy.stats().recovery.replayedRecords).toBe(3)
    } finally {
      await copy.close()
    }
  })

  test('maxBytesOnDisk holds, and what an upload took comes back', async () => {
    const bounded = await open(path.join(directory, 'bounded'), {
      streamThreshold: CHUNK,
      collector: { maxBytesOnDisk: 24 * MIB },
    })
    try {
      const upload = (): Promise<unknown> =>
        bounded.putStream('large', pieces(unlikeBytes(40 * MIB), MIB))
      expect(await codeOf(upload)).toBe('WISC_DISK_FULL')
      expect(bounded.stats().diskBytes).toBeLessThanOrEqual(24 * MIB)
      await bounded.putStream('small', pieces(unlikeBytes(8 * MIB), MIB))
      expect((await bounded.stat('small'))?.size).toBe(8 * MIB)
    } finally {
      await bounded.close()
    }
  })
})
