/**
 * Values as streams: how fast they go beside a plain copy of a file, what memory they take, what a part of one costs,
 * and what writers lose beside an upload.
 */
import fs from 'node:fs'
import { type FileHandle, open as openFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { open, type Store } from '../../lib/index.ts'
import { takeJob, tellParent } from '../harness/children.ts'
import { Random } from '../harness/data-set.ts'
import { clearDebts, timed, turn } from '../harness/measure.ts'
import { Peaks } from '../harness/peaks.ts'
import { median } from '../harness/statistics.ts'

const KIB = 1024
const MIB = 1024 * KIB
const VALUE_BYTES = 4 * KIB
const PART_BYTES = 4 * KIB
const PART_MS = 2000
const PARTS_AT_A_TIME = 50
/** Half a GiB of them: no processor has so much cache. */
const SMALL_KEYS = 131_072
const WARM_BYTES = 512 * MIB
const WRITERS = 64
const WRITTEN_KEYS = 10_000
/** A window of the writers, what goes before it, and windows of each kind. */
const WINDOW_MS = 700
const SETTLED_MS = 200
const WINDOWS = 3

/** What the parent asks for. */
export interface StreamJob {
  readonly step: 'rates' | 'memory' | 'parts' | 'writers'
  readonly directory: string
  /** Of the value. */
  readonly bytes: number
}

/** Figures by their names. */
export type StreamReport = Readonly<Record<string, number | null>>

takeJob<StreamJob>(run)

async function run(job: StreamJob): Promise<void> {
  fs.mkdirSync(job.directory, { recursive: true })
  const store = await open(path.join(job.directory, 'store'))
  const steps = { rates, memory, parts, writers }
  const report = await steps[job.step](store, job)
  await store.close()
  await tellParent(report)
}

/** A value that is made on the fly, in one buffer: no two MiB are alike. */
async function* madeUp(bytes: number): AsyncGenerator<Uint8Array, void> {
  const piece = Buffer.allocUnsafeSlow(MIB)
  const random = new Random(1)
  for (let at = 0; at < MIB; at += 4) piece.writeInt32LE(random.below(2 ** 31), at)
  for (let at = 0; at < bytes; at += MIB) {
    piece.writeDoubleLE(at, 0)
    yield piece.subarray(0, Math.min(MIB, bytes - at))
  }
}

/** Bytes a second of each way, one behind the other. */
async function rates(store: Store, { directory, bytes }: StreamJob): Promise<StreamReport> {
  const source = path.join(directory, 'source')
  const target = path.join(directory, 'target')
  await fs.promises.writeFile(source, madeUp(bytes))
  const ways: Readonly<Record<string, () => Promise<void>>> = {
    'a copy loop': () => copyFile(source, target),
    "Node's file stream, for await": () => writeAll(target, fs.createReadStream(source, BY_MIB)),
    putStream: () => upload(store, source),
    'getStream, own buffers': async () => writeBuffers(target, (await store.getStream('film'))!),
    'getStream, for await': async () => writeAll(target, (await store.getStream('film'))!),
  }
  await upload(store, source)
  const rateOf: Record<string, number> = {}
  for (const [name, way] of Object.entries(ways)) {
    fs.rmSync(target, { force: true })
    clearDebts()
    rateOf[name] = bytes / (await timed(way))
  }
  return rateOf
}

const BY_MIB = { highWaterMark: MIB }

async function upload(store: Store, source: string): Promise<void> {
  const file = await openFile(source)
  await store.putStream('film', file, { sync: true })
  await file.close()
}

async function copyFile(source: string, target: string): Promise<void> {
  const [from, to] = [await openFile(source), await openFile(target, 'w')]
  const buffer = Buffer.allocUnsafeSlow(MIB)
  for (let at = 0; ; ) {
    const { bytesRead } = await from.read(buffer, 0, MIB, at)
    if (bytesRead === 0) break
    await write(to, buffer.subarray(0, bytesRead), at)
    at += bytesRead
  }
  await to.datasync()
  await Promise.all([from.close(), to.close()])
}

async function writeAll(target: string, source: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await openFile(target, 'w')
  let at = 0
  for await (const chunk of source) {
    await write(file, chunk, at)
    at += chunk.length
  }
  await file.datasync()
  await file.close()
}

async function writeBuffers(target: string, source: ReadableStream<Uint8Array>): Promise<void> {
  const file = await openFile(target, 'w')
  const reader = source.getReader({ mode: 'byob' })
  let at = 0
  for (let buffer = new Uint8Array(MIB); ; ) {
    const { done, value } = await reader.read(buffer)
    if (done) break
    await write(file, value, at)
    at += value.length
    buffer = new Uint8Array(value.buffer)
  }
  await file.datasync()
  await file.close()
}

async function write(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten
  }
}

/** Memory above that of a store that has streamed a little. */
async function memory(store: Store, { bytes }: StreamJob): Promise<StreamReport> {
  const drain = async (length: number): Promise<void> => {
    const reader = (await store.getStream('film', { length }))!.getReader({ mode: 'byob' })
    for (let buffer = new Uint8Array(MIB); ; ) {
      const { done, value } = await reader.read(buffer)
      if (done) return
      buffer = new Uint8Array(value.buffer)
    }
  }
  const iterate = async (length: number): Promise<void> => {
    for await (const _ of (await store.getStream('film', { length }))!);
  }
  const ways: Readonly<Record<string, (length: number) => Promise<unknown>>> = {
    putStream: (length) => store.putStream('film', madeUp(length)),
    'getStream, own buffers': drain,
    'getStream, for await': iterate,
  }
  const figures: Record<string, number | null> = {}
  for (const [name, way] of Object.entries(ways)) {
    // What code and the heap of the runtime take once, however long the stream is.
    await way(WARM_BYTES)
    clearDebts()
    const peaks = new Peaks()
    await way(bytes)
    const { memoryPeakBytes, memoryBaseBytes } = peaks.finish()
    const isKnown = memoryPeakBytes !== null && memoryBaseBytes !== null
    figures[name] = isKnown ? memoryPeakBytes - memoryBaseBytes : null
  }
  return figures
}

/** Microseconds of a get: of a value of 4 KiB, and of 4 KiB in the middle of larger ones. */
async function parts(store: Store, { bytes }: StreamJob): Promise<StreamReport> {
  const length = PART_BYTES
  const large = Buffer.allocUnsafeSlow(bytes)
  let filled = 0
  for await (const piece of madeUp(bytes)) {
    large.set(piece, filled)
    filled += piece.length
  }
  await store.put('small', large.subarray(0, length))
  const keys = Math.min(bytes / length, SMALL_KEYS)
  for (let i = 0; i < keys; i++)
    await store.put(`small${i}`, large.subarray(i * length, (i + 1) * length))
  await store.put('chunk', large.subarray(0, 64 * KIB))
  await store.put('large', large)
  await store.putStream('stream', madeUp(bytes))
  await store.flush()
  const random = new Random(1)
  const offset = (end: number): number => random.below(end / length) * length
  const gets: Readonly<Record<string, () => Buffer | undefined>> = {
    'of a value of 4 KiB': () => store.getSync('small'),
    'of a value of 4 KiB, random keys': () => store.getSync(`small${random.below(keys)}`),
    'of one chunk of 64 KiB': () => store.getSync('chunk', { offset: offset(64 * KIB), length }),
    'of a put': () => store.getSync('large', { offset: offset(bytes), length }),
    'of a put, the same chunk': () => store.getSync('large', { offset: bytes / 2, length }),
    'of a stream': () => store.getSync('stream', { offset: offset(bytes), length }),
    'of a stream, the same chunk': () => store.getSync('stream', { offset: bytes / 2, length }),
  }
  const microseconds = new Map<string, number[]>()
  for (const end = performance.now() + PART_MS; performance.now() < end; ) {
    for (const [name, get] of Object.entries(gets)) {
      const before = performance.now()
      for (let i = 0; i < PARTS_AT_A_TIME; i++) get()
      const us = ((performance.now() - before) * 1000) / PARTS_AT_A_TIME
      microseconds.set(name, [...(microseconds.get(name) ?? []), us])
      await turn()
    }
  }
  return Object.fromEntries([...microseconds].map(([name, all]) => [name, median(all)]))
}

/** Puts a second of writers that never stop, beside an upload and without one in turn: the medians of all windows. */
async function writers(store: Store): Promise<StreamReport> {
  // What an upload writes counts as living: beside one the collector would let writers go that it holds back alone.
  store.pauseCollector()
  const value = Buffer.alloc(VALUE_BYTES, 7)
  let puts = 0
  let isOver = false
  const writer = async (): Promise<void> => {
    while (!isOver) await store.put(`key${puts++ % WRITTEN_KEYS}`, value)
  }
  const writing = Promise.all(Array.from({ length: WRITERS }, writer))
  const rate = async (): Promise<number> => {
    await sleep(SETTLED_MS)
    const before = puts
    const seconds = await timed(() => sleep(WINDOW_MS))
    return (puts - before) / seconds
  }
  await rate()
  const alone: number[] = []
  const beside: number[] = []
  const uploaded: number[] = []
  for (let i = 0; i < WINDOWS; i++) {
    alone.push(await rate())
    const abort = new AbortController()
    const source = new EndlessSource()
    const upload = store.putStream('film', source, { signal: abort.signal })
    beside.push(await rate())
    uploaded.push(source.bytes / MIB / ((SETTLED_MS + WINDOW_MS) / 1000))
    abort.abort()
    await Promise.allSettled([upload])
  }
  isOver = true
  await writing
  return {
    alone: median(alone),
    'beside an upload': median(beside),
    'MiB a second of the upload': median(uploaded),
  }
}

/** One MiB again and again, as fast as it is taken. */
class EndlessSource implements AsyncIterable<Uint8Array> {
  readonly #piece = Buffer.alloc(MIB, 'film')
  bytes = 0

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    for (; ; this.bytes += MIB) yield this.#piece
  }
}
