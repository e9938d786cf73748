/**
 * The keys of the store in a range, as synchronous transactions walk over them: some of them at a time.
 *
 * Nothing becomes visible between the transactions of a group, and what is visible at a sequence and a moment stays the
 * same, but for what a cache evicts. So the first keys of a range are kept for the next one that asks for the same, as
 * the workers of a queue do.
 */
import { keyString, NO_BYTES } from '../base/bytes.ts'
import type { Sequence } from '../base/ids.ts'
import type { ResolvedScan } from '../contract/arguments.ts'
import type { ReadingEngine } from '../reads/reading-engine.ts'
import { type EntrySink, Scan } from '../reads/scan.ts'
import type { Entry } from '../tree/entry.ts'
import { bytesOf, type WalkRange, walkRangeOf } from '../writes/walk-range.ts'

/** Keys that a scan looks at ahead, and that are kept, at most; at first as many as the walk may give. */
const BATCH_MAX = 64
const BATCH_GROWTH = 4

/** The beginning of a range, at a sequence, without what has expired by a moment, and without what was evicted. */
interface Known {
  readonly sequence: Sequence
  readonly moment: number
  readonly evictedBelow: Sequence
  readonly span: WalkRange
  readonly keys: readonly string[]
  /** It has no others. */
  readonly isAll: boolean
}

export class KnownKeys {
  #known: Known | undefined

  walk(engine: ReadingEngine, sequence: Sequence, moment: number, range: ResolvedScan): KeysAhead {
    const span = walkRangeOf(range)
    const known = this.#known
    const { evictedBelow } = engine.version
    const isSame =
      known?.sequence === sequence &&
      known.moment === moment &&
      known.evictedBelow === evictedBelow &&
      isSameSpan(known.span, span)
    const before = isSame ? known : { sequence, moment, evictedBelow, span, keys: [], isAll: false }
    return new KeysAhead(engine, range, before, (now) => {
      this.#known = now
    })
  }
}

export class KeysAhead implements EntrySink {
  lastKey: Uint8Array = NO_BYTES
  readonly #engine: ReadingEngine
  readonly #range: ResolvedScan
  readonly #keep: (now: Known) => void
  #known: Known
  /** From the beginning of the range on; once it has come too far for that, the present batch alone. */
  #keys: string[]
  #at = 0
  #batch: number
  #scan: Scan | undefined
  #isDone: boolean
  #isLong = false
  /** So many keys end a batch. */
  #wanted = 0

  constructor(
    engine: ReadingEngine,
    range: ResolvedScan,
    known: Known,
    keep: (now: Known) => void,
  ) {
    this.#engine = engine
    this.#range = range
    this.#known = known
    this.#keep = keep
    this.#keys = [...known.keys]
    this.#isDone = known.isAll
    this.#batch = Math.min(Math.max(range.limit, BATCH_GROWTH * known.keys.length), BATCH_MAX)
  }

  get next(): string | undefined {
    if (this.#at === this.#keys.length && !this.#isDone) this.#fill()
    return this.#keys[this.#at]
  }

  pass(): void {
    this.#at++
  }

  #fill(): void {
    this.#isLong ||= this.#keys.length + this.#batch > BATCH_MAX
    this.#scan ??= this.#begin()
    if (this.#isLong) {
      this.#keys = []
      this.#at = 0
    }
    this.#wanted = this.#keys.length + this.#batch
    // The event loop cannot turn before the callback ends: a scan that stops for it goes on.
    while (this.#scan.fill(this));
    this.#isDone = this.#keys.length < this.#wanted
    this.#batch = Math.min(BATCH_GROWTH * this.#batch, BATCH_MAX)
    if (this.#isLong) return
    this.#known = { ...this.#known, keys: [...this.#keys], isAll: this.#isDone }
    this.#keep(this.#known)
  }

  /** Behind what is known. */
  #begin(): Scan {
    const { sequence, moment, keys } = this.#known
    const last = keys.at(-1)
    const from = last === undefined ? {} : this.#behind(bytesOf(last))
    const range = { ...this.#range, ...from, limit: Number.MAX_SAFE_INTEGER }
    return new Scan({ engine: this.#engine, sequence, moment }, range)
  }

  #behind(key: Uint8Array): Partial<ResolvedScan> {
    return this.#range.reverse ? { upper: key, upperOpen: true } : { lower: key, lowerOpen: true }
  }

  take({ keyBytes, keyStart, keyEnd }: Entry): boolean {
    this.lastKey = keyBytes.slice(keyStart, keyEnd)
    return this.#keys.push(keyString(this.lastKey)) < this.#wanted
  }
}

function isSameSpan(left: WalkRange, right: WalkRange): boolean {
  return (
    left.lower === right.lower &&
    left.upper === right.upper &&
    left.lowerOpen === right.lowerOpen &&
    left.upperOpen === right.upperOpen &&
    left.reverse === right.reverse
  )
}
