/** JSON documents of 4 KiB, compressed or not: puts, gets, and what they take on disk. */
import fs from 'node:fs'
import path from 'node:path'
import { ClassicLevel } from 'classic-level'
import { open as openLmdb } from 'lmdb'
import { type Options, open } from '../../lib/index.ts'
import { takeJob, tellParent } from '../harness/children.ts'
import { Random } from '../harness/data-set.ts'
import { clearDebts } from '../harness/measure.ts'

type DocumentsEngine =
  | 'wisc'
  | 'wisc zstd 1'
  | 'wisc zstd 3'
  | 'classic-level'
  | 'classic-level snappy'
  | 'lmdb-nosync'
  | 'lmdb-nosync lz4'

/** What the parent asks for. */
export interface DocumentsJob {
  readonly engine: DocumentsEngine
  /** `noise` does not compress. */
  readonly content: 'documents' | 'noise'
  readonly directory: string
  readonly count: number
}

export interface DocumentsReport {
  readonly putsPerSecond: number
  readonly getsPerSecond: number
  /** Of the processor, user and system, of all threads. */
  readonly putCpuMicroseconds: number
  readonly getCpuMicroseconds: number
  /** Allocated for each byte of keys and values; without the ballast. */
  readonly spacePerByte: number
}

interface Documents {
  put(key: string, value: Buffer): Promise<unknown>
  getSync(key: string): Uint8Array
  /** Waits until what was put is where it stays. */
  settle(): Promise<unknown>
  close(): Promise<unknown>
}

const WRITERS = 64
const VALUE_BYTES = 4096
const CONTENTS = 512

/** Without syncs; classic-level compresses with Snappy unless it is told not to, lmdb with LZ4 if it is told to. */
const ENGINES: Readonly<Record<DocumentsEngine, (place: string) => Promise<Documents>>> = {
  wisc: (place: string) => openWisc(place, {}),
  'wisc zstd 1': (place: string) => openWisc(place, { compression: 'zstd', compressionLevel: 1 }),
  'wisc zstd 3': (place: string) => openWisc(place, { compression: 'zstd', compressionLevel: 3 }),
  'classic-level': (place: string) => openClassic(place, false),
  'classic-level snappy': (place: string) => openClassic(place, true),
  'lmdb-nosync': async (place: string) => openNoSync(place, false),
  'lmdb-nosync lz4': async (place: string) => openNoSync(place, true),
}

takeJob<DocumentsJob>(run)

async function run({ engine, content, directory, count }: DocumentsJob): Promise<void> {
  const random = new Random(1)
  const make = content === 'noise' ? noise : order
  const values = Array.from({ length: CONTENTS }, () => make(random))
  const keys = Array.from({ length: count }, (_, i) => `document ${(i * 7919) % count}`)
  fs.mkdirSync(directory, { recursive: true })
  const place = path.join(directory, 'store')
  const store = await ENGINES[engine](place)
  clearDebts()
  let next = 0
  const write = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) await store.put(keys[i]!, values[i % CONTENTS]!)
  }
  const put = await measured(() => Promise.all(Array.from({ length: WRITERS }, write)))
  await store.settle()
  let bytes = 0
  const readAll = async (): Promise<void> => {
    for (let i = 0; i < count; i++) bytes += store.getSync(keys[random.below(count)]!).length
  }
  await readAll()
  const get = await measured(readAll)
  if (bytes !== 2 * count * VALUE_BYTES) throw new Error(`read wrong values bytes=${bytes}`)
  await store.close()
  const keyBytes = keys.reduce((sum, { length }) => sum + length, 0)
  const report: DocumentsReport = {
    putsPerSecond: count / put.seconds,
    getsPerSecond: count / get.seconds,
    putCpuMicroseconds: put.cpuMicroseconds / count,
    getCpuMicroseconds: get.cpuMicroseconds / count,
    spacePerByte: allocated(place) / (keyBytes + count * VALUE_BYTES),
  }
  await tellParent(report)
}

async function measured(
  work: () => Promise<unknown>,
): Promise<{ seconds: number; cpuMicroseconds: number }> {
  const before = process.cpuUsage()
  const began = performance.now()
  await work()
  const seconds = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage(before)
  return { seconds, cpuMicroseconds: user + system }
}

const NAMES = ['Ada', 'Grace', 'Alan', 'Edsger', 'Barbara', 'Donald', 'Leslie', 'Tony', 'Frances']
const WORDS = 'of and to in is that it for on are as with be this have from or one had by but not'
const WORD_LIST = WORDS.split(' ')

/** An order as a shop has it, filled up to its length with lines. */
function order(random: Random): Buffer {
  const pick = (list: readonly string[]): string => list[random.below(list.length)]!
  const lines: object[] = []
  const document = {
    id: random.below(1e9),
    customer: { name: pick(NAMES), email: `${pick(NAMES)}@example.com`, zip: random.below(1e5) },
    created: new Date(1.7e12 + random.below(1e9)).toISOString(),
    status: pick(['pending', 'paid', 'shipped', 'delivered']),
    lines,
  }
  while (JSON.stringify(document).length < VALUE_BYTES - 140) {
    const title = `${pick(WORD_LIST)} ${pick(WORD_LIST)} ${pick(WORD_LIST)}`
    const price = random.below(10_000) / 100
    lines.push({ sku: `SKU-${random.below(1e5)}`, title, quantity: random.below(9), price })
  }
  return Buffer.from(JSON.stringify(document).padEnd(VALUE_BYTES))
}

function noise(random: Random): Buffer {
  const bytes = Buffer.allocUnsafeSlow(VALUE_BYTES)
  for (let at = 0; at < VALUE_BYTES; at += 4) bytes.writeUInt32LE(random.below(2 ** 32), at)
  return bytes
}

function allocated(place: string): number {
  let bytes = 0
  for (const name of fs.readdirSync(place)) {
    const { blocks } = fs.statSync(path.join(place, name))
    if (name !== 'BALLAST') bytes += blocks * 512
  }
  return bytes
}

async function openWisc(place: string, options: Options): Promise<Documents> {
  const store = await open(place, options)
  return {
    put: (key, value) => store.put(key, value),
    getSync: (key) => store.getSync(key)!,
    settle: () => store.flush(),
    close: () => store.close(),
  }
}

async function openClassic(place: string, compression: boolean): Promise<Documents> {
  const encodings = { keyEncoding: 'utf8', valueEncoding: 'buffer' } as const
  const store = new ClassicLevel<string, Buffer>(place, { ...encodings, compression })
  await store.open()
  return {
    put: (key, value) => store.put(key, value),
    getSync: (key) => store.getSync(key)!,
    settle: () => store.compactRange('a', 'z'),
    close: () => store.close(),
  }
}

function openNoSync(place: string, compression: boolean): Documents {
  const options = { path: place, encoding: 'binary', noSync: true, compression } as const
  const store = openLmdb<Buffer, string>(options)
  return {
    put: (key, value) => store.put(key, value),
    getSync: (key) => store.get(key)!,
    settle: () => store.flushed,
    close: () => store.close(),
  }
}
