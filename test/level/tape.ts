/** What the conformance suite of abstract-level needs of tape, on top of vitest. */
import assert from 'node:assert/strict'
import { test } from 'vitest'

/** What a test of the suite is called with. Each assertion counts. */
class Assertions {
  count = 0
  #planned: number | undefined
  #reachedPlan: () => void = () => {}
  readonly #planReached = new Promise<void>((resolve) => {
    this.#reachedPlan = resolve
  })

  readonly is = this.#counted(assert.equal)
  readonly isNot = this.#counted(assert.notEqual)
  readonly same = this.#counted(assert.deepEqual)
  readonly ok = this.#counted(assert.ok)
  readonly throws = this.#counted(assert.throws)
  readonly doesNotThrow = this.#counted(assert.doesNotThrow)
  readonly pass = this.#counted(() => {})
  readonly fail = this.#counted((message?: string) => assert.fail(message))

  plan(count: number): void {
    this.#planned = count
  }

  end(): void {
    this.#planned ??= this.count
  }

  /** Resolves when as many assertions have been made as were planned, also behind the end of the test's function. */
  async finish(): Promise<void> {
    if (this.#planned !== undefined && this.count < this.#planned) await this.#planReached
    assert.equal(this.count, this.#planned ?? this.count, 'more assertions than planned')
  }

  #counted<A extends unknown[]>(check: (...args: A) => void): (...args: A) => void {
    return (...args) => {
      check(...args)
      this.count++
      if (this.count === this.#planned) this.#reachedPlan()
    }
  }
}

/** A function like tape's `test`, and how many assertions its tests have made so far. */
export function tapeTest(): {
  readonly test: (name: string, run: (t: object) => unknown) => void
  readonly made: () => number
} {
  let made = 0
  return {
    test: (name, run) =>
      test(name, async () => {
        const assertions = new Assertions()
        await run(assertions)
        await assertions.finish()
        made += assertions.count
      }),
    made: () => made,
  }
}
