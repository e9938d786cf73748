/** I10: a batch of values that are larger than what is stored of them. */
import { expect, test } from 'vitest'
import { EntryBatch } from '#dist/lib/reads/entry-batch.js'
import { type Entry, KIND } from '#dist/lib/tree/entry.js'
import { SlabAllocator } from '#dist/vlog/read/slab.js'
import type { ValueReader } from '#dist/vlog/read/value-reader.js'

test('I10: what grows when it is read is taken less of, from the second batch on', () => {
  const batch = new EntryBatch(new SlabAllocator(), true, undefined)
  const entry = {
    ...{ keyBytes: Buffer.from('key'), keyStart: 0, keyEnd: 3, sequence: 1 },
    ...{ kind: KIND.pointer, segment: 1, offset: 64, length: 100 },
  } as unknown as Entry
  const taken = (valueBytes: number): number => {
    batch.begin(1000, 2000)
    while (batch.take(entry));
    const readMany = (requests: readonly unknown[], values: (Buffer | undefined)[]): undefined => {
      for (const at of requests.keys()) values[at] = Buffer.alloc(valueBytes)
    }
    void batch.readValues({ readMany } as unknown as ValueReader)
    batch.noteRead()
    return batch.keys.length
  }
  expect(taken(1000)).toBe(20)
  expect(taken(1000)).toBe(2)
  expect(taken(100_000)).toBe(2)
  expect(taken(90)).toBe(1)
  expect(taken(90)).toBe(20)
})
