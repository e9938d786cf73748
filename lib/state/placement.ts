/** Where a value goes: into the tree, or to the value log alone. Decided once, at write time. */
import { RECORD_KIND } from '../../vlog/record.ts'
import { INLINE_VALUE_BYTES_MAX } from '../contract/options.ts'
import { ARENA_VALUE_BYTES_MAX, KIND, type Kind } from '../tree/entry.ts'
import { Memtable } from '../tree/memtable/memtable.ts'

/** The kind of the memtable entry for a record. */
export function entryKind(recordKind: number, valueLength: number, valueThreshold: number): Kind {
  if (recordKind === RECORD_KIND.delete) return KIND.tombstone
  if (valueLength >= valueThreshold || valueLength > INLINE_VALUE_BYTES_MAX) return KIND.pointer
  return valueLength <= ARENA_VALUE_BYTES_MAX ? KIND.inline : KIND.deferred
}

/** The most bytes of a memtable that the entry takes. */
export function entryBytesMax(kind: Kind, keyLength: number, valueLength: number): number {
  return Memtable.bytesNeeded(keyLength, kind === KIND.inline ? valueLength : 0)
}
