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
import {
  checksum,
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
  Varints,
} from './second-reader-parts.ts'
import { type Part, relocationPlaces } from './second-reader-relocations.ts'
import { tableEntries } from './second-reader-tables.ts'

interface Segment {
  readonly number: number
  readonly salt: number
  sealed: { length: number; lastSequence: number } | undefined
  /** The relocation that holds what survives of it. */
  holder: number | undefined
}

interface Relocation {
  readonly number: number
  readonly salt: number
  readonly length: number
  readonly parts: readonly Part[]
}

const LINES = String.raw`((?:(?:may|must) .+\n)*)`
const CURRENT_TEXT: RegExp = new RegExp(
  String.raw`^(wisc 2\nmanifest (MANIFEST-\d{6,})\ndatabase ([0-9a-f]{32})\n${LINES})checksum ([0-9a-f]{8})\n$`,
)

type Table = Record<'number' | 'bytes' | 'entries', number>

/** All live pairs, in key order. @throws Error for anything that the formats do not allow */
export function readDatabase(directory: string): [Buffer, Buffer][] {
  return new Reader(directory).livePairs()
}

class Reader {
  readonly #directory: string
  #databaseId: Buffer = Buffer.alloc(0)
  readonly #levels: Map<string, Map<number, Table>> = new Map()
  readonly #segments: Map<number, Segment> = new Map()
  readonly #relocations: Map<number, Relocation> = new Map()
  /** Relocations that have gone, and the one that holds what survives of each. */
  readonly #formerRelocations: Map<number, number> = new Map()
  readonly #places: Map<number, Map<string, number>> = new Map()
  readonly #files: Map<string, Buffer> = new Map()
  #checkpoint: Position = { segment: 0, offset: 0 }
  #proved: Position = { segment: 0, offset: 0 }
  #lastEdit = 0
  #namedEdit = 0
  readonly #newest: Map<string, Entry> = new Map()

  constructor(directory: string) {
    this.#directory = directory
  }

  livePairs(): [Buffer, Buffer][] {
    this.#readManifest(this.#readCurrent())
    for (const relocation of this.#relocations.values()) this.#readRelocation(relocation)
    for (const tables of this.#levels.values())
      for (const table of tables.values()) this.#readTable(table)
    this.#readLog()
    must(this.#namedEdit <= this.#lastEdit, 'manifest ends before an edit that a frame names')
    const live = [...this.#newest.values()].filter(({ value }) => value !== undefined)
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
    mustKnow(bytes[10]! > 0 && bytes[10]! <= 5 && bytes[11] === 0, `${name}: kind or cipher`)
    const number = u64(bytes, 48)
    must(bytes[10] === kind && number === Number(/\d+/.exec(name)![0]), `${name}: kind or number`)
    must(this.#databaseId.equals(bytes.subarray(16, 32)), `${name}: another database`)
    must(salt === undefined || salt === bytes.readUInt32LE(56), `${name}: another salt`)
    return crc32(Buffer.concat([bytes.subarray(16, 32), bytes.subarray(48, 60)]))
  }

  /** Section 3 of lib/tree/FORMAT.md. */
  #readManifest(name: string): void {
    const bytes = this.#file(name)
    const seed = this.#seed(bytes, name, 1)
    let at = 64
    for (;;) {
      const frame = frameAt(bytes, seed, at)
      if (!frame || frame.length < 68 || at + frame.length > bytes.length) break
      const edit = bytes.subarray(at + 68, at + frame.length)
      if ((checksum(edit) ^ bytes.readUInt32LE(at + 4)) >>> 0 !== bytes.readUInt32LE(at + 64)) break
      must(
        this.#lastEdit === 0 || frame.firstSequence === this.#lastEdit + 1,
        `${name}: edit numbers`,
      )
      this.#applyEdit(edit)
      this.#lastEdit = frame.firstSequence
      at += frame.length
    }
    must(this.#lastEdit > 0, `${name}: no first edit`)
    for (const frame of framesBehind(bytes, seed, at)) {
      const promises = frame.durable.offset > at || frame.durableEdit > this.#lastEdit
      must(!promises, `${name}: damaged at ${at}`)
    }
  }

  #applyEdit(edit: Buffer): void {
    for (const fields = new Varints(edit); !fields.done; ) {
      const tag = fields.next()
      const field = new Varints(fields.take(fields.next()))
      if (tag === 6) this.#checkpoint = { segment: field.next(), offset: field.next() }
      else if (tag === 8 || tag === 10) this.#prove({ segment: field.next(), offset: field.next() })
      else if (tag === 12) this.#removeTable(field.next())
      else if (tag === 14) this.#addTable(field)
      else if (tag === 16) {
        const number = field.next()
        const salt = field.next()
        this.#segments.set(number, { number, salt, sealed: undefined, holder: undefined })
      } else if (tag === 18) {
        const segment = this.#segments.get(field.next())
        must(segment !== undefined && !segment.sealed, 'an edit seals no open segment')
        segment.sealed = { length: field.next(), lastSequence: field.next() }
      } else if (tag === 20) {
        const number = field.next()
        const isKnown = this.#segments.delete(number) || this.#formerRelocations.delete(number)
        must(isKnown, 'an edit removes an unknown segment')
      } else if (tag === 22) this.#addRelocation(field)
      else if (tag === 24)
        must(this.#relocations.delete(field.next()), 'an edit removes an unknown relocation')
      else must(tag === 2 || tag === 4 || tag % 2 === 1, `unknown field ${tag}`)
    }
  }

  #addTable(field: Varints): void {
    const place = `${field.next()}/${field.next()}`
    const [number, bytes, entries] = [field.next(), field.next(), field.next()]
    const run = this.#levels.get(place) ?? new Map<number, Table>()
    this.#levels.set(place, run.set(number, { number, bytes, entries }))
  }

  #addRelocation(field: Varints): void {
    const [number, salt, length] = [field.next(), field.next(), field.next()]
    const parts: Part[] = []
    for (let count = field.next(); count > 0; count--) {
      parts.push({ segment: field.next(), records: field.next(), bytes: field.next() })
    }
    for (const { segment } of parts) {
      const state = this.#segments.get(segment)
      must(!state || state.sealed !== undefined, 'a relocation holds a segment that is not sealed')
      if (state) state.holder = number
      else this.#formerRelocations.set(segment, number)
    }
    this.#relocations.set(number, { number, salt, length, parts })
  }

  #removeTable(number: number): void {
    must(
      [...this.#levels.values()].some((run) => run.delete(number)),
      'an edit removes an unknown table',
    )
  }

  #prove(position: Position): void {
    if (isBefore(this.#proved, position)) this.#proved = position
  }

  #offer(entry: Entry): void {
    const key = entry.key.toString('latin1')
    const known = this.#newest.get(key)
    if (!known || known.sequence < entry.sequence) this.#newest.set(key, entry)
  }

  #readTable(table: Table): void {
    const name = `${String(table.number).padStart(6, '0')}.sst`
    const bytes = this.#file(name)
    must(bytes.length === table.bytes, `${name}: length`)
    for (const entry of tableEntries(bytes, this.#seed(bytes, name, 2), name, table.entries)) {
      const { key, sequence, pointer } = entry
      let { value } = entry
      if (pointer) {
        const { segment, offset, length } = pointer
        const there = this.#recordBytes(segment, offset, length)
        const record = readRecord(there, sequence)
        const isOurs = record.length === length && record.entry.key.equals(key)
        must(isOurs, 'a pointer leads elsewhere')
        value = record.entry.value
      }
      this.#offer({ key, sequence, value })
    }
  }

  /** Section 9 of vlog/FORMAT.md. */
  #readRelocation({ number, salt, length, parts }: Relocation): void {
    const name = `${String(number).padStart(6, '0')}.vlog`
    const bytes = this.#file(name)
    must(bytes.length === length, `${name}: length`)
    const kept = parts.filter(({ segment }) => this.#holderOf(segment) === number)
    must(!this.#formerRelocations.has(number), `${name}: another relocation holds it`)
    const places = relocationPlaces(bytes, this.#seed(bytes, name, 5, salt), name, kept)
    this.#places.set(number, places)
  }

  #holderOf(segment: number): number | undefined {
    return this.#segments.get(segment)?.holder ?? this.#formerRelocations.get(segment)
  }

  #recordBytes(segment: number, offset: number, length: number): Buffer {
    const holder = this.#holderOf(segment)
    if (holder === undefined) return this.#segmentBytes(segment).subarray(offset, offset + length)
    const place = this.#places.get(holder)?.get(`${segment}/${offset}`)
    must(place !== undefined, 'a relocation does not hold what a pointer names')
    return this.#file(`${String(holder).padStart(6, '0')}.vlog`).subarray(place, place + length)
  }

  #segmentBytes(number: number): Buffer {
    const name = `${String(number).padStart(6, '0')}.vlog`
    const isKnown = this.#segments.has(number) || this.#relocations.has(number)
    must(isKnown, `${name} is not in the version`)
    must(existsSync(join(this.#directory, name)), `${name} is missing`)
    const bytes = this.#file(name)
    if (bytes.length > 0) this.#seed(bytes, name, this.#relocations.has(number) ? 5 : 3)
    return bytes
  }

  /** Section 7 of vlog/FORMAT.md. */
  #readLog(): void {
    // Without its segment the checkpoint itself says how far the log goes at least.
    const isCollected = !this.#segments.has(this.#checkpoint.segment)
    let end: Position = isCollected ? this.#checkpoint : { segment: 0, offset: 0 }
    let ended = false
    for (const { number, salt, sealed } of [...this.#segments.values()].sort(
      (a, b) => a.number - b.number,
    )) {
      if (sealed && !isBefore(this.#checkpoint, { segment: number, offset: sealed.length })) {
        const sealedEnd = { segment: number, offset: sealed.length }
        if (isBefore(end, sealedEnd)) end = sealedEnd
        continue
      }
      const bytes = this.#segmentBytes(number).subarray(0, sealed?.length)
      const name = `${String(number).padStart(6, '0')}.vlog`
      must(!sealed || bytes.length === sealed.length, `${name}: shorter than its seal`)
      const seed = crc32(identityBytes(this.#databaseId, number, salt))
      let at = 0
      if (!ended && bytes.length > 0) {
        const follows = this.#chainFollows(bytes, name, salt, end, sealed !== undefined)
        at = follows ? this.#walk(bytes, seed, number) : 0
        if (at > 0) end = { segment: number, offset: at }
      }
      if (at < bytes.length || bytes.length === 0) ended = true
      must(!sealed || at === sealed.length, `${name}: damaged at ${at}`)
      for (const frame of framesBehind(bytes, seed, 0)) {
        this.#mustKnowRecords(bytes, frame)
        this.#prove(frame.durable)
        this.#namedEdit = Math.max(this.#namedEdit, frame.durableEdit)
      }
    }
    must(
      !isBefore(end, this.#proved),
      `log ends at ${end.segment}/${end.offset} before its proved end`,
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
      const [predecessor, length] = [u64(bytes, 64), u64(bytes, 72)]
      const isGone = predecessor > end.segment && predecessor <= this.#checkpoint.segment
      must(
        isGone || (predecessor === end.segment && length === end.offset),
        `${name} does not follow`,
      )
      return true
    } catch (error) {
      if (sealed || error instanceof NewerVersion) throw error
      return false
    }
  }

  /** Walks the frames of a segment. @returns where the first invalid byte lies */
  #walk(bytes: Buffer, seed: number, number: number): number {
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
      if (!isBefore({ segment: number, offset: at }, this.#checkpoint)) {
        for (const entry of entries) this.#offer(entry)
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
