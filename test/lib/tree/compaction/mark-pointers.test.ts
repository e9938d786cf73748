/** Marking by tables: what it reads of them, in which slices, and that it closes all that it opens. */
import { describe, expect, test } from 'vitest'
import type { FileSystem } from '#dist/lib/base/files/file-system.js'
import { markPointers } from '#dist/lib/tree/compaction/mark-pointers.js'
import type { VictimRecords } from '#dist/vlog/collect/victim-records.js'
import { collectVictims } from '#dist/vlog/collect/victim-walk.js'
import { entryOf, PLACE, VictimFixture } from '../../../support/parts/victim-fixture.ts'
import { runSlices } from '../../../support/run-slices.ts'

const VALUE = new Uint8Array(10)

function keyOf(i: number): Uint8Array {
  return Buffer.from(`key${String(i).padStart(8, '0')}`)
}

interface Subject {
  readonly fixture: VictimFixture
  readonly records: VictimRecords
  readonly fileSystem: FileSystem
  /** What was read of tables, and how many are open. */
  readonly use: { bytes: number; open: number; opened: number }
}

/** A segment with keys of these numbers, and a file system that counts. */
function makeSubject(numbers: readonly number[]): Subject {
  const fixture = new VictimFixture()
  const frames = [numbers.map((i) => ({ kind: 'put' as const, key: keyOf(i), value: VALUE }))]
  const file = fixture.segment(frames)
  const records = runSlices(collectVictims({ ...PLACE, files: [file] }, fixture))
  const use = { bytes: 0, open: 0, opened: 0 }
  const fileSystem = Object.create(fixture.fileSystem) as FileSystem
  fileSystem.open = (path, mode) => {
    const file = fixture.fileSystem.open(path, mode)
    use.open++
    use.opened++
    const counted = Object.create(file) as typeof file
    counted.read = (target, at, length, position) => {
      const got = file.read(target, at, length, position)
      use.bytes += got
      return got
    }
    counted.stat = () => file.stat()
    counted.close = () => void use.open--
    return counted
  }
  return { fixture, records, fileSystem, use }
}

function foreign(from: number, to: number, step: number): ReturnType<typeof entryOf>[] {
  const entries: ReturnType<typeof entryOf>[] = []
  for (let i = from; i < to; i += step) {
    const place = { sequence: 1_000_000 + i, segment: 9999, offset: i, length: 60 }
    entries.push(entryOf({ kind: 'put', key: keyOf(i), value: VALUE, ...place }))
  }
  return entries
}

function live(records: VictimRecords): number {
  let count = 0
  for (let i = 0; i < records.count; i++) if (records.isLiveAt(i)) count++
  return count
}

describe('marking', () => {
  test('a table that refers to none of the segments is opened, and not read', () => {
    const { fixture, records, fileSystem, use } = makeSubject([1, 2, 3])
    const tables = [fixture.table(foreign(0, 20_000, 1)).meta]
    runSlices(markPointers({ ...PLACE, tables }, fileSystem)(records))
    expect(use).toMatchObject({ opened: 1, open: 0 })
    expect(use.bytes).toBeLessThan(8192)
    expect(live(records)).toBe(0)
  })

  test('few records in a large table are looked for, many entries in few slices are not passed', () => {
    const { fixture, records, fileSystem, use } = makeSubject([100, 50_001, 99_001])
    const entries = [...foreign(0, 100_000, 1), ...fixture.records.map(entryOf)]
    const { meta } = fixture.table(entries)
    const slices = markPointers({ ...PLACE, tables: [meta] }, fileSystem)(records)
    let moves = 0
    for (const bytes of slices) moves += bytes
    expect(live(records)).toBe(3)
    // Index and filter are read whole; of the blocks little.
    expect(moves).toBeLessThan(meta.bytes / 20)
    expect(use.open).toBe(0)
  })

  test('many records in a small table are leapt over', () => {
    const { fixture, records, fileSystem } = makeSubject(
      Array.from({ length: 50_000 }, (_, i) => i),
    )
    const held = fixture.records.filter((_, i) => i % 9999 === 5)
    const tables = [fixture.table(held.map(entryOf)).meta]
    let compared = 0
    const compare = records.compare.bind(records)
    records.compare = (position) => {
      compared++
      return compare(position)
    }
    runSlices(markPointers({ ...PLACE, tables }, fileSystem)(records))
    expect(live(records)).toBe(held.length)
    expect(compared).toBeLessThan(500)
  })

  test('dense records and entries meet in slices; tables of older runs add theirs', () => {
    const { fixture, records, fileSystem, use } = makeSubject(
      Array.from({ length: 30_000 }, (_, i) => i),
    )
    const halves = [0, 1].map((half) => fixture.records.filter((_, i) => i % 2 === half))
    const tables = halves.map((half) => fixture.table(half.map(entryOf)).meta)
    const marks = markPointers({ ...PLACE, tables }, fileSystem)
    let slices = 0
    for (const _ of marks(records)) {
      slices++
      expect(use.open).toBeLessThanOrEqual(1)
    }
    expect(slices).toBeGreaterThan(10)
    expect(live(records)).toBe(30_000)
  })

  test('ended early, it closes its table', () => {
    const { fixture, records, fileSystem, use } = makeSubject(
      Array.from({ length: 30_000 }, (_, i) => i),
    )
    const tables = [fixture.table(fixture.records.map(entryOf)).meta]
    const slices = markPointers({ ...PLACE, tables }, fileSystem)(records)
    slices.next()
    expect(use.open).toBe(1)
    slices.return()
    expect(use.open).toBe(0)
  })
})
