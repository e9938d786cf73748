/** The second reader's manifest: the version that its edits add up to (lib/tree/FORMAT.md alone). */
import {
  checksum,
  frameAt,
  framesBehind,
  isBefore,
  must,
  mustKnow,
  type Position,
  readExtensions,
  Varints,
} from './second-reader-parts.ts'
import type { Part } from './second-reader-relocations.ts'

/** A file of the value log, as the manifest knows it. */
export interface LogFile {
  readonly number: number
  readonly salt: number
  /** Its place in the log; undefined: a relocation or a stream. */
  readonly ordinal: number | undefined
  sealed: { length: number; lastSequence: number } | undefined
  readonly isStream: boolean
  /** Of a relocation or a stream. */
  readonly length: number
  readonly parts: readonly Part[]
}

export type Table = Record<'number' | 'bytes' | 'entries' | 'fragments', number>

export class Manifest {
  readonly levels: Map<string, Map<number, Table>> = new Map()
  readonly logFiles: Map<number, LogFile> = new Map()
  /** Which file holds a segment. */
  readonly holders: Map<number, number> = new Map()
  checkpoint: Position = { ordinal: 0, offset: 0 }
  proved: Position = { ordinal: 0, offset: 0 }
  lastEdit = 0
  /** F-M8a */
  evictedBelow = 0
  /** Frames of the first version are still to come. */
  #continues = true

  /** Section 3 of lib/tree/FORMAT.md. */
  read(bytes: Buffer, seed: number, name: string): void {
    let at = 64
    for (;;) {
      const frame = frameAt(bytes, seed, at)
      if (!frame || frame.length < 68 || at + frame.length > bytes.length) break
      const edit = bytes.subarray(at + 68, at + frame.length)
      if ((checksum(edit) ^ bytes.readUInt32LE(at + 4)) >>> 0 !== bytes.readUInt32LE(at + 64)) break
      // F-M2, F-M3
      const isFirst = this.#continues
      const due = this.lastEdit + (isFirst ? 0 : 1)
      must(this.lastEdit === 0 || frame.firstSequence === due, `${name}: edit numbers`)
      this.#continues = false
      this.#applyEdit(edit, isFirst)
      must(isFirst || !this.#continues, `${name}: edit ${due} continues`)
      this.lastEdit = frame.firstSequence
      at += frame.length
    }
    must(this.lastEdit > 0 && !this.#continues, `${name}: no first version`)
    for (const frame of framesBehind(bytes, seed, at)) {
      const promises = frame.durable.offset > at || frame.durableEdit > this.lastEdit
      must(!promises, `${name}: damaged at ${at}`)
    }
  }

  #applyEdit(edit: Buffer, isFirst: boolean): void {
    const left = new Set<number>()
    for (const fields = new Varints(edit); !fields.done; ) {
      const tag = fields.next()
      const field = new Varints(fields.take(fields.next()))
      if (tag === 6) this.checkpoint = { ordinal: field.next(), offset: field.next() }
      else if (tag === 8 || tag === 10) this.prove({ ordinal: field.next(), offset: field.next() })
      else if (tag === 12) this.#continues = true
      else if (tag === 14) this.evictedBelow = Math.max(this.evictedBelow, field.next())
      else if (tag === 18) this.#removeTable(field.next())
      else if (tag === 20) this.#addTable(field)
      else if (tag === 22) {
        const segment = field.next()
        must(this.holders.has(segment), 'an edit removes an unknown segment')
        left.add(this.holders.get(segment)!)
        this.holders.delete(segment)
      } else if (tag === 24) this.#addFile(field, isFirst, left)
      else if (tag === 26) {
        const file = this.logFiles.get(field.next())
        must(file?.ordinal !== undefined && !file.sealed, 'an edit seals no open file')
        file.sealed = { length: field.next(), lastSequence: field.next() }
      } else mustKnow(tag === 2 || tag === 4 || tag % 2 === 1, `field ${tag}`)
    }
    // F-M6a
    for (const number of left) {
      if (this.holders.get(number) === number) continue
      must(![...this.holders.values()].includes(number), 'a file goes before what it holds')
      this.logFiles.delete(number)
    }
  }

  #addTable(field: Varints): void {
    const place = `${field.next()}/${field.next()}`
    const [number, bytes, entries] = [field.next(), field.next(), field.next()]
    for (let i = 0; i < 4; i++) field.next()
    field.take(field.next())
    field.take(field.next())
    const known = readExtensions(field, [24, 26])
    must(known.has(24) || entries > 0, 'a table without entries')
    const fragments = known.has(26) ? new Varints(known.get(26)!).next() : 0
    const run = this.levels.get(place) ?? new Map<number, Table>()
    this.levels.set(place, run.set(number, { number, bytes, entries, fragments }))
  }

  #addFile(field: Varints, isFirst: boolean, left: Set<number>): void {
    const [number, salt, role] = [field.next(), field.next(), field.next()]
    mustKnow(role <= 2, `role of file ${number}`)
    must(!this.holders.has(number), `file ${number} is known`)
    const ordinal = role === 0 ? field.next() : undefined
    const length = role === 0 ? 0 : field.next()
    const parts: Part[] = []
    for (let count = role === 1 ? field.next() : 0; count > 0; count--) {
      parts.push({ segment: field.next(), records: field.next(), bytes: field.next() })
    }
    readExtensions(field, [])
    const isStream = role === 2
    this.logFiles.set(number, { number, salt, ordinal, sealed: undefined, isStream, length, parts })
    this.holders.set(number, number)
    for (const { segment } of parts) {
      const holder = this.holders.get(segment)
      must((holder === undefined) === isFirst && holder !== number, 'a part names no segment')
      if (holder !== undefined) left.add(holder)
      const file = holder === undefined ? undefined : this.logFiles.get(holder)
      must(file?.ordinal === undefined || file.sealed !== undefined, 'a part is not sealed')
      must(file?.isStream !== true, 'a part is a stream')
      this.holders.set(segment, number)
    }
  }

  #removeTable(number: number): void {
    must(
      [...this.levels.values()].some((run) => run.delete(number)),
      'an edit removes an unknown table',
    )
  }

  prove(position: Position): void {
    if (isBefore(this.proved, position)) this.proved = position
  }
}
