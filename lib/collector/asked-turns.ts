/**
 * Collections and plans that callers ask for go one after the other; no step of the collector's own goes beside them.
 */
import type { OwnWork } from './act/own-work.ts'

export class AskedTurns {
  readonly #own: Pick<OwnWork, 'hasSteps' | 'anyStepEnded'>
  #count = 0
  #running: Promise<void> | undefined

  constructor(own: Pick<OwnWork, 'hasSteps' | 'anyStepEnded'>) {
    this.#own = own
  }

  /** Somebody has a turn or waits for one: steps of the collector's own begin only after that. */
  get areAsked(): boolean {
    return this.#count > 0
  }

  /** Does something when everything else has ended. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    this.#count++
    try {
      while (this.#running || this.#own.hasSteps) {
        await (this.#running ?? this.#own.anyStepEnded())
      }
      const running = work()
      this.#running = running.then(ended, ended).finally(() => {
        this.#running = undefined
      })
      return await running
    } finally {
      this.#count--
    }
  }

  /** Resolves when nobody has a turn. */
  async ended(): Promise<void> {
    await this.#running
  }
}

function ended(): void {}
