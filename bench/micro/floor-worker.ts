/** The other thread of floor.ts: makes holes where values have died, or copies what lives of a file. */
import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { parentPort, workerData } from 'node:worker_threads'
import { checksum } from '../../lib/base/checksum.ts'
import { NodeFileSystem } from '../../lib/base/platform/node-file-system.ts'

export type FloorJob = PunchJob | CopyJob

interface PunchJob {
  readonly kind: 'punch'
  readonly file: number
  readonly slots: readonly number[]
}

interface CopyJob {
  readonly kind: 'copy'
  readonly file: number
  /** The key in each slot. */
  readonly keys: Int32Array
  /** The new file. */
  readonly output: number
  readonly outputBytes: number
}

export type FloorResult =
  | { readonly kind: 'punched'; readonly holes: number }
  /** The keys in the slots of the output, and where their values lay before. */
  | { readonly kind: 'copied'; readonly keys: Int32Array; readonly places: Int32Array }

interface Shared {
  readonly places: Int32Array
  readonly slots: number
  readonly valueBytes: number
  readonly directory: string
}

const PIECE_BYTES = 1024 * 1024
/** The disk takes a copy while it grows. */
const EARLY_BYTES = 8 * PIECE_BYTES

const { places, slots, valueBytes, directory } = workerData as Shared
const fileSystem = new NodeFileSystem()
const dataSync = promisify(fs.fdatasync)

function pathOf(number: number): string {
  return path.join(directory, String(number))
}

function punch(job: PunchJob): FloorResult {
  const file = fileSystem.open(pathOf(job.file), 'punch')
  for (const slot of job.slots) {
    if (!file.punch(slot * valueBytes, valueBytes)) throw new Error(`no holes in ${directory}`)
  }
  file.close()
  return { kind: 'punched', holes: job.slots.length }
}

async function copy(job: CopyJob): Promise<FloorResult> {
  const from = fs.openSync(pathOf(job.file), 'r')
  const to = fs.openSync(pathOf(job.output), 'wx')
  const piece = Buffer.alloc(PIECE_BYTES)
  const moved = new Int32Array(job.keys.length)
  const left = new Int32Array(job.keys.length)
  const syncs: Promise<void>[] = []
  let count = 0
  let filled = 0
  let written = 0
  let proof = 0
  const flush = (): void => {
    written += fs.writeSync(to, piece, 0, filled, written)
    filled = 0
    if (written >= (syncs.length + 1) * EARLY_BYTES) syncs.push(dataSync(to))
  }
  for (const [slot, key] of job.keys.entries()) {
    const place = job.file * slots + slot
    if (places[key] !== place) continue
    fs.readSync(from, piece, filled, valueBytes, slot * valueBytes)
    proof ^= checksum(piece.subarray(filled, filled + valueBytes))
    filled += valueBytes
    moved[count] = key
    left[count++] = place
    if (filled === PIECE_BYTES) flush()
  }
  flush()
  await Promise.all([...syncs, dataSync(to)])
  if (Number.isNaN(proof) || written !== count * valueBytes) throw new Error('not all was copied')
  fs.closeSync(from)
  fs.closeSync(to)
  return { kind: 'copied', keys: moved.slice(0, count), places: left.slice(0, count) }
}

parentPort!.on('message', (job: FloorJob) => {
  const result = job.kind === 'punch' ? Promise.resolve(punch(job)) : copy(job)
  void result.then((done) => parentPort!.postMessage(done))
})
