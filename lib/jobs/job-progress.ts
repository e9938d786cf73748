/**
 * The progress of a job: a cell of memory that the job shares with whoever has started it. It writes there between its
 * slices, and a timer reads it: no message is sent for it.
 */

const WHOLE = 1_000_000
const READ_MS = 250

export class JobProgress {
  readonly memory: SharedArrayBuffer = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)
  readonly #cell: Int32Array = new Int32Array(this.memory)
  readonly #tell: (share: number) => void

  /** @param tell is told the share when it has changed: above 0, up to 1 */
  constructor(tell: (share: number) => void) {
    this.#tell = tell
  }

  /**
   * Tells while the work goes on that has the memory.
   * @throws what the work throws, or, when it has ended, what telling threw
   */
  async tellDuring<T>(work: Promise<T>): Promise<T> {
    let told = 0
    let failure: { readonly error: unknown } | undefined
    const timer = setInterval(() => {
      const share = Atomics.load(this.#cell, 0) / WHOLE
      if (share === told || failure) return
      told = share
      try {
        this.#tell(share)
      } catch (error) {
        failure = { error }
      }
    }, READ_MS)
    try {
      const result = await work
      if (failure) throw failure.error
      return result
    } finally {
      clearInterval(timer)
    }
  }
}

/** What a job calls with its share, 0 to 1. @param memory that of a JobProgress */
export function shareWriter(memory: SharedArrayBuffer): (share: number) => void {
  const cell = new Int32Array(memory)
  return (share) => {
    Atomics.store(cell, 0, Math.round(share * WHOLE))
  }
}
