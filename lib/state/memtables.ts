/**
 * The memtables of an open store: one active, the frozen ones that wait to be flushed, and their arenas; and what
 * becomes of a record in them.
 *
 * Three arenas serve the life of the store: shared memory is freed late, and touching fresh memory costs
 * more than all that is written to it. A batch that no arena holds gets one of its own.
 */
import { RECORD_KIND } from '../../vlog/record.ts'
import { STREAM_OFFSET, streamPointerBytes } from '../../vlog/stream/stream-format.ts'
import type { StreamValue } from '../../vlog/stream/stream-value.ts'
import { assert, invalidArgument } from '../base/errors.ts'
import type { FileNumber, Sequence } from '../base/ids.ts'
import { compareLogPositions, type LogPosition } from '../base/log-position.ts'
import { INLINE_VALUE_BYTES_MAX } from '../contract/options.ts'
import { ARENA_VALUE_BYTES_MAX, Entry, KIND, type Kind } from '../tree/entry.ts'
import { ARENA_BYTES_MAX, type Arena, createArena } from '../tree/memtable/arena.ts'
import { type FrozenMemtable, Memtable } from '../tree/memtable/memtable.ts'
import { EmptyRanges } from './empty-ranges.ts'
import type { ReadableSequences } from './readable-sequences.ts'

const ARENAS = 3

/** A memtable that takes no more entries: it waits for its flush. */
export interface WaitingMemtable {
  readonly memtable: Memtable
  readonly frozen: FrozenMemtable
  /** All its records lie before this position: the checkpoint once it is flushed. */
  readonly end: LogPosition
}

export class Memtables {
  readonly #arenaBytes: number
  readonly #arenasMax: number
  /** Where scans need not look. A key that is inserted is taken out first. */
  readonly emptyRanges: EmptyRanges = new EmptyRanges()
  /** For whoever inserts one: it is filled anew for each, so that none costs an object. */
  readonly entry: Entry = new Entry()
  readonly #free: Arena[]
  #arenasMade = 0
  #active: Memtable
  #activeArena: Arena
  /** Oldest first. */
  readonly #frozen: (WaitingMemtable & {
    readonly arena: Arena
    readonly streams: ReadonlySet<FileNumber>
  })[] = []
  /** Files of streams whose records lie in the log of the active memtable. */
  #streams: Set<FileNumber> = new Set()
  /** Bytes of log since the active memtable began. */
  logBytes = 0
  /** Set while the thread pool writes a group that was promised its place in the active memtable: do not freeze it. */
  writing: Promise<void> | undefined
  #epoch = 0

  /**
   * @param arenasMax a view that only reads has no flushes: it makes as many arenas as its log needs
   * @param free arenas of this size that nobody uses: memtables that come after these take what these give back
   */
  constructor(
    arenaBytes: number,
    start: LogPosition,
    arenasMax: number = ARENAS,
    free: Arena[] = [],
  ) {
    this.#arenaBytes = wholeWords(arenaBytes)
    this.#arenasMax = arenasMax
    this.#free = free
    this.#activeArena = free.pop() ?? this.#makeArena(this.#arenaBytes)
    this.#active = new Memtable(this.#activeArena, start)
  }

  get active(): Memtable {
    return this.#active
  }

  /** The frozen memtable to flush next. */
  get oldestFrozen(): WaitingMemtable | undefined {
    return this.#frozen[0]
  }

  get newestFrozen(): WaitingMemtable | undefined {
    return this.#frozen.at(-1)
  }

  /** Every record of the log behind this position is in one of them. */
  get start(): LogPosition {
    return (this.#frozen[0]?.memtable ?? this.#active).start
  }

  /** True if some entry is in no table. */
  get hasEntries(): boolean {
    return !this.#active.isEmpty || this.#frozen.some(({ memtable }) => !memtable.isEmpty)
  }

  /** Changes whenever the list changes. */
  get epoch(): number {
    return this.#epoch
  }

  /** Those with records behind the checkpoint, newest first. The active one always counts. */
  list(checkpoint: LogPosition): Memtable[] {
    const frozen = this.#frozen.filter((table) => !isBelow(table, checkpoint))
    return [this.#active, ...frozen.map((table) => table.memtable).reverse()]
  }

  /** An entry of this key becomes visible. */
  insert(key: Uint8Array, entry: Entry): void {
    if (entry.kind !== KIND.tombstone) this.emptyRanges.put(key)
    this.#active.insert(key, entry)
  }

  /** The record of this stream is in the log of the active memtable, whatever becomes of its entry. */
  noteStream(number: FileNumber): void {
    this.#streams.add(number)
  }

  /** The record of this stream lies behind the checkpoint: a replay would want its file (I12). */
  holdsStream(number: FileNumber): boolean {
    return this.#streams.has(number) || this.#frozen.some(({ streams }) => streams.has(number))
  }

  /** Of memory. */
  get usedBytes(): number {
    return this.#frozen.reduce(
      (sum, { memtable }) => sum + memtable.usedBytes,
      this.#active.usedBytes,
    )
  }

  /** What their flushes may write. */
  get tableBytesMax(): number {
    return this.#frozen.reduce(
      (sum, { memtable }) => sum + memtable.tableBytesMax,
      this.#active.tableBytesMax,
    )
  }

  /** Memory of an arena, for a worker. */
  arenaBuffer(id: number): SharedArrayBuffer {
    const arenas = [this.#activeArena, ...this.#frozen.map((table) => table.arena), ...this.#free]
    const arena = arenas.find((candidate) => candidate.id === id)
    assert(arena !== undefined, 'a frozen memtable keeps its arena')
    return arena.buffer
  }

  /**
   * Freezes the active memtable and begins the next one, with room for at least `bytes`.
   * @param end end of the log: the next record lies behind it
   * @returns false if no arena is free: a flush has to end first
   * @throws WISC_INVALID_ARGUMENT if no arena can be that large
   */
  freeze(end: LogPosition, bytes: number): boolean {
    if (bytes > ARENA_BYTES_MAX) {
      throw invalidArgument(
        `batch is too large for a memtable bytes=${bytes} max=${ARENA_BYTES_MAX}`,
      )
    }
    const arena = this.#takeArena(bytes)
    if (arena === undefined) return false
    this.#frozen.push({
      memtable: this.#active,
      frozen: this.#active.freeze(),
      end,
      arena: this.#activeArena,
      streams: this.#streams,
    })
    this.#streams = new Set()
    this.#activeArena = arena
    this.#active = new Memtable(arena, end)
    this.logBytes = 0
    this.#epoch++
    return true
  }

  /**
   * Forgets the oldest frozen memtable, whose table is published: its arena may be used again.
   * @returns the id of an arena that is given up: it was made for one large batch, or enough others are free
   */
  dropOldest(): number | undefined {
    const flushed = this.#frozen.shift()
    assert(flushed !== undefined, 'a flushed memtable was frozen')
    this.#epoch++
    return this.#reuse(flushed.arena) ? undefined : flushed.arena.id
  }

  #reuse(arena: Arena): boolean {
    const isWanted = arena.bytes === this.#arenaBytes && this.#free.length < ARENAS
    if (isWanted) this.#free.push(arena)
    return isWanted
  }

  /** Forgets those that end at a position or before it. Requires: nobody reads them from now on. */
  dropBelow(position: LogPosition): void {
    while (this.#frozen[0] && isBelow(this.#frozen[0], position)) this.dropOldest()
  }

  /** Used in those that end at a position or before it. */
  bytesBelow(position: LogPosition): number {
    const below = this.#frozen.filter((table) => isBelow(table, position))
    return below.reduce((sum, { memtable }) => sum + memtable.usedBytes, 0)
  }

  /** Gives its arenas back. Requires: nobody reads any of it from now on. */
  giveBack(): void {
    for (const arena of [this.#activeArena, ...this.#frozen.map((table) => table.arena)]) {
      this.#reuse(arena)
    }
  }

  #takeArena(needed: number): Arena | undefined {
    if (this.#frozen.length + 1 >= this.#arenasMax) return undefined
    if (needed > this.#arenaBytes) return this.#makeArena(needed)
    return this.#free.pop() ?? this.#makeArena(this.#arenaBytes)
  }

  #makeArena(bytes: number): Arena {
    return createArena(this.#arenasMade++, wholeWords(bytes))
  }
}

function isBelow({ end }: WaitingMemtable, position: LogPosition): boolean {
  return compareLogPositions(end, position) <= 0
}

/** An arena rounds down to these. */
function wholeWords(bytes: number): number {
  return Math.min((bytes + 3) & ~3, ARENA_BYTES_MAX)
}

/**
 * A range tombstone becomes visible.
 * @param end no bytes: it has none
 * @param held sequences at which somebody reads: what none of them needs is left out
 */
export function insertRange(
  memtables: Memtables,
  start: Uint8Array,
  end: Uint8Array,
  sequence: Sequence,
  held: Pick<ReadableSequences, 'isAnyBetween'>,
): void {
  const isNeeded = (older: Sequence, newer: Sequence): boolean => held.isAnyBetween(older, newer)
  memtables.active.insertRange(start, end.length === 0 ? undefined : end, sequence, isNeeded)
}

/** What a record becomes in a memtable: a value goes into the tree, too, or to the value log alone. Decided once. */
export function entryKind(recordKind: number, valueLength: number, valueThreshold: number): Kind {
  if (recordKind !== RECORD_KIND.put)
    return recordKind === RECORD_KIND.putStream ? KIND.pointer : KIND.tombstone
  if (valueLength >= valueThreshold || valueLength > INLINE_VALUE_BYTES_MAX) return KIND.pointer
  return valueLength <= ARENA_VALUE_BYTES_MAX ? KIND.inline : KIND.deferred
}

/** The most bytes of a memtable that the entry takes, or about those of a range tombstone of key and value. */
export function entryBytesMax(
  recordKind: number,
  kind: Kind,
  keyLength: number,
  valueLength: number,
): number {
  if (recordKind === RECORD_KIND.deleteRange)
    return Memtable.rangeBytesNeeded(keyLength + valueLength)
  return Memtable.bytesNeeded(keyLength, kind === KIND.inline ? valueLength : 0)
}

/** ... and of the tables that its flush makes. */
export function tableBytesMax(
  recordKind: number,
  kind: Kind,
  keyLength: number,
  valueLength: number,
): number {
  if (recordKind === RECORD_KIND.deleteRange)
    return Memtable.rangeTableBytes(keyLength + valueLength)
  return Memtable.bytesNeeded(keyLength, isInline(kind) ? valueLength : 0)
}

/** Of kinds inline and deferred: the tables have the value, too. */
function isInline(kind: Kind): boolean {
  return kind === KIND.inline || kind === KIND.deferred
}

/** A stream becomes visible: its entry names the file itself, where everything that lies there is its own. */
export function insertStream(
  memtables: Memtables,
  key: Uint8Array,
  sequence: Sequence,
  { number, size }: Pick<StreamValue, 'number' | 'size'>,
  expiresAt: number,
): void {
  memtables.noteStream(number)
  const { entry } = memtables
  entry.kind = KIND.pointer
  entry.sequence = sequence
  entry.segment = number
  entry.offset = STREAM_OFFSET
  entry.length = streamPointerBytes(key.length, size)
  entry.expiresAt = expiresAt
  memtables.insert(key, entry)
}
