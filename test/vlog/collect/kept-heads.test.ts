/** The heads of a file that were kept: what a walk finds, until the file goes. I8, I10, I12. */
import { expect, test } from 'vitest'
import { packHeads, unpackHeads } from '#dist/vlog/collect/kept-heads.js'
import { emptyVictimRecord, type VictimRecord } from '#dist/vlog/collect/victim-page.js'
import type { VictimRecords } from '#dist/vlog/collect/victim-records.js'
import { BLOCK_BYTES } from '../../support/files/content.ts'
import { addOption } from '../../support/parts/changed-record.ts'
import {
  corruptionOf,
  entryOf,
  putOf,
  relocationFile,
  VictimFixture,
  type VictimSubject,
  victimSubject,
} from '../../support/parts/victim-fixture.ts'
import { runSlices } from '../../support/run-slices.ts'

const LONG_KEY = 'k'.repeat(65_536)

/** a and d live; b is dead, and spans blocks; c was deleted. */
function makeSubject(): VictimSubject {
  const deleted = { kind: 'delete', key: Buffer.from('c'), value: new Uint8Array(0) } as const
  const frames = [[putOf('a', 500), putOf('b', 5 * BLOCK_BYTES), deleted], [putOf('d', 30_000)]]
  return victimSubject(frames, [0, 3])
}

function allOf(records: VictimRecords): VictimRecord[] {
  const all: VictimRecord[] = []
  const record = emptyVictimRecord()
  for (let page = 0; page < records.pageCount; page++) {
    records.visitPage(page, record, () => {
      const keyBytes = record.keyBytes.slice(record.keyStart, record.keyEnd)
      all.push({ ...record, keyBytes, keyStart: 0, keyEnd: keyBytes.length })
    })
  }
  return all
}

test('they are those of a walk: of a segment, and of a relocation with its old addresses', () => {
  const { fixture, file, records, tables } = makeSubject()
  const path = fixture.path(file.number)
  const bytes = Buffer.from(fixture.fileSystem.contents(path))
  addOption(bytes, records[0]!.offset, 'ignore', Buffer.alloc(200, 7))
  fixture.fileSystem.replace(path, bytes)
  const long = fixture.segment([[putOf(LONG_KEY, 9), putOf('', 9)]])
  const all = [fixture.table(fixture.records.slice(4).map(entryOf)).meta, ...tables]
  const copies = fixture.rewriteSlices([file, long], all, fixture.nextNumber())
  const moved = relocationFile(runSlices(copies).relocation!)
  for (const each of [file, long, moved]) {
    const walked = fixture.walk(each)
    const kept = runSlices(unpackHeads(fixture.heads(each), each))
    expect(allOf(kept)).toEqual(allOf(walked))
    expect(kept.segments).toEqual(walked.segments)
    expect(kept.segments).toContain(each.number)
  }
})

test('a punch that has them reads nothing of the file but its header, and makes the same holes', () => {
  const made = [false, true].map((isKept) => {
    const { fixture, file, tables } = makeSubject()
    const heads = isKept ? fixture.heads(file) : undefined
    const content = fixture.fileSystem.files.get(fixture.path(file.number))!
    const before = content.reads
    const result = runSlices(fixture.punchSlices(file, tables, heads))
    const bytes = fixture.fileSystem.contents(fixture.path(file.number))
    return { result, reads: content.reads - before, bytes }
  })
  const [walked, kept] = made
  expect(kept!.reads).toBe(1)
  expect(walked!.reads).toBeGreaterThan(1)
  expect(walked!.result.bytesFreed).toBe(4 * BLOCK_BYTES)
  const { heads, holeMs, ...found } = walked!.result
  expect(heads).toBeDefined()
  expect(kept!.result).toMatchObject({ ...found, heads: undefined })
  expect(kept!.bytes).toEqual(walked!.bytes)
})

test('they have the names of the file: one pointer may name a record by its place, the next by its address', () => {
  const { fixture, file, records, tables } = makeSubject()
  const moved = relocationFile(
    runSlices(fixture.rewriteSlices([file], tables, fixture.nextNumber())).relocation!,
  )
  const places = allOf(fixture.walk(moved)).map(({ place }) => place)
  const byPlace = [records[0]!, records[3]!].map((record, i) =>
    entryOf({ ...record, segment: moved.number, offset: places[i]! }),
  )
  const { heads } = runSlices(fixture.punchSlices(moved, [fixture.table(byPlace).meta]))
  for (const table of [tables[0]!, fixture.table(byPlace).meta]) {
    expect(fixture.markKept(heads!, [table], 0).files[0]).toMatchObject({ liveRecords: 2 })
  }
})

test('I12: what lives is asked of the tables each time', () => {
  const { fixture, file, records, tables } = makeSubject()
  const { heads } = runSlices(fixture.punchSlices(file, tables))
  const fewer = fixture.table([entryOf(records[0]!)]).meta
  const [before, after] = [tables[0]!, fewer].map((table) => fixture.markKept(heads!, [table], 0))
  expect(before!.files[0]!.holes).toHaveLength(2)
  expect(after!.files[0]!.holes).toHaveLength(4)
})

test('I8: a pointer that leads nowhere stops a mark by them, too', () => {
  const { fixture, file, records } = makeSubject()
  const heads = fixture.heads(file)
  const [first] = records
  for (const wrong of [{ offset: first!.offset + 1 }, { length: 10_000 }, { sequence: 77 }]) {
    const { meta } = fixture.table([entryOf({ ...first!, ...wrong })])
    const { reason } = corruptionOf(() => fixture.markKept(heads, [meta], 0))
    expect(reason).toMatch(/a pointer leads to no record/)
  }
})

test('a head that is damaged later stops no punch, which touches dead values alone', () => {
  const { fixture, file, records, tables } = makeSubject()
  const heads = fixture.heads(file)
  for (const { offset } of records) fixture.damage(file, offset + 17)
  const before = fixture.fileSystem.contents(fixture.path(file.number))
  corruptionOf(() => runSlices(fixture.punchSlices(file, tables)))
  expect(fixture.fileSystem.contents(fixture.path(file.number))).toEqual(before)
  const { bytesFreed } = runSlices(fixture.punchSlices(file, tables, heads))
  expect(bytesFreed).toBe(4 * BLOCK_BYTES)
  const after = fixture.fileSystem.contents(fixture.path(file.number))
  const { offset, length } = records[1]!
  const end = Math.floor((offset + length) / BLOCK_BYTES) * BLOCK_BYTES
  expect(after).toEqual(before.fill(0, Math.ceil(offset / BLOCK_BYTES) * BLOCK_BYTES, end))
})

test('of another file in its place nothing is punched', () => {
  const { fixture, file, tables } = makeSubject()
  const heads = fixture.heads(file)
  const path = fixture.path(file.number)
  const other = makeSubject().fixture.fileSystem.contents(path)
  other[57]! ^= 1
  fixture.fileSystem.replace(path, other)
  corruptionOf(() => runSlices(fixture.punchSlices(file, tables, heads)))
  expect(fixture.fileSystem.contents(path)).toEqual(other)
})

test('I10: of a file with too many they are not kept', () => {
  const fixture = new VictimFixture()
  const frames = Array.from({ length: 17 }, () => [putOf(LONG_KEY, 10)])
  const file = fixture.segment(frames)
  expect(runSlices(packHeads(fixture.walk(file)))).toBeUndefined()
  expect(fixture.heads(fixture.segment(frames.slice(2))).bytes.length).toBeLessThan(2 ** 20)
})
