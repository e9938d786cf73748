/** Versions with relocations: which file holds a segment, and which files go when that changes. */
import { expect, test } from 'vitest'
import type { ObsoleteFile } from '#dist/lib/tree/version/obsolete-files.js'
import {
  EMPTY_VERSION,
  holderOf,
  holdsValueLogFile,
  isRelocated,
  snapshotEdit,
  type Version,
} from '#dist/lib/tree/version/version.js'
import { applyEdit } from '#dist/lib/tree/version/version-builder.js'
import type { RelocationState, VersionEdit } from '#dist/lib/tree/version/version-edit.js'
import { VersionSet } from '#dist/lib/tree/version/version-set.js'
import { RecordingFileSystem } from '../../../support/files/recording-file-system.ts'
import { temporaryDirectory } from '../../../support/files/temporary-directory.ts'
import { Prng, replayHint, seededRandom, testSeed } from '../../../support/random.ts'

function apply(version: Version, edit: VersionEdit): Version {
  return applyEdit(version, { nextFileNumber: 1000, ...edit }, version.id + 1)
}

function relocation(number: number, ...segments: readonly number[]): RelocationState {
  const parts = segments.map((segment) => ({ segment, records: segment, bytes: 100 * segment }))
  return { number, salt: number + 1, length: 5000, parts }
}

function segments(...numbers: readonly number[]): VersionEdit {
  return {
    addedSegments: numbers.map((number) => ({ number, salt: number })),
    sealedSegments: numbers.map((number) => ({ number, length: 4096, lastSequence: number })),
  }
}

/** Which file holds each segment. */
function holders(version: Version): [number, number][] {
  return [...version.segments.values()].map((segment) => [
    segment.number,
    segment.state === 'sealed' ? (segment.relocation ?? segment.number) : segment.number,
  ])
}

const BASE = apply(apply(EMPTY_VERSION, segments(1, 2, 3, 4)), {
  addedSegments: [{ number: 5, salt: 5 }],
})
const MOVED = apply(BASE, { removedSegments: [1], addedRelocations: [relocation(10, 2, 3)] })

test('a relocation takes over its segments; their own files are no part of the version any more', () => {
  expect(holders(MOVED)).toEqual([
    [2, 10],
    [3, 10],
    [4, 4],
    [5, 5],
  ])
  expect(MOVED.relocations.get(10)).toEqual(relocation(10, 2, 3))
  expect([1, 2, 3, 4, 5, 10].map((number) => holdsValueLogFile(MOVED, number))).toEqual([
    false,
    false,
    false,
    true,
    true,
    true,
  ])
  expect(isRelocated(MOVED.segments.get(2)!)).toBe(true)
  expect(isRelocated(MOVED.segments.get(4)!)).toBe(false)
})

test('a relocation keeps the parts of its segments that are left, and is taken over itself', () => {
  const shrunk = apply(MOVED, { removedSegments: [2] })
  expect(shrunk.relocations.get(10)!.parts).toEqual(relocation(10, 3).parts)
  const shared = apply(MOVED, { addedRelocations: [relocation(11, 3, 4)] })
  expect(shared.relocations.get(10)!.parts).toEqual(relocation(10, 2).parts)
  expect(holders(shared)).toEqual([
    [2, 10],
    [3, 11],
    [4, 11],
    [5, 5],
  ])
  const taken = apply(MOVED, {
    addedRelocations: [relocation(11, 2, 3)],
    removedRelocations: [10],
  })
  expect([...taken.relocations.keys()]).toEqual([11])
  const gone = apply(MOVED, { removedSegments: [2, 3], removedRelocations: [10] })
  expect(gone.relocations.size).toBe(0)
  expect([...gone.segments.keys()]).toEqual([4, 5])
})

test('a relocation is known by its own number, also when another one has taken it over', () => {
  const named = (version: Version): (number | undefined)[] =>
    [2, 3, 10, 11, 12].map((number) => holderOf(version, number))
  expect(named(MOVED)).toEqual([10, 10, 10, undefined, undefined])
  const nameless = apply(MOVED, { removedSegments: [2, 3] })
  expect(nameless.relocations.get(10)!.parts).toEqual([])
  expect(named(nameless)).toEqual([undefined, undefined, 10, undefined, undefined])
  const taken = apply(MOVED, {
    removedSegments: [2],
    addedRelocations: [relocation(11, 3, 10)],
    removedRelocations: [10],
  })
  expect(named(taken)).toEqual([undefined, 11, 11, 11, undefined])
  expect(holdsValueLogFile(taken, 10)).toBe(false)
  const again = apply(taken, {
    addedRelocations: [relocation(12, 3, 10, 11)],
    removedRelocations: [11],
  })
  expect(named(again)).toEqual([undefined, 12, 12, 12, 12])
  const forgotten = apply(again, { removedSegments: [10] })
  expect(named(forgotten)).toEqual([undefined, 12, undefined, 12, 12])
  expect(forgotten.relocations.get(12)!.parts).toEqual(relocation(12, 3, 11).parts)
})

test('the snapshot of a version with relocations makes the same version', () => {
  const shared = apply(MOVED, { addedRelocations: [relocation(11, 3, 4)] })
  const taken = apply(MOVED, {
    addedRelocations: [relocation(11, 2, 3, 10)],
    removedRelocations: [10],
  })
  const nameless = apply(MOVED, { removedSegments: [2, 3] })
  for (const version of [
    MOVED,
    shared,
    apply(shared, { removedSegments: [4] }),
    taken,
    apply(taken, { removedSegments: [2, 10] }),
    nameless,
  ]) {
    expect(applyEdit(EMPTY_VERSION, snapshotEdit(version), version.id)).toEqual(version)
  }
})

test('what does not fit is refused', () => {
  const bad: VersionEdit[] = [
    // An open segment, one that is not there, one that goes by the same edit.
    { addedRelocations: [relocation(11, 5)] },
    { addedRelocations: [relocation(11, 1)] },
    { removedSegments: [4], addedRelocations: [relocation(11, 4)] },
    // A number that is in use, or not allocated.
    { addedRelocations: [relocation(10, 4)] },
    { addedRelocations: [relocation(1000, 4)] },
    // A relocation that goes and leaves segments behind, or is not there.
    { removedRelocations: [10] },
    { removedSegments: [2], removedRelocations: [10] },
    { removedRelocations: [4] },
    { removedSegments: [2, 2] },
    // A part of a relocation that stays, of one that never was, of the new one itself.
    { addedRelocations: [relocation(11, 2, 10)] },
    { addedRelocations: [relocation(11, 7)] },
    { addedRelocations: [relocation(11, 2, 3, 11)], removedRelocations: [10] },
    // A relocation is no segment under its own number.
    { removedSegments: [10] },
  ]
  for (const edit of bad)
    expect(() => apply(MOVED, edit), JSON.stringify(edit)).toThrow('broken invariant')
})

async function versionSet(): Promise<{ set: VersionSet; obsolete: ObsoleteFile[] }> {
  const set = await VersionSet.create({
    fileSystem: new RecordingFileSystem(),
    directory: temporaryDirectory(),
    databaseId: new Uint8Array(16).fill(7),
    random: seededRandom(1),
  })
  set.fileNumbers.skip(999)
  const obsolete: ObsoleteFile[] = []
  set.onObsolete((file) => obsolete.push(file))
  return { set, obsolete }
}

test('I5: a file of the value log goes with what it held, when no version holds it any more', async () => {
  const { set, obsolete } = await versionSet()
  const left = (): number[] => obsolete.splice(0).map(({ number }) => number)
  await set.apply(segments(1, 2, 3, 4))
  const pin = set.pin()
  await set.apply({ removedSegments: [1], addedRelocations: [relocation(10, 2, 3)] })
  expect(left()).toEqual([])
  pin.release()
  expect(left()).toEqual([1, 2, 3])
  // The segment has no file of its own any more.
  await set.apply({ removedSegments: [2] })
  expect(left()).toEqual([])
  await set.apply({ addedRelocations: [relocation(11, 3, 4)], removedRelocations: [10] })
  expect(left().sort()).toEqual([10, 4])
  await set.apply({ removedSegments: [3, 4], removedRelocations: [11] })
  expect(left()).toEqual([11])
  expect(set.current.segments.size + set.current.relocations.size).toBe(0)
  await set.close()
})

test('I5: over any edits, the files that have not gone are those of the version', async () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  const { set, obsolete } = await versionSet()
  const made = new Set<number>()
  let number = 1
  for (let i = 0; i < 300; i++) {
    const { current } = set
    const files = [...current.segments.values()].filter((segment) => !isRelocated(segment))
    const taken = [...current.relocations.values()].filter(() => prng.chance(0.3))
    const own = files.filter(() => prng.chance(0.3))
    const held = taken.flatMap(({ parts }) => parts.map(({ segment }) => segment))
    const moved = [...own.map((segment) => segment.number), ...held].sort((a, b) => a - b)
    const surviving = moved.filter(() => prng.chance(0.7))
    const created = number++
    if (prng.chance(0.6) || moved.length === 0) {
      made.add(created)
      await set.apply(segments(created))
      continue
    }
    if (surviving.length > 0) made.add(created)
    await set.apply({
      removedSegments: moved.filter((segment) => !surviving.includes(segment)),
      removedRelocations: taken.map((file) => file.number),
      ...(surviving.length > 0 && { addedRelocations: [relocation(created, ...surviving)] }),
    })
  }
  const gone = obsolete.map((file) => file.number)
  expect(new Set(gone).size, replayHint(seed)).toBe(gone.length)
  for (const file of made) {
    expect(holdsValueLogFile(set.current, file), replayHint(seed)).toBe(!gone.includes(file))
  }
  await set.close()
})
