/**
 * Mark, rewrite and punch against a naive model: random writes in several segments, tables with any
 * of their entries, relocations of relocations.
 */
import { describe, expect, test } from 'vitest'
import { compareBytes } from '#dist/lib/base/bytes.js'
import type { SegmentDead } from '#dist/lib/base/dead-records.js'
import { segmentName } from '#dist/lib/base/files/file-names.js'
import type { TableMeta } from '#dist/lib/tree/entry.js'
import type { KeptHeads } from '#dist/vlog/collect/kept-heads.js'
import type { VictimFile } from '#dist/vlog/collect/victim.js'
import { recordHeadBytes } from '#dist/vlog/record.js'
import { RelocationReader } from '#dist/vlog/relocation/relocation-reader.js'
import { BLOCK_BYTES } from '../../support/files/content.ts'
import { compareEntries, type TestEntry } from '../../support/parts/array-cursor.ts'
import { DATABASE_ID } from '../../support/parts/log-segments.ts'
import {
  deadLists,
  entryOf,
  type LoggedRecord,
  type RewriteWay,
  relocationFile,
  VictimFixture,
  type Write,
} from '../../support/parts/victim-fixture.ts'
import { Prng, replayHint, testSeed } from '../../support/random.ts'
import { runSlices } from '../../support/run-slices.ts'

const seed = testSeed()

/** Few keys, so that they are written again; many with a common beginning, zeros at the end, high bytes. */
function randomKey(prng: Prng, common: Uint8Array): Uint8Array {
  const tail = Array.from({ length: prng.below(12) }, () => prng.pick([0, 0, 1, 0x7f, 0xff]))
  return Uint8Array.from([...common, ...tail])
}

function randomValueLength(prng: Prng): number {
  if (prng.chance(0.7)) return prng.below(300)
  if (prng.chance(0.7)) return prng.below(30_000)
  return prng.chance(0.95) ? prng.below(300_000) : prng.below(3_000_000)
}

function randomFrames(prng: Prng, common: Uint8Array): Write[][] {
  return Array.from({ length: 1 + prng.below(8) }, () =>
    Array.from({ length: prng.below(12) }, () => {
      const kind = prng.pick(['put', 'put', 'put', 'inline', 'delete'] as const)
      const length = kind === 'delete' ? 0 : randomValueLength(prng)
      return { kind, key: randomKey(prng, common), value: prng.bytes(length) }
    }),
  )
}

/** Entries in tables: several runs that share them out at random, each cut between keys. */
function makeTables(
  prng: Prng,
  fixture: VictimFixture,
  entries: readonly TestEntry[],
): TableMeta[] {
  const runs = Array.from({ length: 1 + prng.below(4) }, () => [] as TestEntry[])
  for (const entry of entries) prng.pick(runs).push(entry)
  return runs.flatMap((run) => {
    const sorted = run.toSorted(compareEntries)
    const tables: TestEntry[][] = []
    sorted.forEach((entry, i) => {
      const isNewKey = i === 0 || compareBytes(sorted[i - 1]!.key, entry.key) !== 0
      if (i === 0 || (isNewKey && prng.chance(0.1))) tables.push([])
      tables.at(-1)!.push(entry)
    })
    return tables.map((table) => fixture.table(table).meta)
  })
}

class Case {
  readonly prng: Prng
  readonly fixture: VictimFixture = new VictimFixture()
  readonly segments: readonly VictimFile[]
  /** As they were before anything was punched. */
  readonly #contents: Map<number, Uint8Array> = new Map()
  /** The heads of files, as they were when these were first marked. */
  readonly #heads: Map<number, KeptHeads> = new Map()
  /** As they were logged, of records that entries know by another address. */
  readonly #origins: Map<LoggedRecord, LoggedRecord> = new Map()
  /** Records that the tree has an entry of. */
  held: readonly LoggedRecord[] = []
  tables: readonly TableMeta[] = []

  constructor(prng: Prng) {
    this.prng = prng
    const common = prng.bytes(prng.pick([0, 0, 3, 40]))
    this.segments = Array.from({ length: 1 + prng.below(4) }, () =>
      this.fixture.segment(randomFrames(prng, common)),
    )
    for (const { number } of this.segments) {
      this.#contents.set(number, this.fixture.fileSystem.contents(this.fixture.path(number)))
    }
    this.hold(this.fixture.records)
  }

  /** The tree keeps entries of some of these records. */
  hold(records: readonly LoggedRecord[]): void {
    const probability = this.prng.pick([0, 0.1, 0.5, 0.9, 1])
    this.held = records.filter(() => this.prng.chance(probability))
    this.tables = makeTables(this.prng, this.fixture, this.held.map(entryOf))
  }

  live(segments: ReadonlySet<number>): LoggedRecord[] {
    return this.held.filter(({ kind, segment }) => kind === 'put' && segments.has(segment))
  }

  /**
   * A compaction has folded some of the entries: they name the relocation itself now.
   * @returns where each record lies, by the records as the tree knows them
   */
  fold(number: number, places: ReadonlyMap<LoggedRecord, number>): Map<LoggedRecord, number> {
    const probability = this.prng.pick([0, 0.5, 1])
    const known = new Map(places)
    this.held = this.held.map((record) => {
      const place = places.get(record)
      if (place === undefined || !this.prng.chance(probability)) return record
      const folded = { ...record, segment: number, offset: place }
      this.#origins.set(folded, record)
      known.delete(record)
      known.set(folded, place)
      return folded
    })
    this.tables = makeTables(this.prng, this.fixture, this.held.map(entryOf))
    return new Map([...known].sort(([, left], [, right]) => left - right))
  }

  bytesOf(record: LoggedRecord): Uint8Array {
    const { segment, offset, length } = this.#origins.get(record) ?? record
    return this.#contents.get(segment)!.subarray(offset, offset + length)
  }

  /** Holds a relocation against what it must hold, in key order. @returns where each record lies */
  checkRelocation(file: VictimFile, live: readonly LoggedRecord[]): Map<LoggedRecord, number> {
    const name = segmentName(file.number)
    const { fileSystem } = this.fixture
    const path = this.fixture.path(file.number)
    const expected = { ...file, databaseId: DATABASE_ID }
    const reader = RelocationReader.open(fileSystem, path, name, expected)
    reader.verify()
    const { segments, offsets, places } = reader.addresses()
    const sorted = live.toSorted((l, r) => compareBytes(l.key, r.key) || r.sequence - l.sequence)
    expect(Array.from(segments, (segment, i) => `${segment}:${offsets[i]}`)).toEqual(
      sorted.map(({ segment, offset }) => `${segment}:${offset}`),
    )
    const bytes = fileSystem.contents(path)
    sorted.forEach((record, i) => {
      const copy = bytes.subarray(places[i]!, places[i]! + record.length)
      expect(Buffer.compare(copy, this.bytesOf(record))).toBe(0)
    })
    for (const part of reader.parts) {
      const own = live.filter(({ segment }) => segment === part.segment)
      const sum = own.reduce((total, { length }) => total + length, 0)
      expect(part).toEqual({ segment: part.segment, records: own.length, bytes: sum })
    }
    return new Map(sorted.map((record, i) => [record, places[i]!]))
  }

  /** Marks one file whose records are known, and holds figures and holes against them. */
  checkMark(
    file: VictimFile,
    places: ReadonlyMap<LoggedRecord, number>,
    minimumHoleBytes: number,
  ): Float64Array {
    const found = runSlices(this.fixture.markSlices([file], this.tables, minimumHoleBytes))
    const marked = found.files[0]!
    const heads = this.#heads.get(file.number) ?? this.fixture.heads(file)
    this.#heads.set(file.number, heads)
    expect(this.fixture.markKept(heads, this.tables, minimumHoleBytes)).toEqual(found)
    const live = this.held.filter((record) => record.kind === 'put' && places.has(record))
    expect(marked).toMatchObject({
      number: file.number,
      records: places.size,
      liveRecords: live.length,
      liveBytes: live.reduce((sum, { length }) => sum + length, 0),
    })
    const isLive = new Set(live)
    const holes: number[] = []
    for (const [record, place] of places) {
      if (record.kind === 'delete' || isLive.has(record)) continue
      const end = Math.floor((place + record.length) / BLOCK_BYTES) * BLOCK_BYTES
      const valueStart = place + recordHeadBytes(record.key.length)
      const start = Math.ceil(valueStart / BLOCK_BYTES) * BLOCK_BYTES
      if (end - start >= Math.max(1, minimumHoleBytes)) holes.push(start, end)
    }
    expect([...marked.holes]).toEqual(holes)
    expect(marked.holeBytes).toBe(holes.reduce((sum, at, i) => sum + (i % 2 ? at : -at), 0))
    return marked.holes
  }

  /** How a rewrite finds what lives, and what it is told: a list may lack some, and name some that live. */
  way(places: ReadonlyMap<LoggedRecord, number>): [RewriteWay, SegmentDead[]] {
    const { prng } = this
    const isKnown = prng.pick([1, 1, 0.9])
    const isWrong = prng.pick([0, 0, 0.1])
    const living = new Set(this.held.filter(({ kind }) => kind === 'put'))
    const listed = [...places.keys()].filter((record) =>
      prng.chance(living.has(record) ? isWrong : isKnown),
    )
    return [prng.pick(['heads', 'pointers', 'list', 'list']), deadLists(listed)]
  }

  /** Where the records of a segment lie. */
  placesIn({ number }: VictimFile): Map<LoggedRecord, number> {
    const own = this.fixture.records.filter(({ segment }) => segment === number)
    return new Map(own.map((record) => [record, record.offset]))
  }
}

describe('the jobs of the collector agree with a model', () => {
  for (let round = 0; round < 60; round++) {
    test(`round ${round}`, () => {
      const prng = new Prng(seed + round)
      const hint = replayHint(seed)
      const subject = new Case(prng)
      const { fixture } = subject

      for (const segment of subject.segments) {
        const holes = subject.checkMark(segment, subject.placesIn(segment), prng.below(9000))
        if (prng.chance(0.5)) continue
        expect(runSlices(fixture.punchHoles(segment, holes)).supported, hint).toBe(true)
        subject.checkMark(segment, subject.placesIn(segment), 0)
      }

      const [first, ...others] = subject.segments
      const victims = [first!, ...others.filter(() => prng.chance(0.5))]
      const numbers = new Set(victims.map(({ number }) => number))
      const live = subject.live(numbers)
      const number = fixture.nextNumber()
      const logged = new Map(victims.flatMap((victim) => [...subject.placesIn(victim)]))
      const { relocation, bytesWritten } = runSlices(
        fixture.rewriteSlices(victims, subject.tables, number, ...subject.way(logged)),
      )
      expect(relocation === undefined, hint).toBe(live.length === 0)
      expect(fixture.fileSystem.files.has(fixture.path(number)), hint).toBe(live.length > 0)
      if (!relocation) return
      expect(bytesWritten, hint).toBe(relocation.length)
      const moved = relocationFile(relocation)
      const places = subject.checkRelocation(moved, live)

      // Later: fewer entries; the relocation is a victim itself, with segments that were none before.
      subject.hold(subject.held)
      const folded = subject.fold(moved.number, places)
      const holes = subject.checkMark(moved, folded, 0)
      expect(runSlices(fixture.punchHoles(moved, holes)).supported, hint).toBe(true)
      const rest = subject.segments.filter((segment) => !numbers.has(segment.number))
      const again = runSlices(
        fixture.rewriteSlices(
          [...rest, moved],
          subject.tables,
          fixture.nextNumber(),
          ...subject.way(
            new Map([...folded, ...rest.flatMap((file) => [...subject.placesIn(file)])]),
          ),
        ),
      )
      const all = new Set([moved, ...subject.segments].map((file) => file.number))
      if (again.relocation)
        subject.checkRelocation(relocationFile(again.relocation), subject.live(all))
      else expect(subject.live(all), hint).toEqual([])
    })
  }
})

test('survivors far apart, more than one batch, in or against the order of their places', () => {
  for (const direction of [1, -1]) {
    const fixture = new VictimFixture()
    const count = 3000
    const writes = Array.from({ length: 2 * count }, (_, i): Write => {
      const key = Buffer.from(String(direction * i + 50_000))
      return { kind: 'put', key, value: new Uint8Array(i % 2 ? 6000 : 150).fill(i) }
    })
    const file = fixture.segment([writes])
    const live = fixture.records.filter((_, i) => i % 2 === 0)
    const tables = [fixture.table(live.map(entryOf)).meta]
    const steps = fixture.rewriteSlices([file], tables, fixture.nextNumber())
    const { relocation, bytesRead } = runSlices(steps)
    expect(relocation?.parts).toMatchObject([{ records: count }])
    // The walk reads all; the copy what lives, and gaps as far as there is room.
    expect(bytesRead).toBeLessThan(file.length + 8 * 1024 * 1024)
  }
})
