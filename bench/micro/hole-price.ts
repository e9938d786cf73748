/**
 * Micro-benchmark of the two ways to take space back: a hole where a dead value lies, or a copy of what lives. Not a
 * part of `npm run bench`: `node dist/bench/micro/hole-price.js [DIRECTORY]`, beside a `LoopExt4` as root. Each figure
 * is the median of its rounds, which take the two places and all sizes in turn.
 *
 * It looks below the public face, as micro-benchmarks do: what it measures has none.
 */
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { checksum } from '../../lib/base/checksum.ts'
import { NodeFileSystem } from '../../lib/base/platform/node-file-system.ts'
import { renderTable } from '../harness/markdown.ts'
import { LoopExt4 } from '../machine/loop-ext4.ts'

const KIB = 1024
const MIB = 1024 * KIB
const FILE_BYTES = 64 * MIB
const SIZES = [4 * KIB, 16 * KIB, 64 * KIB]
/** More would take minutes where the disk is told of each. */
const HOLES_MAX = 512
/** A relocation is written in pieces of this size, and synced when so much is new. */
const PIECE_BYTES = MIB
const ROUNDS = 5
const LOOP_BYTES = 1024 * MIB
/** Of the writer beside: a log that is synced as it grows, and begun anew. */
const BESIDE_BYTES = 256 * MIB

/** Microseconds: of a hole, of a hole with its share of one sync behind them all, of a copy. */
interface Prices {
  readonly hole: number
  readonly synced: number
  readonly copy: number
}

const fileSystem = new NodeFileSystem()

function writeFile(file: string): void {
  const descriptor = fs.openSync(file, 'w')
  const piece = Buffer.alloc(PIECE_BYTES, 0xa5)
  for (let at = 0; at < FILE_BYTES; at += PIECE_BYTES) {
    fs.writeSync(descriptor, piece, 0, PIECE_BYTES, at)
  }
  fs.fsyncSync(descriptor)
  fs.closeSync(descriptor)
}

function microseconds(since: bigint, count: number): number {
  return Number(process.hrtime.bigint() - since) / 1000 / count
}

/** Every second value of the file dies; of small ones not all are punched. */
function punch(directory: string, valueBytes: number): Pick<Prices, 'hole' | 'synced'> {
  const name = path.join(directory, 'punched')
  writeFile(name)
  const file = fileSystem.open(name, 'punch')
  const count = Math.min(HOLES_MAX, FILE_BYTES / valueBytes / 2)
  const start = process.hrtime.bigint()
  for (let i = 0; i < count; i++) {
    if (!file.punch(2 * i * valueBytes, valueBytes)) throw new Error(`no holes in ${directory}`)
  }
  const hole = microseconds(start, count)
  file.close()
  const descriptor = fs.openSync(name, 'r')
  fs.fdatasyncSync(descriptor)
  const synced = microseconds(start, count)
  fs.closeSync(descriptor)
  fs.rmSync(name)
  return { hole, synced }
}

/** The other half is read value by value, proved, and written to a new file, which is synced. */
function copy(directory: string, valueBytes: number): number {
  const name = path.join(directory, 'copied')
  writeFile(name)
  const from = fs.openSync(name, 'r')
  const to = fs.openSync(path.join(directory, 'copy'), 'w')
  const piece = Buffer.alloc(PIECE_BYTES)
  const count = FILE_BYTES / valueBytes / 2
  let proof = 0
  let filled = 0
  let written = 0
  const start = process.hrtime.bigint()
  for (let i = 0; i < count; i++) {
    fs.readSync(from, piece, filled, valueBytes, (2 * i + 1) * valueBytes)
    proof ^= checksum(piece.subarray(filled, filled + valueBytes))
    filled += valueBytes
    if (filled < PIECE_BYTES) continue
    written += fs.writeSync(to, piece, 0, filled, written)
    filled = 0
  }
  fs.fdatasyncSync(to)
  const us = microseconds(start, count)
  if (written !== FILE_BYTES / 2 || Number.isNaN(proof)) throw new Error('not all was copied')
  fs.closeSync(from)
  fs.closeSync(to)
  fs.rmSync(name)
  fs.rmSync(path.join(directory, 'copy'))
  return us
}

function measureOne(directory: string, valueBytes: number): Prices {
  return { ...punch(directory, valueBytes), copy: copy(directory, valueBytes) }
}

/** In a thread of its own, until it is terminated: whole pieces and a sync for every sixteen of them. */
function writeForEver(directory: string): never {
  const descriptor = fs.openSync(path.join(directory, 'beside'), 'w')
  const piece = Buffer.alloc(PIECE_BYTES, 0x5a)
  for (let at = 0; ; at += PIECE_BYTES) {
    fs.writeSync(descriptor, piece, 0, PIECE_BYTES, at % BESIDE_BYTES)
    if (at % (16 * PIECE_BYTES) === 0) fs.fdatasyncSync(descriptor)
  }
}

function medianOf(all: readonly Prices[], of: (prices: Prices) => number): number {
  return all.map(of).toSorted((left, right) => left - right)[all.length >> 1]!
}

async function measurePlaces(places: ReadonlyMap<string, string>): Promise<void> {
  const found = new Map<string, Prices[]>()
  for (let round = 0; round < ROUNDS; round++) {
    for (const isBusy of [false, true]) {
      for (const [place, directory] of places) {
        const writer = isBusy
          ? new Worker(new URL(import.meta.url), { workerData: directory })
          : null
        for (const valueBytes of SIZES) {
          const row = `${place}${isBusy ? ', beside a busy log' : ''}|${valueBytes / KIB} KiB`
          const all = found.get(row) ?? []
          all.push(measureOne(directory, valueBytes))
          found.set(row, all)
        }
        await writer?.terminate()
      }
    }
  }
  const lines = [...found].map(([row, all]) => {
    const [hole, synced, copied] = [
      medianOf(all, (prices) => prices.hole),
      medianOf(all, (prices) => prices.synced),
      medianOf(all, (prices) => prices.copy),
    ]
    const bytes = Number.parseInt(row.split('|')[1]!, 10) * KIB
    const worth = (hole / copied) * bytes
    return [
      ...row.split('|'),
      hole.toFixed(1),
      synced.toFixed(1),
      copied.toFixed(1),
      `${(bytes / copied).toFixed(0)} MB/s`,
      `${(worth / KIB).toFixed(1)} KiB`,
    ]
  })
  const head = ['where', 'value', 'a hole, us', 'and its sync, us', 'its copy, us', 'copied']
  console.log(renderTable([...head, 'a hole in copied bytes'], lines))
}

async function main(): Promise<void> {
  const directory = fs.mkdtempSync(path.join(process.argv[2] ?? tmpdir(), 'wisc-bench-hole-'))
  let loop: LoopExt4 | undefined
  try {
    const places = new Map([['here', directory]])
    if (process.getuid?.() === 0) {
      loop = await LoopExt4.make(directory, LOOP_BYTES)
      places.set('loop ext4', loop.directory)
    }
    await measurePlaces(places)
  } finally {
    loop?.remove()
    fs.rmSync(directory, { recursive: true })
  }
}

if (isMainThread) await main()
else writeForEver(workerData as string)
