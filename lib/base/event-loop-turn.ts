/**
 * Tells whether the event loop has turned lately.
 *
 * Promises that settle in microtasks never let the loop turn: 64 writers that each await a put would starve
 * every timer (measured: no tick in 0.7 s). So when a turn has lasted a millisecond, what settles next
 * settles from `setImmediate`. That costs nothing; using it for every group would cost 0.8 us a put.
 */

const TURN_MS_MAX = 1

export class EventLoopTurn {
  #armed = false
  #began = 0
  #calls = 0
  readonly #later: (() => void)[] = []

  /** True if timers and sockets should get their turn before more is settled. */
  isOld(): boolean {
    const now = performance.now()
    if (this.#armed) return now - this.#began > TURN_MS_MAX
    this.#armed = true
    this.#began = now
    setImmediate(this.#turned)
    return false
  }

  /** The same for what is called once for each entry or value: looks at the clock one time in eight. */
  isOldRarely(): boolean {
    if (this.#armed && (++this.#calls & 7) !== 0) return false
    return this.isOld()
  }

  /** Runs an action in the next turn. */
  later(action: () => void): void {
    if (!this.#armed) {
      this.#armed = true
      this.#began = performance.now()
      setImmediate(this.#turned)
    }
    this.#later.push(action)
  }

  readonly #turned = (): void => {
    this.#armed = false
    for (const action of this.#later.splice(0)) action()
  }
}
