/**
 * A memtable as a sorted array of plain objects: what the tests of memtables hold the real one
 * against.
 */
import { Entry, type EntryCursor, KIND, type Kind } from '#dist/lib/tree/entry.js'
import type { Memtable } from '#dist/lib/tree/memtable/memtable.js'
import { keyed } from '../../../support/parts/array-cursor.ts'
import type { Prng } from '../../../support/random.ts'

export interface ModelEntry {
  readonly key: Uint8Array
  readonly sequence: number
  readonly kind: Kind
  readonly value: Uint8Array | undefined
  readonly segment: number
  readonly offset: number
  readonly length: number
}

export function inlineEntry(key: Uint8Array, sequence: number, value: Uint8Array): ModelEntry {
  return { key, sequence, kind: KIND.inline, value, segment: 0, offset: 0, length: 0 }
}

export function tombstone(key: Uint8Array, sequence: number): ModelEntry {
  return { key, sequence, kind: KIND.tombstone, value: undefined, segment: 0, offset: 0, length: 0 }
}

/** An entry of any kind; `value` bytes at most `valueBytesMax`. */
export function randomEntry(
  prng: Prng,
  key: Uint8Array,
  sequence: number,
  valueBytesMax: number,
): ModelEntry {
  const kind = prng.pick([KIND.tombstone, KIND.inline, KIND.pointer, KIND.deferred])
  if (kind === KIND.tombstone) return tombstone(key, sequence)
  if (kind === KIND.inline) {
    return inlineEntry(key, sequence, prng.bytes(prng.below(valueBytesMax + 1)))
  }
  const segment = prng.u32()
  const offset = prng.u32() + prng.below(2 ** 16) * 2 ** 32
  const length = prng.u32() + prng.below(2 ** 10) * 2 ** 32
  return { key, sequence, kind, value: undefined, segment, offset, length }
}

/** Fills a memtable with random entries of sequences 1 to `count`; the model comes back sorted. */
export function fillRandom(memtable: Memtable, prng: Prng, count: number): ModelEntry[] {
  const model: ModelEntry[] = []
  for (let i = 0; i < count; i++) {
    const entry = randomEntry(prng, randomKey(prng), i + 1, 40)
    insertEntry(memtable, entry)
    model.push(entry)
  }
  return model.sort(compareEntries)
}

/** Short keys that are often the beginning of each other, with many zeros and high bytes. */
export function randomKey(prng: Prng): Uint8Array {
  const key = new Uint8Array(prng.below(9))
  for (let i = 0; i < key.length; i++) key[i] = prng.pick([0, 0, 1, 0x7f, 0x80, 0xff])
  return key
}

export function insertEntry(memtable: Memtable, entry: ModelEntry): void {
  memtable.insert(entry.key, keyed(entry))
}

export function compareEntries(left: ModelEntry, right: ModelEntry): number {
  return Buffer.compare(left.key, right.key) || right.sequence - left.sequence
}

/** All that can be read of an entry, as text to be compared. */
export function describeEntry(entry: ModelEntry): string {
  const { key, sequence, kind, value, segment, offset, length } = entry
  return `${hex(key)}@${sequence} ${describePayload(kind, value, segment, offset, length)}`
}

export function describeCursor(cursor: EntryCursor): string {
  if (!cursor.valid) return 'invalid'
  const { keyBytes, keyStart, keyEnd } = cursor.entry
  return describeFound(keyBytes.subarray(keyStart, keyEnd), cursor.entry)
}

export function describeFound(key: Uint8Array, found: Entry): string {
  const { sequence, kind, valueBytes, valueStart, valueEnd, segment, offset, length } = found
  const value = valueBytes.subarray(valueStart, valueEnd)
  return `${hex(key)}@${sequence} ${describePayload(kind, value, segment, offset, length)}`
}

export function emptyFound(): Entry {
  return Object.assign(new Entry(), { sequence: -1 })
}

/** Every entry that a cursor passes, from first to last or from last to first. */
export function walk(cursor: EntryCursor, reverse: boolean): string[] {
  const passed: string[] = []
  if (reverse) {
    for (cursor.seekToLast(); cursor.valid; cursor.previous()) passed.push(describeCursor(cursor))
  } else {
    for (cursor.seekToFirst(); cursor.valid; cursor.next()) passed.push(describeCursor(cursor))
  }
  return passed
}

function describePayload(
  kind: Kind,
  value: Uint8Array | undefined,
  segment: number,
  offset: number,
  length: number,
): string {
  if (kind === KIND.tombstone) return 'tombstone'
  if (kind === KIND.inline) return `inline ${hex(value!)}`
  return `${kind === KIND.pointer ? 'pointer' : 'deferred'} ${segment}:${offset}+${length}`
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
