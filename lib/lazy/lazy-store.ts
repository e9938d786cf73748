/** A store that somebody else has opened, or the path of one that is opened when it is used: for the other entries. */
import { type Options, open, type Store } from '../index.ts'

export class LazyStore {
  readonly #place: string | Store
  readonly #options: Options | undefined
  #opened: Promise<Store> | undefined
  /** Until what was opened is closed. */
  #closing: Promise<void> | undefined

  /** @param place an open store, which its owner closes; or the path of its directory, and options for its `open` */
  constructor(place: string | Store, options?: Options) {
    this.#place = place
    this.#options = options
  }

  /** One that could not be opened is tried again by the next call, one that is being closed is opened again. */
  async get(): Promise<Store> {
    if (typeof this.#place === 'object') return this.#place
    this.#opened ??= this.#open(this.#place)
    const opened = this.#opened
    try {
      return await opened
    } catch (error) {
      if (this.#opened === opened) this.#opened = undefined
      throw error
    }
  }

  /** Closes what it has opened: everything is on disk then, for each caller. The next call of `get` opens it again. */
  close(): Promise<void> {
    const opened = this.#opened
    this.#opened = undefined
    if (opened) this.#closing = this.#closeOpened(opened, this.#closing)
    return this.#closing ?? Promise.resolve()
  }

  async #open(path: string): Promise<Store> {
    // Whoever closes is told if that fails; the lock is free in any case.
    await Promise.allSettled([this.#closing])
    return open(path, this.#options)
  }

  async #closeOpened(opened: Promise<Store>, before: Promise<void> | undefined): Promise<void> {
    // One that fails to open is told to who wanted it.
    const [result] = await Promise.allSettled([opened])
    if (result.status === 'fulfilled') await result.value.close()
    await before
  }
}
