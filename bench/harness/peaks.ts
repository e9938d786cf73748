/**
 * What a workload costs beside time: memory, bytes given to write calls (from /proc, Linux), pauses of the event loop.
 *
 * Memory is RssAnon + RssShmem: what the process itself holds. RssFile is left out, since the pages of
 * mapped files (all of lmdb, the tables of LevelDB) are page cache; `highWaterBytes` (VmHWM) has them in.
 */
import fs from 'node:fs'
import { type LoopDelay, LoopDelayWatch } from './loop-delay.ts'

/** Of memory: a reading costs some 40 us. */
const SAMPLE_MS = 20
const STATUS_BYTES = 4096

/** The readings of one workload. Null where the platform does not tell. */
export interface PeakReadings {
  /** Highest anonymous and shared memory seen. */
  readonly memoryPeakBytes: number | null
  /** The same before the workload: runtime and harness, and what earlier workloads left. */
  readonly memoryBaseBytes: number | null
  /** VmHWM: the peak with the pages of mapped files. */
  readonly highWaterBytes: number | null
  /** Bytes given to write calls by all threads (`wchar`). */
  readonly writtenBytes: number | null
  readonly loopDelayMs: LoopDelay
}

/** Samples from its creation on until {@link Peaks.finish}. */
export class Peaks {
  readonly #status: number | null = openIfThere('/proc/self/status')
  readonly #buffer: Buffer = Buffer.alloc(STATUS_BYTES)
  readonly #base: number | null
  readonly #writtenBefore: number | null
  readonly #timer: NodeJS.Timeout
  readonly #loop: LoopDelayWatch
  #peak: number | null

  constructor() {
    // Writing 5 there sets VmHWM back to the present size (proc(5)).
    if (this.#status !== null) fs.writeFileSync('/proc/self/clear_refs', '5')
    this.#base = this.#readMemory()
    this.#peak = this.#base
    this.#writtenBefore = readWrittenBytes()
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS)
    this.#loop = new LoopDelayWatch()
  }

  finish(): PeakReadings {
    const loopDelayMs = this.#loop.finish()
    clearInterval(this.#timer)
    this.#sample()
    const written = readWrittenBytes()
    const highWaterBytes = this.#readField('VmHWM:')
    if (this.#status !== null) fs.closeSync(this.#status)
    return {
      memoryPeakBytes: this.#peak,
      memoryBaseBytes: this.#base,
      highWaterBytes,
      writtenBytes:
        written === null || this.#writtenBefore === null ? null : written - this.#writtenBefore,
      loopDelayMs,
    }
  }

  #sample(): void {
    const memory = this.#readMemory()
    if (memory !== null && (this.#peak === null || memory > this.#peak)) this.#peak = memory
  }

  #readMemory(): number | null {
    const anonymous = this.#readField('RssAnon:')
    const shared = this.#readField('RssShmem:')
    return anonymous === null || shared === null ? null : anonymous + shared
  }

  #readField(name: string): number | null {
    if (this.#status === null) return null
    const length = fs.readSync(this.#status, this.#buffer, 0, STATUS_BYTES, 0)
    const text = this.#buffer.toString('latin1', 0, length)
    const at = text.indexOf(name)
    return at < 0 ? null : Number.parseInt(text.slice(at + name.length), 10) * 1024
  }
}

/** Bytes that this process gave to write calls so far. */
export function readWrittenBytes(): number | null {
  if (!fs.existsSync('/proc/self/io')) return null
  const match = /wchar: (\d+)/.exec(fs.readFileSync('/proc/self/io', 'latin1'))
  return match === null ? null : Number(match[1])
}

function openIfThere(file: string): number | null {
  return fs.existsSync(file) ? fs.openSync(file, 'r') : null
}
