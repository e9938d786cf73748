/** Versions with relocations: which file holds a segment, and which files go when that changes. */
import { expect, test } from 'vitest'
import { firstVersion } from '#dist/lib/tree/version/first-version.js'
import type { ObsoleteFile } from '#dist/lib/tree/version/obsolete-files.js'
import {
  EMPTY_VERSION,
  fileOf,
  logFiles,
  nextOrdinal,
  relocationCount,
  relocationFiles,
  segmentsOf,
  type Version,
} from '#dist/lib/tree/version/version.js'
import { applyEdit, VersionBuilder } from '#dist/lib/tree/version/version-builder.js'
import type { RelocationFile, VersionEdit } from '#dist/lib/tree/version/version-edit.js'
import { VersionSet } from '#dist/lib/tree/version/version-set.js'
import { memoryDirectory, memoryDisk } from '../../../support/files/memory-directory.ts'
import { RecordingFileSystem } from '../../../support/files/recording-file-system.ts'
import { logFile } from '../../../support/parts/log-files.ts'
import { Prng, replayHint, seededRandom, testSeed } from '../../../support/random.ts'

function apply(version: Version, edit: VersionEdit): Version {
  return applyEdit(version, { nextFileNumber: 1000, ...edit }, version.id + 1)
}

function relocation(number: number, ...segments: readonly number[]): RelocationFile {
  const parts = segments.map((segment) => ({ segment, records: segment, bytes: 100 * segment }))
  return { role: 'relocation', number, salt: number + 1, length: 5000, parts }
}

function segments(...numbers: readonly number[]): VersionEdit {
  return {
    addedFiles: numbers.map((number) => logFile(number)),
    sealedFiles: numbers.map((number) => ({ number, length: 4096, lastSequence: number })),
  }
}

/** Which file holds each segment. */
const holders = (version: Version): [number, number][] => [...version.segments]

const BASE = apply(apply(EMPTY_VERSION, segments(1, 2, 3, 4)), { addedFiles: [logFile(5)] })
const MOVED = apply(BASE, { removedSegments: [1], addedFiles: [relocation(10, 2, 3)] })

test('a relocation takes over its segments; their own files are no part of the version any more', () => {
  expect(holders(MOVED)).toEqual([
    [2, 10],
    [3, 10],
    [4, 4],
    [5, 5],
    [10, 10],
  ])
  expect([...relocationFiles(MOVED)]).toEqual([relocation(10, 2, 3)])
  expect([...MOVED.files.keys()]).toEqual([4, 5, 10])
  expect([...MOVED.log]).toEqual([
    [4, 4],
    [5, 5],
  ])
  expect(relocationCount(MOVED)).toBe(1)
  expect(fileOf(MOVED, 2)).toBe(MOVED.files.get(10))
  expect(fileOf(MOVED, 1)).toBeUndefined()
  expect([4, 10, 99].map((number) => segmentsOf(MOVED, number))).toEqual([[4], [2, 3, 10], []])
})

test('a relocation keeps the parts of its segments that are left, and is taken over itself', () => {
  const partsOf = (version: Version, number: number): unknown => {
    const file = version.files.get(number)
    return file?.role === 'relocation' ? file.parts : undefined
  }
  const shrunk = apply(MOVED, { removedSegments: [2] })
  expect(partsOf(shrunk, 10)).toEqual(relocation(10, 3).parts)
  const shared = apply(MOVED, { addedFiles: [relocation(11, 3, 4)] })
  expect(partsOf(shared, 10)).toEqual(relocation(10, 2).parts)
  expect(holders(shared)).toEqual([
    [2, 10],
    [3, 11],
    [4, 11],
    [5, 5],
    [10, 10],
    [11, 11],
  ])
  const taken = apply(MOVED, { removedSegments: [10], addedFiles: [relocation(11, 2, 3)] })
  expect([...taken.files.keys()]).toEqual([4, 5, 11])
  const gone = apply(MOVED, { removedSegments: [2, 3, 10] })
  expect([...gone.files.keys()]).toEqual([4, 5])
  expect([...gone.segments.keys()]).toEqual([4, 5])
})

test('a relocation is known by its own number, also when another one has taken it over', () => {
  const named = (version: Version): (number | undefined)[] =>
    [2, 3, 10, 11, 12].map((number) => fileOf(version, number)?.number)
  expect(named(MOVED)).toEqual([10, 10, 10, undefined, undefined])
  const nameless = apply(MOVED, { removedSegments: [2, 3] })
  expect(segmentsOf(nameless, 10)).toEqual([10])
  expect(named(nameless)).toEqual([undefined, undefined, 10, undefined, undefined])
  const taken = apply(MOVED, { removedSegments: [2], addedFiles: [relocation(11, 3, 10)] })
  expect(named(taken)).toEqual([undefined, 11, 11, 11, undefined])
  expect(taken.files.has(10)).toBe(false)
  const again = apply(taken, { addedFiles: [relocation(12, 3, 10, 11)] })
  expect(named(again)).toEqual([undefined, 12, 12, 12, 12])
  expect(again.files.has(11)).toBe(false)
  const forgotten = apply(again, { removedSegments: [10] })
  expect(named(forgotten)).toEqual([undefined, 12, undefined, 12, 12])
  expect(segmentsOf(forgotten, 12)).toEqual([3, 11, 12])
})

/** What the first version of a manifest makes, in pieces of some size. */
function written(version: Version, bytes: number): { version: Version; pieces: VersionEdit[] } {
  const pieces = [...firstVersion(version, bytes)]
  const builder = new VersionBuilder(EMPTY_VERSION)
  for (const piece of pieces) builder.apply(piece, version.id)
  return { version: builder.finish(), pieces }
}

test('the first version of a manifest makes the same version, in however many pieces', () => {
  const shared = apply(MOVED, { addedFiles: [relocation(11, 3, 4)] })
  const taken = apply(MOVED, { addedFiles: [relocation(11, 2, 3, 10)] })
  for (const version of [
    EMPTY_VERSION,
    MOVED,
    shared,
    apply(shared, { removedSegments: [4] }),
    taken,
    apply(taken, { removedSegments: [2, 10] }),
    apply(MOVED, { removedSegments: [2, 3] }),
    apply(MOVED, { checkpoint: { ordinal: 4, offset: 4096 }, cleanEnd: { ordinal: 4, offset: 7 } }),
  ]) {
    for (const bytes of [1, 40, 100, 10_000]) {
      const found = written(version, bytes)
      expect(found.version).toEqual(version)
      const continued = found.pieces.map((piece) => piece.continues === true)
      expect(continued).toEqual(found.pieces.map((piece) => piece !== found.pieces.at(-1)))
      const most = bytes === 1 ? Math.max(1, version.files.size) : 1
      if (bytes === 1 || bytes === 10_000) expect(found.pieces.length).toBe(most)
    }
  }
})

test('the order of the log is that of ordinals, whatever numbers its files have', () => {
  let version = apply(EMPTY_VERSION, { addedFiles: [logFile(30, 1, 1), logFile(20, 1, 2)] })
  version = apply(version, {
    addedFiles: [logFile(25, 1, 7)],
    sealedFiles: [{ number: 30, length: 500, lastSequence: 9 }],
  })
  const numbers = (from: number): number[] =>
    [...logFiles(version, from)].map((file) => file.number)
  expect(numbers(0)).toEqual([30, 20, 25])
  expect(numbers(2)).toEqual([20, 25])
  expect(numbers(3)).toEqual([25])
  expect(nextOrdinal(version)).toBe(8)
  expect(written(version, 1).version).toEqual(version)
  // Behind all that the log has, and behind all that it ever had.
  for (const ordinal of [1, 2, 5, 7]) {
    expect(() => apply(version, { addedFiles: [logFile(40, 1, ordinal)] })).toThrow(
      /behind the log/,
    )
  }
  const collected = apply(version, {
    removedSegments: [30, 20, 25],
    checkpoint: { ordinal: 7, offset: 64 },
  })
  expect(nextOrdinal(collected)).toBe(8)
  expect(() => apply(collected, { addedFiles: [logFile(40, 1, 7)] })).toThrow(/behind the log/)
  expect([...logFiles(apply(collected, { addedFiles: [logFile(40, 1, 8)] }))]).toHaveLength(1)
})

test('what does not fit is refused', () => {
  const bad: VersionEdit[] = [
    // An open segment, one that is not there, one that goes by the same edit.
    { addedFiles: [relocation(11, 5)] },
    { addedFiles: [relocation(11, 1)] },
    { removedSegments: [4], addedFiles: [relocation(11, 4)] },
    // A number that is in use, that of a segment whose file has gone, or one that is not allocated.
    { addedFiles: [relocation(10, 4)] },
    { addedFiles: [relocation(2, 4)] },
    { addedFiles: [logFile(3, 1, 50)] },
    { addedFiles: [relocation(1000, 4)] },
    // A file that goes, and leaves segments behind.
    { removedSegments: [10] },
    { removedSegments: [2, 10] },
    { removedSegments: [2], addedFiles: [relocation(11, 10)] },
    { removedSegments: [2, 2] },
    { removedSegments: [99] },
    // A part of what never was, of the new one itself, of a relocation that keeps another.
    { addedFiles: [relocation(11, 7)] },
    { addedFiles: [relocation(11, 2, 3, 11)] },
    { addedFiles: [relocation(11, 2, 10)] },
    // A relocation is no file of the log.
    { sealedFiles: [{ number: 10, length: 1, lastSequence: 1 }] },
  ]
  for (const edit of bad)
    expect(() => apply(MOVED, edit), JSON.stringify(edit)).toThrow('broken invariant')
})

async function versionSet(): Promise<{ set: VersionSet; obsolete: ObsoleteFile[] }> {
  const set = await VersionSet.create({
    fileSystem: new RecordingFileSystem(memoryDisk),
    directory: memoryDirectory(),
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
  await set.apply({ removedSegments: [1], addedFiles: [relocation(10, 2, 3)] })
  expect(left()).toEqual([])
  pin.release()
  expect(left()).toEqual([1, 2, 3])
  // The segment has no file of its own any more.
  await set.apply({ removedSegments: [2] })
  expect(left()).toEqual([])
  await set.apply({ removedSegments: [10], addedFiles: [relocation(11, 3, 4)] })
  expect(left().sort()).toEqual([10, 4])
  await set.apply({ removedSegments: [3, 4, 11] })
  expect(left()).toEqual([11])
  expect(set.current.segments.size + set.current.files.size).toBe(0)
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
    const taken = [...current.files.keys()].filter(() => prng.chance(0.3))
    const moved = taken.flatMap((file) => segmentsOf(current, file)).sort((a, b) => a - b)
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
      ...(surviving.length > 0 && { addedFiles: [relocation(created, ...surviving)] }),
    })
  }
  const gone = obsolete.map((file) => file.number)
  expect(new Set(gone).size, replayHint(seed)).toBe(gone.length)
  for (const file of made) {
    expect(set.current.files.has(file), replayHint(seed)).toBe(!gone.includes(file))
  }
  await set.close()
})
