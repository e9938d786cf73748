/** What caches stand on: a store that somebody else has opened, or the path of one that is opened when it is used. */
import { type Options, open, type Store } from '../index.ts'

export class LazyStore {
  readonly #place: string | Store
  readonly #options: Options | undefined
  #opened: Promise<Store> | undefined

  /** @param place an open store, which its owner closes; or the path of its directory, and options for its `open` */
  constructor(place: string | Store, options?: Options) {
    this.#place = place
    this.#options = options
  }

  /** One that could not be opened is tried again by the next call. */
  async get(): Promise<Store> {
    if (typeof this.#place === 'object') return this.#place
    this.#opened ??= open(this.#place, this.#options)
    const opened = this.#opened
    try {
      return await opened
    } catch (error) {
      if (this.#opened === opened) this.#opened = undefined
      throw error
    }
  }

  /** Closes what it has opened: everything is on disk then. The next call of `get` opens it again. */
  async close(): Promise<void> {
    const opened = this.#opened
    this.#opened = undefined
    await (await opened)?.close()
  }
}
