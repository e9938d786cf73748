/**
 * Keeps what a kind of work was done with until the next work of its kind has made its own.
 *
 * V8 ties optimized code to the hidden classes of the objects that it was made for, and throws it away when a major
 * collection finds no such object alive. Between two jobs of a worker there is none: every few seconds a collection of
 * its small heap took some forty functions with it, which were interpreted, and then compiled anew, for 3 ms each.
 * Measured in `bench/micro/mark.ts` by `--trace-deopt --expose-gc` with a collection after each rewrite.
 *
 * What is kept is what the last work held at its end: closed files, buffers, and of the collector the records of a
 * file, which may be 30 MB. So it goes when no work has come for a while, as a worker's thread does.
 */
export class KeptParts {
  readonly #kept: Map<string, object> = new Map()
  #timer: NodeJS.Timeout | undefined

  /** Kinds of work of which something is kept. */
  get works(): string[] {
    return [...this.#kept.keys()]
  }

  keep(work: string, parts: object): void {
    this.#kept.set(work, parts)
    this.#timer ??= setTimeout(() => this.#forget(), KEPT_MS).unref()
    this.#timer.refresh()
  }

  #forget(): void {
    this.#timer = undefined
    this.#kept.clear()
  }
}

/** Behind the last work of any kind. */
const KEPT_MS = 5000
const ofThread = new KeptParts()

/** @param parts what lives as long as the work does, and is made anew for the next */
export function keepUntilNext(work: string, parts: object): void {
  ofThread.keep(work, parts)
}
