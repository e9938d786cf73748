/** The clock of a run of the model test: it stands still, and goes on by an operation alone. What expires goes then. */
import type { Store } from '#dist/lib/store/store.js'
import { keyAt, type Model, type ModelState } from './answers.ts'

const realNow = Date.now

export class ModelClock {
  readonly #model: Model
  readonly #expiries: Map<number, number> = new Map()
  #now: number = Date.UTC(2026, 0, 1)

  constructor(model: Model) {
    this.#model = model
    Date.now = () => this.#now
  }

  stop(): void {
    Date.now = realNow
  }

  /** A key has a new value, or none. @param ttl undefined: it never expires */
  written(key: number, ttl: number | undefined): void {
    if (ttl === undefined) this.#expiries.delete(key)
    else this.#expiries.set(key, this.#now + ttl)
  }

  /** Renews a value: it is there as long as the model has it, and is no stream. */
  async touch(store: Store, key: number, ttl: number): Promise<void> {
    const isThere = this.#model.has(key)
    const stat = await store.stat(keyAt(key))
    if (isThere && stat?.expiresAt !== this.#expiries.get(key))
      throw new Error(`stat tells ${stat?.expiresAt}`)
    try {
      const found = await store.touch(keyAt(key), { ttl })
      if (found !== isThere) throw new Error(`touch gives ${found}`)
      if (isThere) this.written(key, ttl)
    } catch (error) {
      const isStream = store
        .segments()
        .some(({ id, kind }) => id === stat?.segment && kind === 'stream')
      if ((error as { code?: unknown }).code !== 'WISC_INVALID_ARGUMENT' || !isStream) throw error
    }
  }

  /** As it is now, to be kept. */
  state(): ModelState {
    const entries = [...this.#model].map(
      ([key, value]) => [key, { value, expiresAt: this.#expiries.get(key) }] as const,
    )
    return new Map(entries)
  }

  pass(ms: number): void {
    this.#now += ms
    for (const [key, expiresAt] of this.#expiries) {
      if (expiresAt > this.#now) continue
      this.#expiries.delete(key)
      this.#model.delete(key)
    }
  }
}
