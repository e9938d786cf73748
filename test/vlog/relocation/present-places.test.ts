/** Where records lie now, as a compaction that folds asks for it. */
import { expect, test } from 'vitest'
import { PresentPlaces } from '#dist/vlog/relocation/present-places.js'
import { pageOffset } from '#dist/vlog/relocation/relocation-format.js'
import { Prng, testSeed } from '../../support/random.ts'
import {
  buildRelocation,
  DATABASE_ID,
  layoutOf,
  NUMBER,
  openRelocation,
  PATH,
  randomRecords,
} from './relocation-model.ts'

const seed = testSeed()

test('finds the place of each record of the segments that are asked for, and of no others', () => {
  const records = randomRecords(new Prng(seed), 2000, 6)
  const relocation = buildRelocation(records)
  const reader = openRelocation(relocation)
  const { segments, offsets, places } = reader.addresses()
  reader.close()
  const [asked, ...others] = [...new Set(segments)]
  const expected = { ...relocation.built, segments: [asked!] }
  const place = { directory: PATH.slice(0, PATH.lastIndexOf('/')), databaseId: DATABASE_ID }
  const present = new PresentPlaces([expected], place, relocation.fileSystem)
  for (const [i, segment] of segments.entries()) {
    const isFound = present.find(segment, offsets[i]!)
    expect(isFound).toBe(segment === asked)
    if (isFound) expect([present.segment, present.offset]).toEqual([NUMBER, places[i]])
  }
  expect(others.length).toBeGreaterThan(0)
  expect(present.failed.size).toBe(0)
  present.close()
})

test('a page that is damaged, or an address that is not there, ends it for the file without an error', () => {
  const records = randomRecords(new Prng(seed), 2000, 2)
  const relocation = buildRelocation(records)
  const place = { directory: PATH.slice(0, PATH.lastIndexOf('/')), databaseId: DATABASE_ID }
  const segments = [...new Set(records.map(({ segment }) => segment))]
  const ask = (): PresentPlaces =>
    new PresentPlaces([{ ...relocation.built, segments }], place, relocation.fileSystem)
  const [first] = records as [(typeof records)[number]]
  const lost = ask()
  expect(lost.find(first.segment, first.offset)).toBe(true)
  expect(lost.find(first.segment, first.offset + 1)).toBe(false)
  expect(lost.find(first.segment, first.offset)).toBe(false)
  expect([...lost.failed]).toEqual([NUMBER])
  lost.close()
  const bytes = relocation.fileSystem.contents(PATH)
  const layout = layoutOf(bytes)
  for (let page = 0; page < layout.pages; page++) bytes[pageOffset(layout, page)]! ^= 1
  relocation.fileSystem.replace(PATH, bytes)
  const damaged = ask()
  expect(damaged.find(first.segment, first.offset)).toBe(false)
  expect([...damaged.failed]).toEqual([NUMBER])
  damaged.close()
})
