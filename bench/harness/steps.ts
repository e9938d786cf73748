/**
 * The steps of a run, one after the other: which are done, which one runs, how long the rest takes.
 *
 * What is done is known by name, so that a run which was interrupted goes on where it ended. The first round of
 * everything is made in any case; of later rounds those that the time still suffices for, all steps of a group or none,
 * so that engines that are held against each other have as many rounds.
 */
/** One process to measure, or a few that belong together. */
export interface Step {
  readonly name: string
  /** Steps of one kind take about as long: rounds of the same. */
  readonly kind: string
  /** From 1 on. */
  readonly round: number
  /** Of a round: what is measured whole or not at all. */
  readonly group: string
}

/** A step that is done. */
export interface FinishedStep {
  readonly name: string
  readonly kind: string
  readonly seconds: number
}

export class Steps {
  readonly #left: Step[]
  readonly #finished: FinishedStep[]
  readonly #leftOut: string[]
  readonly #failed: Record<string, string>
  readonly #secondsMax: number
  readonly #save: () => void
  readonly #judged: Set<string> = new Set()
  /** Of this process; that of an interrupted run counts by its steps. */
  readonly #startedAt: number = performance.now()
  readonly #secondsBefore: number

  /**
   * @param planned all of the run, in the order in which they are taken
   * @param finished those that an earlier run has done; each that is done is added
   * @param leftOut takes the groups that the time did not suffice for
   * @param failed takes why steps have failed, by their names
   * @param secondsMax of all steps together
   * @param save called behind each: its results are there
   */
  constructor(
    planned: readonly Step[],
    finished: FinishedStep[],
    leftOut: string[],
    failed: Record<string, string>,
    secondsMax: number,
    save: () => void,
  ) {
    this.#left = planned.filter(({ name }) => !finished.some((step) => step.name === name))
    this.#finished = finished
    this.#leftOut = leftOut
    this.#failed = failed
    this.#secondsMax = secondsMax
    this.#save = save
    this.#secondsBefore = finished.reduce((sum, { seconds }) => sum + seconds, 0)
  }

  /**
   * Runs a step, unless it is done or left out. One that fails leaves a gap in the tables, a line in the report and an
   * exit code; it is not done, and the others go on.
   */
  async take(name: string, run: () => Promise<void>): Promise<void> {
    const step = this.#left.find((each) => each.name === name)
    if (step === undefined || this.#isLeftOut(step)) return
    console.error(`-- ${step.name} (${this.#progress()})`)
    const startedAt = performance.now()
    try {
      await run()
      this.#finished.push({ name, kind: step.kind, seconds: secondsSince(startedAt) })
      delete this.#failed[name]
    } catch (error) {
      console.error(`${name} failed:`, error)
      this.#failed[name] = `failed: ${error instanceof Error ? error.message : error}`
      process.exitCode = 1
    }
    this.#left.splice(this.#left.indexOf(step), 1)
    this.#save()
  }

  /** Whether a step may take as long again as it just took: what was disturbed is measured once more. */
  canRepeat(seconds: number): boolean {
    const firstRound = this.#left.filter(({ round }) => round === 1)
    return this.#secondsOf(firstRound) + seconds <= this.#secondsLeft()
  }

  #isLeftOut({ round, group }: Step): boolean {
    const name = groupName(round, group)
    if (round > 1 && !this.#judged.has(name)) {
      this.#judged.add(name)
      const steps = this.#left.filter((step) => groupName(step.round, step.group) === name)
      if (this.#secondsOf(steps) > this.#secondsLeft()) {
        console.error(`-- ${name} is left out: it would take longer than the time that is left`)
        for (const step of steps) this.#left.splice(this.#left.indexOf(step), 1)
        this.#leftOut.push(name)
        this.#save()
      }
    }
    return this.#leftOut.includes(name)
  }

  #secondsLeft(): number {
    return this.#secondsMax - this.#secondsBefore - secondsSince(this.#startedAt)
  }

  /** By steps of the same kind, and the mean of all where there was none. */
  #secondsOf(steps: readonly Step[]): number {
    const mean = meanOf(this.#finished)
    return steps.reduce((sum, { kind }) => {
      const alike = this.#finished.filter((step) => step.kind === kind)
      return sum + (alike.length > 0 ? meanOf(alike) : mean)
    }, 0)
  }

  #progress(): string {
    const left = `${this.#left.length} steps left`
    if (this.#finished.length === 0) return left
    const seconds = Math.min(
      this.#secondsOf(this.#left),
      Math.max(this.#secondsLeft(), this.#secondsOf(this.#left.filter(({ round }) => round === 1))),
    )
    const time = seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`
    return `${left}, about ${time}`
  }
}

function groupName(round: number, group: string): string {
  return `round ${round} of ${group}`
}

/** Since a moment of `performance.now()`. */
export function secondsSince(moment: number): number {
  return (performance.now() - moment) / 1000
}

function meanOf(steps: readonly FinishedStep[]): number {
  return steps.reduce((sum, { seconds }) => sum + seconds, 0) / Math.max(1, steps.length)
}
