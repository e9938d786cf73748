/**
 * What `for await` calls in place of the generator of abstract-level, which takes as long for an entry as the store
 * itself: entries that are in memory already cost one promise each.
 */

/** An iterator of abstract-level. */
interface Looped<T> {
  /** Undefined at the end. */
  next(): Promise<T | undefined>
  close(): Promise<void>
}

export class LevelLoop<T> implements AsyncGenerator<T, void, unknown> {
  readonly #iterator: Looped<T>
  readonly #ready: () => T | undefined
  /** The call that is under way, if one had to wait. */
  #tail: Promise<unknown> | undefined
  #isOver = false

  /** @param ready gives the next one if that needs no wait; undefined: ask the iterator, also for what is wrong */
  constructor(iterator: Looped<T>, ready: () => T | undefined) {
    this.#iterator = iterator
    this.#ready = ready
  }

  next(): Promise<IteratorResult<T, void>> {
    if (this.#tail === undefined && !this.#isOver) {
      const value = this.#ready()
      if (value !== undefined) return Promise.resolve({ value, done: false })
    }
    return this.#inTurn(() => this.#nextSlowly())
  }

  async #nextSlowly(): Promise<IteratorResult<T, void>> {
    if (!this.#isOver) {
      try {
        const value = await this.#iterator.next()
        if (value !== undefined) return { value, done: false }
      } catch (error) {
        return this.#endWith(error)
      }
    }
    return this.#end()
  }

  return(): Promise<IteratorResult<T, void>> {
    return this.#inTurn(() => this.#end())
  }

  throw(error: unknown): Promise<IteratorResult<T, void>> {
    return this.#inTurn(() => this.#endWith(error))
  }

  /** Rejects with the error; where the iterator cannot be closed either, with both. */
  async #endWith(error: unknown): Promise<never> {
    await this.#end().catch((closing: unknown) => {
      throw withBoth(error, closing)
    })
    throw error
  }

  async #end(): Promise<IteratorResult<T, void>> {
    this.#isOver = true
    await this.#iterator.close()
    return { value: undefined, done: true }
  }

  /** As those of a generator, calls wait for each other. */
  #inTurn<R>(action: () => Promise<R>): Promise<R> {
    const before = this.#tail
    const mine = before ? before.then(action, action) : action()
    this.#tail = mine
    const done = (): void => {
      if (this.#tail === mine) this.#tail = undefined
    }
    mine.then(done, done)
    return mine
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }
}

/** As the first one to who looks at message and code. */
function withBoth(first: unknown, second: unknown): AggregateError {
  const { message, code } = Object(first) as { message?: string; code?: unknown }
  return Object.assign(new AggregateError([first, second], message), code !== undefined && { code })
}
