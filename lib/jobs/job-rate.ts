/** How fast a job may read and write: set by whoever started it, also while it runs. */
import { assert } from '../base/errors.ts'

export type RateListener = (bytesPerSecond: number | undefined) => void

/** The limit holds for each job that it is given to, not for their sum. */
export class JobRate {
  readonly #listeners: Set<RateListener> = new Set()
  #bytesPerSecond: number | undefined

  /** @param bytesPerSecond undefined: no limit; 0: the job stands still */
  constructor(bytesPerSecond: number | undefined) {
    this.#bytesPerSecond = checked(bytesPerSecond)
  }

  get bytesPerSecond(): number | undefined {
    return this.#bytesPerSecond
  }

  /** Takes effect before the job's next step. */
  set(bytesPerSecond: number | undefined): void {
    if (bytesPerSecond === this.#bytesPerSecond) return
    this.#bytesPerSecond = checked(bytesPerSecond)
    for (const listener of [...this.#listeners]) listener(bytesPerSecond)
  }

  /** @returns what ends the listening */
  onChange(listener: RateListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

function checked(bytesPerSecond: number | undefined): number | undefined {
  const isRate =
    bytesPerSecond === undefined || (Number.isFinite(bytesPerSecond) && bytesPerSecond >= 0)
  assert(isRate, `a rate is not negative, bytesPerSecond=${bytesPerSecond}`)
  return bytesPerSecond
}
