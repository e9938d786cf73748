/** The filter's bits against the formula of lib/tree/FORMAT.md, section 2.7, in whole numbers without end. */
import { expect, test } from 'vitest'
import { buildFilter, filterMayContain } from '#dist/lib/tree/table/filter.js'

const WORD = 2n ** 32n

/** The bits of a key's probes. */
function probesOf(hash: number, probes: number, bits: number): number[] {
  const h = BigInt(hash)
  let derived = ((h ^ (h >> 16n)) * 0x7feb352dn) % WORD
  derived = ((derived ^ (derived >> 15n)) * 0x846ca68bn) % WORD
  let step = derived ^ (derived >> 16n)
  let next = h
  return Array.from({ length: probes }, (_, i) => {
    const bit = Number(next % BigInt(bits))
    next = (next + step) % WORD
    step = (step + BigInt(i)) % WORD
    return bit
  })
}

test('F-T17: the probes of each key are set and no other bit, whatever hash and size', () => {
  for (const bitsPerKey of [1, 3, 10, 64, 40_961]) {
    for (const hash of [0, 1, 63, 64, 40_960, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 64, 2 ** 32 - 1]) {
      const filter = buildFilter(Uint32Array.of(hash), 1, bitsPerKey)
      const bits = (filter.length - 1) * 8
      const expected = new Uint8Array(bits / 8)
      for (const bit of probesOf(hash, filter[0]!, bits)) expected[bit >> 3]! |= 1 << (bit & 7)
      expect(filter.subarray(1), `${hash} in ${bits} bits`).toEqual(expected)
      expect(filterMayContain(filter, hash)).toBe(true)
    }
  }
})
