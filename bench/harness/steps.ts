/**
 * The steps of a run, one after the other: which are done, which one runs, how long the rest takes.
 *
 * What is done is known by name, so that a run which was interrupted goes on where it ended.
 */
import { attempt } from './children.ts'

/** One process to measure, or a few that belong together. */
export interface Step {
  readonly name: string
  /** Steps of one kind take about as long: rounds of the same. */
  readonly kind: string
}

export class Steps {
  readonly #left: Step[]
  readonly #finished: string[]
  readonly #save: () => void
  readonly #secondsOf: Map<string, number[]> = new Map()

  /**
   * @param planned all of the run, in the order in which they are taken
   * @param finished those that an earlier run has done; each that is done is added
   * @param save called behind each: its results are there
   */
  constructor(planned: readonly Step[], finished: string[], save: () => void) {
    this.#left = planned.filter(({ name }) => !finished.includes(name))
    this.#finished = finished
    this.#save = save
  }

  /** Runs a step, unless it is done. One that fails is said to have failed, and is not done. */
  async take(name: string, run: () => Promise<void>): Promise<void> {
    const at = this.#left.findIndex((step) => step.name === name)
    if (at < 0) return
    const step = this.#left[at]!
    console.error(`-- ${step.name} ${this.#remaining()}`)
    const startedAt = performance.now()
    const done = await attempt(name, run)
    this.#left.splice(at, 1)
    if (!done) return
    const seconds = (performance.now() - startedAt) / 1000
    this.#secondsOf.set(step.kind, [...(this.#secondsOf.get(step.kind) ?? []), seconds])
    this.#finished.push(name)
    this.#save()
  }

  /** By steps of the same kind, and the mean of all where there was none. */
  #remaining(): string {
    const known = [...this.#secondsOf.values()].flat()
    if (known.length === 0) return `(${this.#left.length} left)`
    const seconds = this.#left.reduce(
      (sum, { kind }) => sum + mean(this.#secondsOf.get(kind) ?? known),
      0,
    )
    const time = seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`
    return `(${this.#left.length} left, about ${time})`
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
