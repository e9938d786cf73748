/**
 * Salvage: everything that the files of a store still prove, read without its manifest if need be.
 *
 *   1. Tables: the entries of every block that is whole.
 *   2. The value log: every record whose head proves itself (scan-log.ts). It is the place of a value that a table
 *      points to, or newer than all tables, or all that is left of a key.
 *   3. The newest state of each key counts; deletes and tombstones do, too. Values are read and proved one by one.
 *
 * What the log says below the checkpoint is history: a key that is in no table any more was deleted, and so may have
 * been its delete. While the manifest and its tables are whole, the log therefore counts only from the checkpoint on.
 * Where a part of a table is lost, records count that it may have held, by its range of keys and sequences; without a
 * manifest all of them do. Such keys may be stale, deleted or replaced by what is lost, and so may older entries of
 * other tables in that range. Without a manifest nobody knows whether tables are missing.
 *
 * A batch whose frame is damaged may come in part. Nothing of the store is written. Memory: salvage-map.ts.
 */

import { proveRecord, RECORD_KIND, readRecordHeader } from '../../../vlog/record.ts'
import { decodeStreamValue } from '../../../vlog/stream/stream-value.ts'
import { compareBytes, keyString, NO_BYTES } from '../../base/bytes.ts'
import { checksum } from '../../base/checksum.ts'
import { wallTime } from '../../base/clock.ts'
import { joinPath, segmentName, tableName } from '../../base/files/file-names.ts'
import type { File, FileSystem } from '../../base/files/file-system.ts'
import type { FileNumber, Sequence } from '../../base/ids.ts'
import { compareLogPositions } from '../../base/log-position.ts'
import { nodeFileSystem } from '../../base/platform/node-file-system.ts'
import { type Entry, hasExpired, isGone, KIND, type TableMeta } from '../../tree/entry.ts'
import type { ScannedRecord } from '../dump/scan-log.ts'
import { damageOf, type FileDamage, findStoreFiles, type StoreFiles } from './salvage-files.ts'
import { readLogFile } from './salvage-log.ts'
import { comparePlaces, SalvageMap, type ValuePlace } from './salvage-map.ts'
import { SalvagedRanges, writtenFragment } from './salvage-ranges.ts'
import { type SalvagedStream, SalvagedStreams } from './salvage-streams.ts'
import { type LostWrites, lostOf, readTable } from './salvage-tables.ts'
import { HOLE, SalvagedValues } from './salvage-values.ts'

/** A key and its value, proved. The bytes belong to the caller. */
export interface SalvagedEntry {
  readonly key: Buffer
  /** All of it, or a stream that is read piece by piece. */
  readonly value: Uint8Array | SalvagedStream
  /** Milliseconds since 1970; 0: it never expires. */
  readonly expiresAt: number
  /** `log`: no table has it. */
  readonly origin: 'table' | 'log'
  /** It may have been deleted or replaced by something that is lost. */
  readonly mayBeStale: boolean
}

/** A key whose newest value cannot be read. */
export interface LostKey {
  readonly key: Buffer
  readonly sequence: Sequence
  readonly reason: string
}

export class Salvage {
  readonly #fileSystem: FileSystem
  readonly #files: StoreFiles
  readonly #map: SalvageMap = new SalvageMap()
  readonly #streams: SalvagedStreams
  readonly #lostRanges: LostWrites[] = []
  readonly #values: SalvagedValues
  readonly #lost: LostKey[] = []
  readonly #ranges: SalvagedRanges = new SalvagedRanges()
  #hasLogGap = false
  #deletedKeys = 0
  #emptiedKeys = 0

  /** @throws WISC_NO_STORE if there is nothing of a store, IoError */
  constructor(directory: string, fileSystem: FileSystem = nodeFileSystem) {
    this.#fileSystem = fileSystem
    this.#files = findStoreFiles(fileSystem, directory)
    this.#streams = new SalvagedStreams(fileSystem, this.#files, this.#files.streams)
    this.#values = new SalvagedValues(fileSystem, directory, this.#files.damage)
  }

  /** Bytes of all files that {@link readSlices} goes through. */
  get totalBytes(): number {
    const { tables, logFiles, directory } = this.#files
    const names = [...tables.map(tableName), ...logFiles.map(segmentName)]
    const sizeOf = (name: string): number =>
      this.#fileSystem.statPath(joinPath(directory, name))?.size ?? 0
    return names.reduce((sum, name) => sum + sizeOf(name), 0)
  }

  /** Keys that were found, deleted ones included. */
  get foundKeys(): number {
    return this.#map.size
  }

  /** True if the manifest was read and is the last one that the log knows. */
  get hasManifest(): boolean {
    return this.#files.version !== undefined
  }

  /**
   * True if a part of the log that no table has cannot be read: it may have held newer values, nobody knows of which
   * keys. Without a manifest nobody knows which files are missing either.
   */
  get mayMissNewer(): boolean {
    return !this.hasManifest || this.#hasLogGap
  }

  /** Files with their damage, in the order in which it was found. */
  get damage(): readonly FileDamage[] {
    return this.#files.damage
  }

  /** Filled by {@link entries}, as are the counts below. */
  get lost(): readonly LostKey[] {
    return this.#lost
  }

  /** Keys whose newest state is a delete. */
  get deletedKeys(): number {
    return this.#deletedKeys
  }

  /** Keys of the log alone whose values are holes: they were dead, unless a disk has lost the blocks. */
  get emptiedKeys(): number {
    return this.#emptiedKeys
  }

  /** Reads all files. Yields the bytes that each slice went through. */
  *readSlices(): Generator<number, void> {
    const { version, tables, logFiles } = this.#files
    const known = new Map<number, TableMeta>()
    for (const { runs } of version?.levels ?? []) {
      for (const run of runs) for (const meta of run.tables) known.set(meta.number, meta)
    }
    this.#noteMissingFiles(known)
    // What was evicted is as if somebody had deleted everything then.
    const { evictedBelow = 0 } = version ?? {}
    if (evictedBelow > 0) this.#ranges.add(writtenFragment(NO_BYTES, NO_BYTES, evictedBelow))
    // First those of the version: what is lost of them decides what else counts.
    for (const number of tables) {
      if (version && !known.has(number)) continue
      yield* this.#readTable(number, known.get(number), false)
    }
    for (const number of tables) {
      if (!version || known.has(number) || this.#lostRanges.length === 0) continue
      yield* this.#readTable(number, undefined, true)
    }
    for (const number of logFiles) {
      const name = segmentName(number)
      const isDone = yield* this.#guarded(name, (file) =>
        readLogFile(file, number, this.#files, {
          record: (record, isSegment) => this.#addRecord(record, name, number, isSegment),
          damage: (damage) => {
            this.#files.damage.push(damage)
            this.#noteLogGap(number, damage.end ?? Number.POSITIVE_INFINITY)
          },
        }),
      )
      if (!isDone) this.#noteLogGap(number, Number.POSITIVE_INFINITY)
    }
    this.#streams.addUnnamed(this.#map, (key) => !this.hasManifest || this.#isIn(key, () => true))
  }

  /** The newest value of each key, in the order of their places; after {@link readSlices}. @param signal ends it */
  async *entries(signal?: AbortSignal): AsyncGenerator<SalvagedEntry, void> {
    const live: string[] = []
    for (const [key, state] of this.#map.entries()) {
      if (state.isDeleted || this.#ranges.hides(key, state.sequence)) this.#deletedKeys++
      else live.push(key)
    }
    const placeOf = (key: string): ValuePlace | undefined => this.#map.get(key)!.places[0]
    live.sort((left, right) => comparePlaces(placeOf(left), placeOf(right)))
    for (const text of live) {
      const { places, sequence, origin, mayBeStale, expiresAt } = this.#map.get(text)!
      const key = Buffer.from(text, 'latin1')
      let reason = 'no file holds its record'
      let value: SalvagedEntry['value'] | undefined
      for (const place of places) {
        const found =
          place.kind === 'stream'
            ? await this.#streams.prove(place, signal)
            : this.#values.read(place, key, sequence)
        if (signal?.aborted) return
        if (typeof found === 'string') reason = found
        else value = found
        if (value) break
      }
      const isBelowLost =
        this.#isIn(key, (range) => sequence < range.largestSequence) && origin === 'table'
      if (value) yield { key, value, expiresAt, origin, mayBeStale: mayBeStale || isBelowLost }
      else if (reason === HOLE && origin === 'log' && mayBeStale) this.#emptiedKeys++
      else this.#lost.push({ key, sequence, reason })
    }
  }

  close(): void {
    this.#values.close()
  }

  /** Reads a file; what fails is noted, and the rest goes on. @returns true if it came to its end */
  *#guarded(
    name: string,
    read: (file: File) => Generator<number, void>,
  ): Generator<number, boolean> {
    let file: File | undefined
    try {
      file = this.#fileSystem.open(joinPath(this.#files.directory, name), 'read')
      yield* read(file)
      return true
    } catch (error) {
      this.#files.damage.push(damageOf(name, error))
      return false
    } finally {
      file?.close()
    }
  }

  *#readTable(
    number: FileNumber,
    meta: TableMeta | undefined,
    mayBeStale: boolean,
  ): Generator<number, void> {
    const name = tableName(number)
    const isDone = yield* this.#guarded(name, (file) =>
      readTable(file, number, this.#files.databaseId, meta && lostOf(meta), {
        entry: (entry, offset) => this.#addEntry(entry, name, offset, mayBeStale),
        range: (fragment) => this.#ranges.add(fragment),
        lost: (range) => this.#lostRanges.push(range),
        damage: (damage) => this.#files.damage.push(damage),
      }),
    )
    if (!isDone && meta) this.#lostRanges.push(lostOf(meta))
  }

  #addEntry(entry: Entry, file: string, offset: number, mayBeStale: boolean): void {
    const { keyBytes, keyEnd, kind, sequence, expiresAt } = entry
    if (mayBeStale && !this.#mayBeLost(keyBytes, 0, keyEnd, sequence)) return
    const place: ValuePlace | undefined =
      kind === KIND.inline
        ? {
            kind: 'inline',
            file,
            offset,
            length: entry.valueEnd - entry.valueStart,
            checksum: checksum(entry.valueBytes.subarray(entry.valueStart, entry.valueEnd)),
          }
        : kind === KIND.pointer
          ? this.#streams.placeOf(entry.segment, keyBytes.subarray(0, keyEnd))
          : undefined
    const isDeleted = isGone(entry, wallTime())
    const state = { sequence, origin: 'table', mayBeStale, isDeleted, expiresAt } as const
    this.#map.add(keyString(keyBytes, 0, keyEnd), state, place)
  }

  #addRecord(record: ScannedRecord, file: string, number: FileNumber, isSegment: boolean): void {
    const { header, offset, keyBytes, keyStart, keyEnd, expiresAt } = record
    const key = keyString(keyBytes, keyStart, keyEnd)
    const { sequence, length } = header
    if (header.kind === RECORD_KIND.deleteRange) {
      this.#addRange(record, file)
      return
    }
    const isBehind = isSegment && this.#isBehindCheckpoint(number, offset)
    const isWanted =
      isBehind ||
      this.#map.get(key)?.sequence === sequence ||
      this.#mayBeLost(keyBytes, keyStart, keyEnd, sequence)
    if (!isWanted) return
    const isDeleted = header.kind === RECORD_KIND.delete || hasExpired(expiresAt, wallTime())
    const inFile: ValuePlace = { kind: 'record', file, offset, length, checksum: 0 }
    const isStream = header.kind === RECORD_KIND.putStream
    const place = isStream
      ? this.#namedStream(inFile, header, keyBytes.slice(keyStart, keyEnd))
      : inFile
    const state = { sequence, origin: 'log', mayBeStale: !isBehind, isDeleted, expiresAt } as const
    this.#map.add(key, state, isDeleted ? undefined : place)
  }

  /** What was deleted stays so, wherever the record lies. One that cannot be read may have deleted all behind it. */
  #addRange({ header, offset, keyBytes, keyStart, keyEnd }: ScannedRecord, file: string): void {
    const start = keyBytes.slice(keyStart, keyEnd)
    const { sequence } = header
    const bytes = this.#values.bytes(file, offset, header.length)
    const isProved = bytes.length === header.length && proveRecord(bytes, 0, header) === undefined
    if (isProved) this.#ranges.add(writtenFragment(start, bytes.slice(header.headBytes), sequence))
    else {
      const lost = { smallestKey: start, largestKey: undefined }
      this.#lostRanges.push({ ...lost, smallestSequence: sequence, largestSequence: sequence })
    }
  }

  /** The stream that a record names. */
  #namedStream(
    { file, offset, length }: ValuePlace,
    { headBytes }: ScannedRecord['header'],
    key: Uint8Array,
  ): ValuePlace | undefined {
    const bytes = this.#values.bytes(file, offset, length)
    const header = readRecordHeader(bytes, 0, length)
    if (!header || proveRecord(bytes, 0, header) !== undefined) return undefined
    return this.#streams.placeOf(decodeStreamValue(bytes.subarray(headBytes)).number, key)
  }

  /**
   * True if the manifest says that no table has the record yet. Segments behind the last one that it knows count, too:
   * a manifest whose last edits are gone looks as if they had never been.
   */
  #isBehindCheckpoint(number: FileNumber, offset: number): boolean {
    const { version, ordinals } = this.#files
    const ordinal = ordinals.get(number)
    if (version === undefined || ordinal === undefined) return false
    const isKnown = version.files.has(number) || ordinal > (version.log.last?.[0] ?? 0)
    return isKnown && compareLogPositions({ ordinal, offset }, version.checkpoint) >= 0
  }

  /** Bytes of a segment up to `end` cannot be read. */
  #noteLogGap(number: FileNumber, end: number): void {
    const file = this.#files.version?.files.get(number)
    const last = file?.role === 'log' && file.seal ? Math.min(end, file.seal.length) : end
    if (this.#isBehindCheckpoint(number, last - 1)) this.#hasLogGap = true
  }

  /** True if a lost part of a table may have held this write; always, if nobody knows the tables. */
  #mayBeLost(bytes: Uint8Array, start: number, end: number, sequence: Sequence): boolean {
    if (this.#files.version === undefined) return true
    if (this.#lostRanges.length === 0) return false
    return this.#isIn(
      bytes.subarray(start, end),
      (range) => sequence >= range.smallestSequence && sequence <= range.largestSequence,
    )
  }

  #isIn(key: Uint8Array, also: (range: LostWrites) => boolean): boolean {
    return this.#lostRanges.some(
      (range) =>
        also(range) &&
        compareBytes(key, range.smallestKey) >= 0 &&
        (range.largestKey === undefined || compareBytes(key, range.largestKey) <= 0),
    )
  }

  #noteMissingFiles(tables: ReadonlyMap<number, TableMeta>): void {
    const { version, damage } = this.#files
    const note = (file: string): number =>
      damage.push({ file, offset: undefined, end: undefined, reason: 'file is missing' })
    for (const meta of tables.values()) {
      if (this.#files.tables.includes(meta.number)) continue
      note(tableName(meta.number))
      this.#lostRanges.push(lostOf(meta))
    }
    const logFiles = new Set(this.#files.logFiles)
    for (const { number, role } of version?.files.values() ?? []) {
      if (logFiles.has(number)) continue
      note(segmentName(number))
      if (role === 'log') this.#noteLogGap(number, Number.POSITIVE_INFINITY)
    }
  }
}
