/**
 * The data of a run: keys, values and orders, all derived from a seed.
 *
 * Keys are 16 bytes: 15 decimal digits and a '0', so that their order is that of the indexes. Missing
 * keys end in '1': each lies between two keys that exist, so that only a filter or a look tells.
 * Values are slices of one random buffer at offsets that never repeat within a run: they cannot be
 * compressed, no two are equal, and making one costs no copy.
 */

/** Bytes of every key. */
export const KEY_BYTES = 16

/** Count of different places where a value may begin; a prime, so that the strides below visit each one once. */
const VALUE_PLACES = 4_194_319
const PLACE_BYTES = 4
/** The values of two generations are all different. */
const ENTRIES_MAX = 2_000_000
/** Neighbours in insertion order lie about 4 MiB apart: no compressor sees that they share a source. */
const PLACE_STRIDE = 1_048_583

const DIGIT_ZERO = 0x30
const DIGIT_ONE = 0x31
/** Every so many checks compare all bytes, the others the length, the first and the last byte. */
const FULL_CHECK_EVERY = 1024

/** A small seeded generator of 32-bit integers (Marsaglia's xorshift32): fast, and the same on every machine. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = (seed ^ 0x9e3779b9) | 0 || 1
  }

  /** 0 to 2^32 - 1. */
  next(): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x
    return x >>> 0
  }

  /** 0 to `bound` - 1. */
  below(bound: number): number {
    return this.next() % bound
  }
}

/** What fills and checks a store of one run: `entries` values of `valueBytes` each, 2 million at most. */
export class DataSet {
  readonly entries: number
  readonly valueBytes: number
  /** The indexes 0 to entries - 1 in random order. */
  readonly order: Uint32Array
  readonly #source: Buffer
  #checks = 0

  constructor(totalBytes: number, valueBytes: number, seed: number) {
    this.valueBytes = valueBytes
    this.entries = Math.min(ENTRIES_MAX, Math.max(1, Math.floor(totalBytes / valueBytes)))
    const random = new Random(seed)
    this.order = shuffled(this.entries, random)
    const words = new Uint32Array(VALUE_PLACES + Math.ceil(valueBytes / PLACE_BYTES))
    for (let i = 0; i < words.length; i++) words[i] = random.next()
    this.#source = Buffer.from(words.buffer)
  }

  /** The key of an index, in a Buffer of its own. */
  key(index: number): Buffer {
    return makeKey(index, DIGIT_ZERO)
  }

  /** A key that is never written, right behind that of `index`. */
  missingKey(index: number): Buffer {
    return makeKey(index, DIGIT_ONE)
  }

  /** The value of an index: generation 0 is loaded, generation 1 overwrites it. A view that never changes. */
  value(index: number, generation: number): Buffer {
    const at = this.#placeOf(index, generation)
    return this.#source.subarray(at, at + this.valueBytes)
  }

  /** @throws Error unless `value` is what this generation of `index` holds */
  check(index: number, value: Uint8Array | undefined, generation: number = 0): void {
    const at = this.#placeOf(index, generation)
    const last = this.valueBytes - 1
    if (
      value === undefined ||
      value.length !== this.valueBytes ||
      value[0] !== this.#source[at] ||
      value[last] !== this.#source[at + last] ||
      (++this.#checks % FULL_CHECK_EVERY === 0 && !this.value(index, generation).equals(value))
    ) {
      throw new Error(`the engine returned a wrong value index=${index} length=${value?.length}`)
    }
  }

  /** @throws Error unless `part` is what generation 0 of `index` holds from `offset` on */
  checkPart(index: number, part: Uint8Array | undefined, offset: number, length: number): void {
    const expected = this.value(index, 0).subarray(offset, offset + length)
    if (part === undefined || expected.compare(part) !== 0) {
      throw new Error(`the engine returned a wrong part index=${index} length=${part?.length}`)
    }
  }

  #placeOf(index: number, generation: number): number {
    const number = index + generation * this.entries
    return ((number * PLACE_STRIDE) % VALUE_PLACES) * PLACE_BYTES
  }
}

function makeKey(index: number, lastDigit: number): Buffer {
  const key = Buffer.allocUnsafe(KEY_BYTES)
  key[KEY_BYTES - 1] = lastDigit
  let rest = index
  for (let at = KEY_BYTES - 2; at >= 0; at--) {
    const quotient = (rest / 10) | 0
    key[at] = DIGIT_ZERO + rest - quotient * 10
    rest = quotient
  }
  return key
}

/** The numbers 0 to count - 1 in random order. */
export function shuffled(count: number, random: Random): Uint32Array {
  const order = new Uint32Array(count)
  for (let i = 0; i < count; i++) {
    const j = random.below(i + 1)
    order[i] = order[j]!
    order[j] = i
  }
  return order
}
