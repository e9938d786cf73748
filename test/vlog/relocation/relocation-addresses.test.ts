/** Packed addresses: kept exactly at all widths, sorted as numbers are. */

import { expect, test } from 'vitest'
import { FILE_BYTES_MAX } from '#dist/lib/base/ids.js'
import { RelocationAddresses } from '#dist/vlog/relocation/relocation-addresses.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'
import { runSlices } from '../../support/run-slices.ts'

const seed = testSeed()
const hint = replayHint(seed)

interface Address {
  part: number
  offset: number
  place: number
}

function addressAt(addresses: RelocationAddresses, i: number): Address {
  return { part: addresses.part(i), offset: addresses.offset(i), place: addresses.place(i) }
}

const byAddress = (left: Address, right: Address): number =>
  left.part - right.part || left.offset - right.offset
const byPlace = (left: Address, right: Address): number => left.place - right.place

test('sorted by address and by place, at any width of numbers', () => {
  const prng = new Prng(seed)
  const wide = (limit: number): number =>
    Math.floor(((prng.u32() * 2 ** 16 + prng.below(2 ** 16)) / 2 ** 48) * limit)
  for (const limit of [2, 2000, 2 ** 22, 2 ** 32, 2 ** 33, 2 ** 43, 2 ** 48]) {
    for (const [count, parts] of [
      [1, 1],
      [1000, 1],
      [3000, 2048],
      [40_000, 5000],
    ] as const) {
      const addresses = new RelocationAddresses()
      const model: Address[] = []
      for (let i = 0; i < count; i++) {
        // Each part has an address, if there are enough.
        const part = i < parts ? i : prng.below(parts)
        const address = { part, offset: wide(limit), place: wide(limit) }
        model.push(address)
        addresses.append(address.part, address.offset, address.place)
      }
      // Another order of the parts.
      const numbers = Uint32Array.from({ length: parts }, (_, i) => parts - 1 - i)
      runSlices(addresses.renumberSlices(numbers))
      for (const address of model) address.part = numbers[address.part]!
      const all = Array.from({ length: count }, (_, i) => addressAt(addresses, i))
      expect(all, hint).toEqual(model)
      // The sorts are stable, as the model's are.
      const ordered = Array.from(runSlices(addresses.byAddressSlices()), (i) => model[i])
      expect(ordered, hint).toEqual(model.toSorted(byAddress))
      const placed = Array.from(runSlices(addresses.byPlaceSlices()), (i) => model[i])
      expect(placed, hint).toEqual(model.toSorted(byPlace))
    }
  }
})

test('the limits of 48 bits do not run into each other', () => {
  const addresses = new RelocationAddresses()
  addresses.append(2 ** 32 - 1, FILE_BYTES_MAX, 0)
  addresses.append(0, 0, FILE_BYTES_MAX)
  addresses.append(1, 2 ** 32, 2 ** 32 - 1)
  expect(addressAt(addresses, 0)).toEqual({ part: 2 ** 32 - 1, offset: FILE_BYTES_MAX, place: 0 })
  expect(addressAt(addresses, 1)).toEqual({ part: 0, offset: 0, place: FILE_BYTES_MAX })
  expect([...runSlices(addresses.byPlaceSlices())]).toEqual([0, 2, 1])
  expect([...runSlices(addresses.byAddressSlices())]).toEqual([1, 2, 0])
})
