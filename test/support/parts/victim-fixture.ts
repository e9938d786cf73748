/**
 * Segments with known records, tables that point at some of them, and the jobs of the collector run
 * over both: all in memory, below the store.
 */
import { expect } from 'vitest'
import { CorruptionError } from '#dist/lib/base/errors.js'
import { joinPath, segmentName, tableName } from '#dist/lib/base/files/file-names.js'
import type { FileSystem } from '#dist/lib/base/files/file-system.js'
import { livenessBy } from '#dist/lib/tree/compaction/liveness.js'
import { markPointers } from '#dist/lib/tree/compaction/mark-pointers.js'
import type { BuiltTable, TableMeta } from '#dist/lib/tree/entry.js'
import { KIND } from '#dist/lib/tree/entry.js'
import { TableBuilder } from '#dist/lib/tree/table/table-builder.js'
import { type MarkResult, markSteps } from '#dist/vlog/collect/mark.js'
import { punchHoles } from '#dist/vlog/collect/punch.js'
import { type RewriteResult, rewriteSteps } from '#dist/vlog/collect/rewrite.js'
import type { VictimFile } from '#dist/vlog/collect/victim.js'
import { recordBytes } from '#dist/vlog/record.js'
import type { BuiltRelocation } from '#dist/vlog/relocation/relocation-format.js'
import { MemoryFileSystem } from '../files/memory-file-system.ts'
import { seededRandom } from '../random.ts'
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

  markSteps(
    files: readonly VictimFile[],
    tables: readonly TableMeta[],
    minimumHoleBytes: number = 0,
  ): Generator<number, MarkResult> {
    const input = { ...PLACE, files, minimumHoleBytes }
    return markSteps(input, markPointers({ ...PLACE, tables }, this.fileSystem), this)
  }

  rewriteSteps(
    files: readonly VictimFile[],
    tables: readonly TableMeta[],
    fileNumber: number,
    by: 'heads' | 'pointers' = 'heads',
  ): Generator<number, RewriteResult> {
    const random = seededRandom(fileNumber)
    const ports = { fileSystem: this.fileSystem, random, earlySyncBytes: Number.POSITIVE_INFINITY }
    const liveness = livenessBy({ ...PLACE, tables }, this.fileSystem)
    // So many that the one way or the other is the shorter one.
    const liveRecords = by === 'heads' ? 0 : Number.POSITIVE_INFINITY
    return rewriteSteps({ ...PLACE, files, fileNumber, liveRecords }, liveness, ports)
  }

  punchHoles(file: VictimFile, holes: Float64Array): ReturnType<typeof punchHoles> {
    return punchHoles({ ...PLACE, file }, holes, this)
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
