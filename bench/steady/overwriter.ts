/**
 * The writers of `overwrite-steady`, and the model of what the store must hold after them.
 */
import type { DataSet } from '../harness/data-set.ts'

/** A store that rejects so many puts is not going to recover: the writers give up. */
const REJECTED_MAX = 1000
/** In {@link Overwriter}'s model: the key's last put was rejected, so that it may have its old value or the new one. */
const UNKNOWN = 0xffff_ffff

/** What it returns is awaited. */
type Put = (key: Buffer, value: Buffer) => unknown

/** Overwrites keys with values that the store has not seen (in very long runs: not for millions of puts). */
export class Overwriter {
  /** Rejected puts by the code of their error. */
  readonly rejected: Map<string, number> = new Map()
  #acknowledged = 0
  #rejectedCount = 0
  readonly #put: Put
  readonly #data: DataSet
  readonly #choose: () => number
  readonly #count: number
  /** For each key the number of its last put, counted from 1; 0 is the load. */
  readonly #lastPut: Uint32Array
  /** In the order of the acknowledgements. */
  readonly #latenciesMs: Float32Array

  /** @param choose gives the index of the next key, `count` times */
  constructor(put: Put, data: DataSet, choose: () => number, count: number) {
    this.#put = put
    this.#data = data
    this.#choose = choose
    this.#count = count
    this.#lastPut = new Uint32Array(data.entries)
    // Written once, so that its pages do not count as memory of the run.
    this.#latenciesMs = new Float32Array(count).fill(-1)
  }

  get acknowledged(): number {
    return this.#acknowledged
  }

  /** Times of the acknowledged puts, from the call to the acknowledgement. */
  get latenciesMs(): Float32Array {
    return this.#latenciesMs.subarray(0, this.#acknowledged)
  }

  /** So many writers, each of which awaits its put before the next. Settles with the last answer. */
  async run(writers: number): Promise<void> {
    let next = 0
    const write = async (): Promise<void> => {
      while (next < this.#count && this.#rejectedCount < REJECTED_MAX) {
        const put = ++next
        const index = this.#choose()
        this.#lastPut[index] = put
        const before = performance.now()
        try {
          await this.#put(this.#data.key(index), this.#valueOf(index, put))
          this.#latenciesMs[this.#acknowledged++] = performance.now() - before
        } catch (error) {
          this.#noteRejection(error)
          if (this.#lastPut[index] === put) this.#lastPut[index] = UNKNOWN
        }
      }
    }
    await Promise.all(Array.from({ length: writers }, write))
  }

  /** What the key of `index` must hold now; undefined if nobody can say. */
  expectedValue(index: number): Buffer | undefined {
    const put = this.#lastPut[index]!
    return put === UNKNOWN ? undefined : this.#valueOf(index, put)
  }

  /** The load used up the values 0 to entries - 1 of the data set, put n has value entries - 1 + n. */
  #valueOf(index: number, put: number): Buffer {
    if (put === 0) return this.#data.value(index, 0)
    const { entries } = this.#data
    const number = entries - 1 + put
    return this.#data.value(number % entries, Math.floor(number / entries))
  }

  #noteRejection(error: unknown): void {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    this.rejected.set(code, (this.rejected.get(code) ?? 0) + 1)
    this.#rejectedCount++
  }
}
