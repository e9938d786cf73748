/**
 * Segments with known records, tables that point at some of them, and the jobs of the collector run
 * over both: all in memory, below the store.
 */
import { expect } from 'vitest'
import type { SegmentDead } from '#dist/lib/base/dead-records.js'
import { CorruptionError } from '#dist/lib/base/errors.js'
import { joinPath, segmentName, tableName } from '#dist/lib/base/files/file-names.js'
import type { FileSystem } from '#dist/lib/base/files/file-system.js'
import {
  addPointer,
  noReferences,
  type Reference,
  type ReferenceSum,
} from '#dist/lib/base/segment-records.js'
import { markPointers } from '#dist/lib/tree/compaction/mark-pointers.js'
import { livenessBy } from '#dist/lib/tree/compaction/table-liveness.js'
import type { BuiltTable, TableMeta } from '#dist/lib/tree/entry.js'
import { KIND } from '#dist/lib/tree/entry.js'
import { TableBuilder } from '#dist/lib/tree/table/table-builder.js'
import type { HoleMarks } from '#dist/vlog/collect/hole-marks.js'
import { type KeptHeads, packHeads, unpackHeads } from '#dist/vlog/collect/kept-heads.js'
import { type MarkResult, markRecords, markSlices } from '#dist/vlog/collect/mark.js'
import { punchHoles, punchSlices } from '#dist/vlog/collect/punch.js'
import { rewriteSlices } from '#dist/vlog/collect/rewrite.js'
import type { VictimFile } from '#dist/vlog/collect/victim.js'
import type { VictimRecords } from '#dist/vlog/collect/victim-records.js'
import { collectVictims } from '#dist/vlog/collect/victim-walk.js'
import { recordBytes } from '#dist/vlog/record.js'
import type { BuiltRelocation } from '#dist/vlog/relocation/relocation-format.js'
import { RelocationReader } from '#dist/vlog/relocation/relocation-reader.js'
import { MemoryFileSystem } from '../files/memory-file-system.ts'
import { seededRandom } from '../random.ts'
import { runSlices } from '../run-slices.ts'
import { compareEntries, keyed, type TestEntry } from './array-cursor.ts'
import { bytesOf, DATABASE_ID, LOG_DIRECTORY, SALT, SegmentMaker } from './log-segments.ts'

/** What a caller did; an inline value lies in the tree, too. */
export interface Write {
  readonly kind: 'put' | 'inline' | 'delete'
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** A record of the log, and the entry that the tree made of it. */
export interface LoggedRecord extends Write {
  readonly sequence: number
  readonly segment: number
  readonly offset: number
  readonly length: number
}

export function entryOf(record: LoggedRecord): TestEntry {
  const { kind, key, sequence, segment, offset, length, value } = record
  if (kind === 'delete') return { key, sequence, kind: KIND.tombstone }
  if (kind === 'inline') return { key, sequence, kind: KIND.inline, value }
  return { key, sequence, kind: KIND.pointer, segment, offset, length }
}

const TABLE_OPTIONS = { tableBytes: 2 ** 40, blockBytes: 256, filterBitsPerKey: 10 }

/** How a rewrite finds what lives. */
export type RewriteWay = 'heads' | 'pointers' | 'list'

/** As lists of dead records, each of which takes some. */
export function deadLists(records: readonly LoggedRecord[]): SegmentDead[] {
  const segments = new Set(records.map(({ segment }) => segment))
  return [...segments].flatMap((segment) => {
    const own = records.filter((record) => record.segment === segment)
    const middle = own.length >> 1
    return [own.slice(middle), own.slice(0, middle)].map((part) => ({
      segment,
      offsets: Float64Array.from(part, ({ offset }) => offset),
      lengths: Float64Array.from(part, ({ length }) => length),
    }))
  })
}

export class VictimFixture {
  readonly fileSystem: MemoryFileSystem = new MemoryFileSystem()
  /** All that was logged, in order. */
  readonly records: LoggedRecord[] = []
  #sequence = 1
  #number = 10

  /** Writes a segment, frame by frame. */
  segment(frames: readonly (readonly Write[])[]): VictimFile {
    const number = this.nextNumber()
    const maker = new SegmentMaker(this.fileSystem, number, this.#sequence)
    for (const writes of frames) {
      const offsets = maker.frame(
        writes.map(({ kind, key, value }) => ({ key, value, isDelete: kind === 'delete' })),
      )
      writes.forEach((write, i) => {
        const length = recordBytes(write.key.length, write.value.length)
        const place = { segment: number, offset: offsets[i]!, length }
        this.records.push({ ...write, ...place, sequence: this.#sequence++ })
      })
    }
    return { kind: 'segment', number, salt: SALT, length: maker.length }
  }

  /** Writes a table of these entries, in any order. */
  table(entries: readonly TestEntry[]): BuiltTable {
    const sorted = entries.toSorted(compareEntries)
    const number = this.nextNumber()
    const file = this.fileSystem.open(joinPath(LOG_DIRECTORY, tableName(number)), 'create')
    const identity = { kind: 'table' as const, databaseId: DATABASE_ID, number, salt: SALT }
    const base = Math.min(...sorted.map(({ sequence }) => sequence))
    const builder = new TableBuilder(file, identity, TABLE_OPTIONS, base)
    for (const entry of sorted) builder.add(keyed(entry))
    return builder.finish()
  }

  /** Flips a bit of a file. */
  damage({ number }: Pick<VictimFile, 'number'>, at: number): void {
    const path = this.path(number)
    const bytes = this.fileSystem.contents(path)
    bytes[at]! ^= 0x10
    this.fileSystem.replace(path, bytes)
  }

  nextNumber(): number {
    return this.#number++
  }

  path(number: number): string {
    return joinPath(LOG_DIRECTORY, segmentName(number))
  }

  markSlices(
    files: readonly VictimFile[],
    tables: readonly TableMeta[],
    minimumHoleBytes: number = 0,
  ): Generator<number, MarkResult> {
    const input = { ...PLACE, files, minimumHoleBytes }
    return markSlices(input, markPointers({ ...PLACE, tables }, this.fileSystem), this)
  }

  walk(file: VictimFile): VictimRecords {
    return runSlices(collectVictims({ ...PLACE, files: [file] }, this))
  }

  /** The heads of a file, kept. */
  heads(file: VictimFile): KeptHeads {
    const heads = runSlices(packHeads(this.walk(file)))
    expect(heads).toBeDefined()
    return heads!
  }

  /** Marks a file by its kept heads. */
  markKept(heads: KeptHeads, tables: readonly TableMeta[], minimumHoleBytes: number): MarkResult {
    const input = { ...PLACE, minimumHoleBytes }
    const markLive = markPointers({ ...PLACE, tables }, this.fileSystem)
    return runSlices(markRecords(runSlices(unpackHeads(heads, heads.file)), input, markLive, this))
  }

  rewriteSlices(
    files: readonly VictimFile[],
    tables: readonly TableMeta[],
    fileNumber: number,
    by: RewriteWay = 'heads',
    dead: readonly SegmentDead[] = [],
  ): ReturnType<typeof rewriteSlices> {
    const random = seededRandom(fileNumber)
    const ports = { fileSystem: this.fileSystem, random, earlySyncBytes: Number.POSITIVE_INFINITY }
    const liveness = livenessBy({ ...PLACE, tables }, this.fileSystem)
    const isListed = by === 'list'
    const references = isListed ? this.references(files, tables) : []
    // So many that the one way or the other is the shorter one.
    const entries = by === 'pointers' ? 0 : Number.POSITIVE_INFINITY
    const input = { ...PLACE, files, fileNumber, references, dead: isListed ? dead : [] }
    return rewriteSlices(input, { ...liveness, entries }, ports)
  }

  /** What the tables point to in the segments of these files. */
  references(files: readonly VictimFile[], tables: readonly TableMeta[]): Reference[] {
    const segments = new Set(files.flatMap((file) => this.#segmentsOf(file)))
    const sums = new Map<number, ReferenceSum>()
    const { visitPointers } = livenessBy({ ...PLACE, tables }, this.fileSystem)
    const held = { holdsSegment: (segment: number) => segments.has(segment) }
    runSlices(
      visitPointers(held, ({ segment, offset, length }) => {
        const sum = sums.get(segment) ?? noReferences()
        sums.set(segment, sum)
        addPointer(sum, offset, length)
      }),
    )
    return [...sums].map(([segment, sum]) => ({ segment, ...sum }))
  }

  #segmentsOf(file: VictimFile): number[] {
    if (file.kind === 'segment') return [file.number]
    const name = segmentName(file.number)
    const expected = { ...file, databaseId: DATABASE_ID }
    const reader = RelocationReader.open(this.fileSystem, this.path(file.number), name, expected)
    reader.close()
    return [...reader.parts.map(({ segment }) => segment), file.number]
  }

  punchSlices(
    file: VictimFile,
    tables: readonly TableMeta[],
    heads?: KeptHeads,
  ): ReturnType<typeof punchSlices> {
    const input = { ...PLACE, file, minimumHoleBytes: 0, heads }
    return punchSlices(input, markPointers({ ...PLACE, tables }, this.fileSystem), this)
  }

  punchHoles(
    file: VictimFile,
    holes: Float64Array,
    holesMax: number = Infinity,
    known?: HoleMarks,
  ): ReturnType<typeof punchHoles> {
    return punchHoles({ ...PLACE, file, holesMax, known }, holes, this)
  }
}

/** Where all of it lies. */
export const PLACE: { readonly directory: string; readonly databaseId: Uint8Array } = {
  directory: LOG_DIRECTORY,
  databaseId: DATABASE_ID,
}

/** The relocation as a victim. */
export function relocationFile({ number, salt, length }: BuiltRelocation): VictimFile {
  return { kind: 'relocation', number, salt, length }
}

/** A segment, and a table that points at some of its records. */
export interface VictimSubject {
  readonly fixture: VictimFixture
  readonly file: VictimFile
  readonly records: readonly LoggedRecord[]
  readonly tables: readonly TableMeta[]
}

/** @param live indexes of the records that the table points at */
export function victimSubject(
  frames: readonly (readonly Write[])[],
  live: readonly number[],
): VictimSubject {
  const fixture = new VictimFixture()
  const file = fixture.segment(frames)
  const { records } = fixture
  return {
    fixture,
    file,
    records,
    tables: [fixture.table(live.map((i) => entryOf(records[i]!))).meta],
  }
}

/** @returns a function that tells how many files are open */
export function countOpen(fileSystem: FileSystem): () => number {
  const open = fileSystem.open.bind(fileSystem)
  let count = 0
  fileSystem.open = (path, mode) => {
    const file = open(path, mode)
    count++
    file.close = () => void count--
    return file
  }
  return () => count
}

/** A put with a value that its key tells. */
export function putOf(key: string, length: number): Write {
  return { kind: 'put', key: Buffer.from(key), value: bytesOf(length, key.charCodeAt(0)) }
}

/** The corruption that stops `run`. */
export function corruptionOf(run: () => unknown): CorruptionError {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(CorruptionError)
    return error as CorruptionError
  }
  throw new Error('no corruption was found')
}
