/** Calls once after a quiet time, however often it is armed meanwhile; never keeps the process alive. */
export class QuietTimer {
  readonly #ms: number
  readonly #call: () => void
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(ms: number, call: () => void) {
    this.#ms = ms
    this.#call = call
  }

  arm(): void {
    if (this.#timer !== undefined || this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#call()
    }, this.#ms)
    this.#timer.unref()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }
}
