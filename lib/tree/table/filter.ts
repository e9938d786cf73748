/**
 * The filter of a table: a Bloom filter over its distinct keys. Data plane.
 *
 *   filter := probes: u8, bits: u8[n]      bit i is bit (i mod 8), lowest first, of byte i div 8
 *
 * A key's probes come from one 32-bit hash (hashRange with seed 0) and a second one that is derived
 * from it, by enhanced double hashing (Dillinger and Manolios, "Bloom filters in probabilistic
 * verification", FMCAD 2004). With 10 bits a key 0.8 % of absent keys pass. DO NOT CHANGE: the
 * probes are part of the format.
 */
const PROBES_MAX = 30
const BITS_MIN = 64
/** So that a bit's number fits 32 bits. */
const BYTES_MAX = 2 ** 29 - 1

/** The second hash of a key. */
function deriveHash(hash: number): number {
  let derived = Math.imul(hash ^ (hash >>> 16), 0x7feb352d)
  derived = Math.imul(derived ^ (derived >>> 15), 0x846ca68b)
  return (derived ^ (derived >>> 16)) >>> 0
}

/**
 * The content of a filter block for the keys with hashes[0 .. count). Requires: at least 1 bit a
 * key.
 */
export function buildFilter(hashes: Uint32Array, count: number, bitsPerKey: number): Uint8Array {
  const wanted = Math.ceil(Math.max(BITS_MIN, count * bitsPerKey) / 8)
  const byteCount = Math.min(wanted, BYTES_MAX)
  // ln 2 probes a bit leave half of the bits zero, where a filter is at its best.
  const probes = Math.max(1, Math.min(PROBES_MAX, Math.round(bitsPerKey * Math.LN2)))
  const filter = new Uint8Array(1 + byteCount)
  filter[0] = probes
  addToFilter(filter, hashes, count)
  return filter
}

/** Adds the keys with hashes[0 .. count). */
export function addToFilter(filter: Uint8Array, hashes: Uint32Array, count: number): void {
  const bits = (filter.length - 1) * 8
  const probes = filter[0]!
  for (let k = 0; k < count; k++) {
    let hash = hashes[k]!
    let step = deriveHash(hash)
    for (let i = 0; i < probes; i++) {
      // hash mod bits, exact for 32-bit integers: compilers make a remainder of doubles of %, at four times the cost.
      const bit = hash - Math.floor(hash / bits) * bits
      filter[1 + (bit >>> 3)]! |= 1 << (bit & 7)
      hash = (hash + step) >>> 0
      step = (step + i) >>> 0
    }
  }
}

/** True if the bytes can be a filter's. */
export function isFilter(filter: Uint8Array): boolean {
  return (
    filter.length >= 2 &&
    filter.length <= 1 + BYTES_MAX &&
    filter[0]! >= 1 &&
    filter[0]! <= PROBES_MAX
  )
}

/** False if no key with this hash is in the table. */
export function filterMayContain(filter: Uint8Array, hash: number): boolean {
  // Why `>>> 0`: it tells the compiler that both sides of % are 32-bit integers; a remainder of doubles costs
  // several times as much.
  const bits = ((filter.length - 1) * 8) >>> 0
  const probes = filter[0]!
  let next = hash >>> 0
  let step = deriveHash(hash)
  for (let i = 0; i < probes; i++) {
    const bit = next % bits
    if ((filter[1 + (bit >>> 3)]! & (1 << (bit & 7))) === 0) return false
    next = (next + step) >>> 0
    step = (step + i) >>> 0
  }
  return true
}
