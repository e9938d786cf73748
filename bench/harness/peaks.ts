/**
 * What a workload costs beside time, read from /proc (Linux): memory, bytes given to write calls, pauses.
 *
 * Memory is RssAnon + RssShmem: what the process itself holds. RssFile is left out, since the pages of
 * mapped files (all of lmdb, the tables of LevelDB) are page cache; `highWaterBytes` (VmHWM) has them in.
 * A timer takes samples and notes its own lateness: the longest pause of the event loop.
 */
import fs from 'node:fs'

const SAMPLE_INTERVAL_MS = 10
/** Memory is read at every second tick: a reading costs some 40 us. */
const TICKS_PER_SAMPLE = 2
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
  /** Longest pause of the event loop, and how often a 10 ms timer fired. */
  readonly longestPauseMs: number
  readonly timerTicksPerSecond: number
}

/** Samples from its creation on until {@link Peaks.finish}. */
export class Peaks {
  readonly #status: number | null = openIfThere('/proc/self/status')
  readonly #buffer: Buffer = Buffer.alloc(STATUS_BYTES)
  readonly #base: number | null
  readonly #writtenBefore: number | null
  readonly #timer: NodeJS.Timeout
  readonly #startedAt: number
  #peak: number | null
  #lastTickAt: number
  #longestGapMs = 0
  #ticks = 0

  constructor() {
    // Writing 5 there sets VmHWM back to the present size (proc(5)).
    if (this.#status !== null) fs.writeFileSync('/proc/self/clear_refs', '5')
    this.#base = this.#readMemory()
    this.#peak = this.#base
    this.#writtenBefore = readWrittenBytes()
    this.#startedAt = performance.now()
    this.#lastTickAt = this.#startedAt
    this.#timer = setInterval(() => this.#tick(), SAMPLE_INTERVAL_MS)
  }

  finish(): PeakReadings {
    clearInterval(this.#timer)
    this.#notePause()
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
      longestPauseMs: Math.max(0, this.#longestGapMs - SAMPLE_INTERVAL_MS),
      timerTicksPerSecond: (this.#ticks / (this.#lastTickAt - this.#startedAt)) * 1000,
    }
  }

  #tick(): void {
    this.#ticks++
    this.#notePause()
    if (this.#ticks % TICKS_PER_SAMPLE === 0) this.#sample()
  }

  #notePause(): void {
    const now = performance.now()
    this.#longestGapMs = Math.max(this.#longestGapMs, now - this.#lastTickAt)
    this.#lastTickAt = now
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
