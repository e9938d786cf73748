/**
 * A second implementation of the formats, for reading: written from vlog/FORMAT.md and lib/tree/FORMAT.md alone, it
 * shares no code with the store. Simple and slow: it reads everything, proves everything, and gives the
 * live pairs of a closed or crashed database, or throws. As a program it prints them:
 *
 *   node dist/test/format/second-reader.js DIRECTORY
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { crc32 } from 'node:zlib'
import { type LogFile, Manifest, type Table } from './second-reader-manifest.ts'
import {
  type Entry,
  type Frame,
  frameAt,
  framesBehind,
  identityBytes,
  isBefore,
  must,
  mustKnow,
  NewerVersion,
  type Position,
  readHead,
  readRecord,
  u64,
} from './second-reader-parts.ts'
import { relocationPlaces } from './second-reader-relocations.ts'
import { readStream, type Stream } from './second-reader-streams.ts'
import { type TableFragment, tableEntries } from './second-reader-tables.ts'

const LINES = String.raw`((?:(?:may|must) .+\n)*)`
const CURRENT_TEXT: RegExp = new RegExp(
  String.raw`^(wisc 2\nmanifest (MANIFEST-\d{6,})\ndatabase ([0-9a-f]{32})\n${LINES})checksum ([0-9a-f]{8})\n$`,
)

/**
 * All live pairs, in key order. @throws Error for anything that the formats do not allow
 * @param moment what has expired by then does not live
 */
export function readDatabase(directory: string, moment: number = Date.now()): [Buffer, Buffer][] {
  return new Reader(directory).livePairs(moment)
}

class Reader {
  readonly #directory: string
  #databaseId: Buffer = Buffer.alloc(0)
  readonly #manifest: Manifest = new Manifest()
  readonly #places: Map<number, Map<string, number>> = new Map()
  readonly #streams: Map<number, Stream> = new Map()
  readonly #files: Map<string, Buffer> = new Map()
  #namedEdit = 0
  readonly #newest: Map<string, Entry> = new Map()
  readonly #ranges: TableFragment[] = []

  constructor(directory: string) {
    this.#directory = directory
  }

  livePairs(moment: number): [Buffer, Buffer][] {
    const name = this.#readCurrent()
    const bytes = this.#file(name)
    this.#manifest.read(bytes, this.#seed(bytes, name, 1), name)
    for (const file of this.#manifest.logFiles.values()) {
      if (file.isStream) this.#readStream(file)
      else if (file.ordinal === undefined) this.#readRelocation(file)
    }
    for (const tables of this.#manifest.levels.values())
      for (const table of tables.values()) this.#readTable(table)
    this.#readLog()
    must(
      this.#namedEdit <= this.#manifest.lastEdit,
      'manifest ends before an edit that a frame names',
    )
    const live = [...this.#newest.values()].filter(
      (entry) =>
        entry.value !== undefined &&
        !this.#isDeleted(entry) &&
        !(entry.expiresAt > 0 && entry.expiresAt <= moment),
    )
    live.sort((left, right) => Buffer.compare(left.key, right.key))
    return live.map(({ key, value }) => [key, value!])
  }

  #file(name: string): Buffer {
    const known = this.#files.get(name)
    if (known) return known
    const bytes = readFileSync(join(this.#directory, name))
    this.#files.set(name, bytes)
    return bytes
  }

  /** F-M9. @returns the name of the manifest */
  #readCurrent(): string {
    const text = this.#file('CURRENT').toString('latin1')
    mustKnow(/^wisc 2$/m.test(text) || !/^wisc \d+$/m.test(text), 'CURRENT')
    const match = CURRENT_TEXT.exec(text)
    must(match !== null, 'CURRENT is malformed')
    must(crc32(Buffer.from(match[1]!)) === Number.parseInt(match[5]!, 16), 'CURRENT: checksum')
    mustKnow(!/^must /m.test(match[4]!), 'CURRENT')
    this.#databaseId = Buffer.from(match[3]!, 'hex')
    return match[2]!
  }

  /** Section 2 of vlog/FORMAT.md. @returns the file's seed */
  #seed(bytes: Buffer, name: string, kind: number, salt?: number): number {
    must(bytes.length >= 64 && bytes.toString('hex', 0, 8) === '776973630d0a1a0a', `${name}: magic`)
    must(bytes.readUInt32LE(60) === crc32(bytes.subarray(0, 60)), `${name}: header checksum`)
    mustKnow(bytes.readUInt16LE(8) === 2 && bytes.readUInt16LE(14) === 0, `${name}: header`)
    mustKnow(bytes[10]! > 0 && bytes[10]! <= 6 && bytes[11] === 0, `${name}: kind or cipher`)
    const number = u64(bytes, 48)
    must(bytes[10] === kind && number === Number(/\d+/.exec(name)![0]), `${name}: kind or number`)
    must(this.#databaseId.equals(bytes.subarray(16, 32)), `${name}: another database`)
    must(salt === undefined || salt === bytes.readUInt32LE(56), `${name}: another salt`)
    return crc32(Buffer.concat([bytes.subarray(16, 32), bytes.subarray(48, 60)]))
  }

  #isDeleted({ key, sequence }: Entry): boolean {
    return this.#ranges.some(
      ({ start, end, sequence: newer }) =>
        newer > sequence &&
        Buffer.compare(start, key) <= 0 &&
        (end === undefined || Buffer.compare(key, end) < 0),
    )
  }

  #offer(entry: Entry): void {
    if (entry.isRange) {
      const { key: start, value, sequence } = entry
      const end = value!.length === 0 ? undefined : value
      must(end === undefined || Buffer.compare(start, end) < 0, 'a record deletes an empty range')
      this.#ranges.push({ start, end, sequence })
      return
    }
    const key = entry.key.toString('latin1')
    const known = this.#newest.get(key)
    if (!known || known.sequence < entry.sequence) this.#newest.set(key, entry)
  }

  #readTable(table: Table): void {
    const name = `${String(table.number).padStart(6, '0')}.sst`
    const bytes = this.#file(name)
    must(bytes.length === table.bytes, `${name}: length`)
    const seed = this.#seed(bytes, name, 2)
    const { evictedBelow } = this.#manifest
    const addRange = (fragment: TableFragment): void => {
      if (fragment.sequence >= evictedBelow) this.#ranges.push(fragment)
    }
    for (const entry of tableEntries(bytes, seed, name, table, addRange)) {
      const { key, sequence, pointer, expiresAt } = entry
      // F-M8a
      if (sequence < evictedBelow) continue
      let { value } = entry
      if (pointer) {
        const { segment, offset, length } = pointer
        const stream = this.#streams.get(segment)
        if (stream) {
          const isIts = offset === 64 && length === 40 + key.length + stream.value.length
          must(isIts && stream.key.equals(key), 'a pointer leads to another stream')
          this.#offer({ key, sequence, value: stream.value, expiresAt })
          continue
        }
        const there = this.#recordBytes(segment, offset, length)
        const record = readRecord(there, sequence)
        const isOurs = record.length === length && record.entry.key.equals(key)
        must(isOurs, 'a pointer leads elsewhere')
        must(record.entry.expiresAt === expiresAt, 'a record expires at another moment')
        value = record.entry.value
      }
      this.#offer({ key, sequence, value, expiresAt })
    }
  }

  /** Section 10 of vlog/FORMAT.md. */
  #readStream({ number, salt, length }: LogFile): void {
    const name = `${String(number).padStart(6, '0')}.vlog`
    const bytes = this.#file(name)
    must(bytes.length === length, `${name}: length`)
    this.#streams.set(number, readStream(bytes, this.#seed(bytes, name, 6, salt), name))
  }

  /** F-V31 */
  #streamOf({ key, sequence, value, expiresAt }: Entry): Entry {
    const stream = this.#streams.get(u64(value!, 0))
    must(stream?.key.equals(key) === true, 'a record names no stream of its key')
    const isIts =
      stream.value.length === u64(value!, 8) && stream.tableChecksum === value!.readUInt32LE(16)
    must(isIts, 'a record names another stream')
    return { key, sequence, value: stream.value, expiresAt }
  }

  /** Section 9 of vlog/FORMAT.md. */
  #readRelocation({ number, salt, length, parts }: LogFile): void {
    const name = `${String(number).padStart(6, '0')}.vlog`
    const bytes = this.#file(name)
    must(bytes.length === length, `${name}: length`)
    const kept = parts.filter(({ segment }) => this.#manifest.holders.get(segment) === number)
    const places = relocationPlaces(bytes, this.#seed(bytes, name, 5, salt), name, kept)
    this.#places.set(number, places)
  }

  #recordBytes(segment: number, offset: number, length: number): Buffer {
    const holder = this.#manifest.holders.get(segment)
    must(holder !== undefined, 'a pointer names no segment')
    const bytes = this.#logFileBytes(holder)
    if (holder === segment) return bytes.subarray(offset, offset + length)
    const place = this.#places.get(holder)?.get(`${segment}/${offset}`)
    must(place !== undefined, 'a relocation does not hold what a pointer names')
    return bytes.subarray(place, place + length)
  }

  #logFileBytes(number: number): Buffer {
    const name = `${String(number).padStart(6, '0')}.vlog`
    const file = this.#manifest.logFiles.get(number)
    must(file !== undefined, `${name} is not in the version`)
    must(existsSync(join(this.#directory, name)), `${name} is missing`)
    const bytes = this.#file(name)
    if (bytes.length > 0) this.#seed(bytes, name, file.ordinal === undefined ? 5 : 3)
    return bytes
  }

  /** Section 7 of vlog/FORMAT.md. */
  #readLog(): void {
    const log = [...this.#manifest.logFiles.values()].flatMap(({ ordinal, ...file }) =>
      ordinal === undefined ? [] : [{ ordinal, ...file }],
    )
    log.sort((left, right) => left.ordinal - right.ordinal)
    // Without its file the checkpoint itself says how far the log goes at least.
    const isCollected = !log.some(({ ordinal }) => ordinal === this.#manifest.checkpoint.ordinal)
    let end: Position = isCollected ? this.#manifest.checkpoint : { ordinal: 0, offset: 0 }
    let ended = false
    for (const { number, ordinal, salt, sealed } of log) {
      if (sealed && !isBefore(this.#manifest.checkpoint, { ordinal, offset: sealed.length })) {
        const sealedEnd = { ordinal, offset: sealed.length }
        if (isBefore(end, sealedEnd)) end = sealedEnd
        continue
      }
      const bytes = this.#logFileBytes(number).subarray(0, sealed?.length)
      const name = `${String(number).padStart(6, '0')}.vlog`
      must(!sealed || bytes.length === sealed.length, `${name}: shorter than its seal`)
      const seed = crc32(identityBytes(this.#databaseId, number, salt))
      let at = 0
      if (!ended && bytes.length > 0) {
        const follows = this.#chainFollows(bytes, name, salt, ordinal, end, sealed !== undefined)
        at = follows ? this.#walk(bytes, seed, ordinal) : 0
        if (at > 0) end = { ordinal, offset: at }
      }
      if (at < bytes.length || bytes.length === 0) ended = true
      must(!sealed || at === sealed.length, `${name}: damaged at ${at}`)
      for (const frame of framesBehind(bytes, seed, 0)) {
        this.#mustKnowRecords(bytes, frame)
        this.#manifest.prove(frame.durable)
        this.#namedEdit = Math.max(this.#namedEdit, frame.durableEdit)
      }
    }
    must(
      !isBefore(end, this.#manifest.proved),
      `log ends at ${end.ordinal}/${end.offset} before its proved end`,
    )
  }

  /** F-V19, also behind damage: as far as heads prove themselves. */
  #mustKnowRecords(bytes: Buffer, { offset, length, recordCount }: Frame): void {
    let at = offset + 64
    try {
      for (let i = 0; i < recordCount; i++) {
        at += readHead(bytes.subarray(at, offset + length)).length
      }
    } catch (error) {
      if (error instanceof NewerVersion) throw error
    }
  }

  #chainFollows(
    bytes: Buffer,
    name: string,
    salt: number,
    ordinal: number,
    end: Position,
    sealed: boolean,
  ): boolean {
    try {
      const seed = this.#seed(bytes, name, 3, salt)
      must(
        bytes.length >= 96 && bytes.readUInt32LE(92) === crc32(bytes.subarray(64, 92), seed),
        `${name}: chain`,
      )
      mustKnow(bytes.readUInt16LE(90) === 0, `${name}: chain`)
      const [predecessor, length] = [bytes.readUInt32LE(64), u64(bytes, 72)]
      must(bytes.readUInt32LE(68) === ordinal, `${name}: another ordinal`)
      const isGone = predecessor > end.ordinal && predecessor <= this.#manifest.checkpoint.ordinal
      must(
        isGone || (predecessor === end.ordinal && length === end.offset),
        `${name} does not follow`,
      )
      return true
    } catch (error) {
      if (sealed || error instanceof NewerVersion) throw error
      return false
    }
  }

  /** Walks the frames of a segment. @returns where the first invalid byte lies */
  #walk(bytes: Buffer, seed: number, ordinal: number): number {
    let at = 96
    let next = u64(bytes, 80)
    for (;;) {
      const frame = frameAt(bytes, seed, at)
      if (!frame || frame.firstSequence !== next || at + frame.length > bytes.length) return at
      const entries: Entry[] = []
      let offset = at + 64
      try {
        for (let i = 0; i < frame.recordCount; i++) {
          const record = readRecord(bytes.subarray(offset, at + frame.length), next + i)
          entries.push(record.entry)
          offset += record.length
        }
      } catch (error) {
        if (error instanceof NewerVersion) throw error
        return at
      }
      if (offset !== at + frame.length) return at
      next += frame.recordCount
      if (!isBefore({ ordinal, offset: at }, this.#manifest.checkpoint)) {
        for (const entry of entries) this.#offer(entry.isStream ? this.#streamOf(entry) : entry)
      }
      at = offset
    }
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const [key, value] of readDatabase(process.argv[2]!)) {
    console.log(
      `${JSON.stringify(key.toString('latin1'))} ${value.length} ${value.toString('hex')}`,
    )
  }
}
