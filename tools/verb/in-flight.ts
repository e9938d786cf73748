/** Bounds what has been started and has not ended yet, by bytes and by count. */
const BYTES_MAX = 64 * 1024 * 1024
const COUNT_MAX = 1024

export class InFlight {
  readonly #started: { readonly done: Promise<void>; readonly bytes: number }[] = []
  #bytes = 0
  #failures: unknown[] = []

  /** Waits until `bytes` more may be started; one thing of any size is always let through. */
  async waitFor(bytes: number): Promise<void> {
    while (
      this.#started.length > 0 &&
      (this.#bytes + bytes > BYTES_MAX || this.#started.length >= COUNT_MAX)
    ) {
      await this.#awaitOldest()
    }
  }

  add(work: Promise<void>, bytes: number): void {
    this.#bytes += bytes
    // A failure is kept for the one who waits: it must not count as unhandled until then.
    const done = work.catch((error: unknown) => {
      this.#failures.push(error)
    })
    this.#started.push({ done, bytes })
  }

  /** Waits for everything. @throws the first failure */
  async drain(): Promise<void> {
    while (this.#started.length > 0) await this.#awaitOldest()
  }

  async #awaitOldest(): Promise<void> {
    const oldest = this.#started.shift()
    if (!oldest) return
    await oldest.done
    this.#bytes -= oldest.bytes
    if (this.#failures.length > 0) throw this.#failures[0]
  }
}
