/**
 * Addresses of many records, packed: which part of a relocation, the offset in its segment, the place in the file.
 * 16 bytes a record, 24 while they are sorted. The writer sorts them by address, readers of a whole index by place.
 *
 * The sort is a radix sort from the least digit on: linear, in slices of bounded time, and digits that no
 * address has cost nothing. A typed array's own sort with a comparison takes ten times as long, in one piece.
 */
import { assert } from '../../lib/base/errors.ts'

/** Addresses lie in chunks, so that growing copies nothing and wastes at most one chunk. */
const CHUNK_SHIFT = 14
const CHUNK_ADDRESSES = 2 ** CHUNK_SHIFT
const CHUNK_MASK = CHUNK_ADDRESSES - 1
const TWO_32 = 2 ** 32

/** Words of an address. The high one holds the upper 16 bits of the offset, and above them those of the place. */
const WORDS = 4
const OFFSET_LOW = 0
const PLACE_LOW = 1
const HIGH = 2
const PART = 3

/** Digits of at most 11 bits: their counters stay in the processor's nearest cache. */
const DIGIT_BITS = 11
interface Digit {
  readonly word: number
  readonly shift: number
  readonly mask: number
}

function digitsOf(word: number, from: number, bits: number): Digit[] {
  const digits: Digit[] = []
  for (let done = 0; done < bits; done += DIGIT_BITS) {
    const width = Math.min(DIGIT_BITS, bits - done)
    digits.push({ word, shift: from + done, mask: 2 ** width - 1 })
  }
  return digits
}

const BY_ADDRESS = [
  ...digitsOf(OFFSET_LOW, 0, 32),
  ...digitsOf(HIGH, 0, 16),
  ...digitsOf(PART, 0, 32),
]
const BY_PLACE = [...digitsOf(PLACE_LOW, 0, 32), ...digitsOf(HIGH, 16, 16)]

/** Addresses that one slice of a sort looks at: about a millisecond. */
const SLICE_ADDRESSES = 2 ** 14

export class RelocationAddresses {
  readonly #chunks: Uint32Array[] = []
  /** All bits that any address has, word by word. */
  readonly #bits: Uint32Array = new Uint32Array(WORDS)
  length = 0

  append(part: number, offset: number, place: number): void {
    const i = this.length++
    if ((i & CHUNK_MASK) === 0) this.#chunks.push(new Uint32Array(CHUNK_ADDRESSES * WORDS))
    const chunk = this.#chunks[i >>> CHUNK_SHIFT]!
    const at = (i & CHUNK_MASK) * WORDS
    const offsetLow = offset % TWO_32
    const placeLow = place % TWO_32
    const high = ((place / TWO_32) << 16) | (offset / TWO_32)
    chunk[at + OFFSET_LOW] = offsetLow
    chunk[at + PLACE_LOW] = placeLow
    chunk[at + HIGH] = high
    chunk[at + PART] = part
    const bits = this.#bits
    bits[OFFSET_LOW]! |= offsetLow
    bits[PLACE_LOW]! |= placeLow
    bits[HIGH]! |= high
    bits[PART]! |= part
  }

  part(i: number): number {
    return this.#word(i, PART)
  }

  offset(i: number): number {
    return (this.#word(i, HIGH) & 0xffff) * TWO_32 + this.#word(i, OFFSET_LOW)
  }

  place(i: number): number {
    return (this.#word(i, HIGH) >>> 16) * TWO_32 + this.#word(i, PLACE_LOW)
  }

  /** True if two records have the same part and offset. */
  areSame(left: number, right: number): boolean {
    return this.part(left) === this.part(right) && this.offset(left) === this.offset(right)
  }

  /** Gives each part the number that `numbers` has for it: another order of all parts. Yields 0. */
  *renumberSlices(numbers: Uint32Array): Generator<number, void> {
    for (let i = 0; i < this.length; i++) {
      const chunk = this.#chunks[i >>> CHUNK_SHIFT]!
      const at = (i & CHUNK_MASK) * WORDS + PART
      chunk[at] = numbers[chunk[at]!]!
      if ((i & CHUNK_MASK) === CHUNK_MASK) yield 0
    }
  }

  /** Sorts by part, then offset. @returns indexes in that order; yields 0 */
  byAddressSlices(): Generator<number, Uint32Array> {
    return this.#sortSlices(BY_ADDRESS)
  }

  /** Sorts by place. @returns indexes in that order; yields 0 */
  byPlaceSlices(): Generator<number, Uint32Array> {
    return this.#sortSlices(BY_PLACE)
  }

  #word(i: number, word: number): number {
    return this.#chunks[i >>> CHUNK_SHIFT]![(i & CHUNK_MASK) * WORDS + word]!
  }

  *#sortSlices(digits: readonly Digit[]): Generator<number, Uint32Array> {
    assert(this.length < TWO_32, 'indexes of addresses are 32 bits')
    let order = new Uint32Array(this.length)
    let spare = new Uint32Array(this.length)
    for (let i = 0; i < order.length; i++) {
      order[i] = i
      if (i % SLICE_ADDRESSES === SLICE_ADDRESSES - 1) yield 0
    }
    for (const digit of digits) {
      if (((this.#bits[digit.word]! >>> digit.shift) & digit.mask) === 0) continue
      const next = new Uint32Array(digit.mask + 1)
      for (let from = 0; from < order.length; from += SLICE_ADDRESSES) {
        this.#count(digit, next, from, Math.min(order.length, from + SLICE_ADDRESSES))
        yield 0
      }
      for (let value = 0, sum = 0; value < next.length; value++) {
        const count = next[value]!
        next[value] = sum
        sum += count
      }
      for (let from = 0; from < order.length; from += SLICE_ADDRESSES) {
        this.#deal(digit, next, order, spare, from, Math.min(order.length, from + SLICE_ADDRESSES))
        yield 0
      }
      const sorted = spare
      spare = order
      order = sorted
    }
    return order
  }

  #count(digit: Digit, counts: Uint32Array, from: number, to: number): void {
    const { word, shift, mask } = digit
    const chunks = this.#chunks
    for (let i = from; i < to; i++) {
      const value = chunks[i >>> CHUNK_SHIFT]![(i & CHUNK_MASK) * WORDS + word]!
      counts[(value >>> shift) & mask]!++
    }
  }

  #deal(
    digit: Digit,
    next: Uint32Array,
    order: Uint32Array,
    target: Uint32Array,
    from: number,
    to: number,
  ): void {
    const { word, shift, mask } = digit
    const chunks = this.#chunks
    for (let at = from; at < to; at++) {
      const i = order[at]!
      const value = chunks[i >>> CHUNK_SHIFT]![(i & CHUNK_MASK) * WORDS + word]!
      target[next[(value >>> shift) & mask]!++] = i
    }
  }
}
