/** Snapshots and iterators that a run of the model test has open: they see the model as it was when they began. */
import type { EntryIterator, Snapshot } from '#dist/lib/contract/types.js'
import type { Store } from '#dist/lib/store/store.js'
import { keyAt, keysIn, type Model, optionsOf, same, sameList } from './answers.ts'
import type { ModelRange } from './operations.ts'

interface HeldSnapshot {
  readonly snapshot: Snapshot
  readonly model: Model
}

interface HeldIterator {
  readonly iterator: EntryIterator
  readonly range: ModelRange
  readonly model: Model
  /** What it must still give, were it to go on from here. */
  rest: number[]
  given: number
}

const HELD_MAX = 4

export class ModelReaders {
  readonly #model: Model
  #snapshots: HeldSnapshot[] = []
  #iterators: HeldIterator[] = []

  constructor(model: Model) {
    this.#model = model
  }

  takeSnapshot(store: Store): void {
    if (this.#snapshots.length >= HELD_MAX) return
    this.#snapshots.push({ snapshot: store.snapshot(), model: new Map(this.#model) })
  }

  closeSnapshot(which: number): void {
    this.#snapshots.splice(which, 1)[0]?.snapshot.close()
  }

  async readSnapshot(store: Store, which: number, key: number, range: ModelRange): Promise<void> {
    const held = this.#snapshots[which]
    if (!held) return
    const { snapshot, model } = held
    same(await store.get(keyAt(key), { snapshot }), model.get(key), 'get of a snapshot')
    same(store.getSync(keyAt(key), { snapshot }), model.get(key), 'getSync of a snapshot')
    const found: Buffer[] = []
    for await (const [one, value] of store.entries({ ...optionsOf(range), snapshot })) {
      found.push(one, value)
    }
    const expected = keysIn(model, range).flatMap((one) => [keyAt(one), model.get(one)!])
    sameList(found, expected, 'entries of a snapshot')
  }

  openIterator(store: Store, range: ModelRange): void {
    if (this.#iterators.length >= HELD_MAX) return
    const model = new Map(this.#model)
    const iterator = store.entries(optionsOf(range))
    const rest = keysIn(model, { ...range, limit: undefined })
    this.#iterators.push({ iterator, range, model, rest, given: 0 })
  }

  async closeIterator(which: number): Promise<void> {
    await this.#iterators.splice(which, 1)[0]?.iterator.close()
  }

  async step(which: number, count: number, many: boolean): Promise<void> {
    const held = this.#iterators[which]
    if (!held) return
    const left = (held.range.limit ?? Number.POSITIVE_INFINITY) - held.given
    const expected = held.rest.slice(0, Math.min(count, left))
    const found: [Buffer, Buffer][] = []
    let ended = false
    while (found.length < count && !ended) {
      if (many) {
        const entries = await held.iterator.nextMany(count - found.length)
        found.push(...entries)
        ended = entries.length === 0
      } else {
        const result = await held.iterator.next()
        ended = result.done === true
        if (!result.done) found.push(result.value)
      }
    }
    held.given += found.length
    held.rest = held.rest.slice(found.length)
    sameList(
      found.flat(),
      expected.flatMap((key) => [keyAt(key), held.model.get(key)!]),
      'iterator',
    )
    // An iterator closes itself at its end: a seek does not bring it back.
    if (ended) this.#iterators.splice(which, 1)
  }

  seek(which: number, key: number): void {
    const held = this.#iterators[which]
    if (!held) return
    held.iterator.seek(keyAt(key))
    const all = keysIn(held.model, { ...held.range, limit: undefined })
    held.rest = all.filter((one) => (held.range.reverse ? one <= key : one >= key))
  }

  async closeAll(): Promise<void> {
    for (const { iterator } of this.#iterators) await iterator.close()
    for (const { snapshot } of this.#snapshots) snapshot.close()
    this.forget()
  }

  /** They ended with their process. */
  forget(): void {
    this.#iterators = []
    this.#snapshots = []
  }
}
