/** `stat()`: size and place of a value. Nothing is read but the tree. */
import { storedBytes } from '../base/record-size.ts'
import type { ValueStat } from '../contract/types.ts'
import { Lookup } from '../state/tree-reader.ts'
import { KIND } from '../tree/entry.ts'
import type { ReadingEngine } from './reading-engine.ts'

/** Size and place of a value, or undefined if the key has none. */
export function valueStat(
  { tree }: ReadingEngine,
  key: Uint8Array,
  sequence: number,
): ValueStat | undefined {
  const found = new Lookup()
  if (!tree.find(key, sequence, found)) return undefined
  const inline = found.kind === KIND.inline
  const size = inline ? found.valueEnd - found.valueStart : storedBytes(found.length, key.length)
  return {
    size,
    storedSize: size,
    codec: 'none',
    // One that is too large for an arena lies in the log until the flush, and in the tree from then on.
    inline: found.kind !== KIND.pointer,
    segment: inline ? undefined : found.segment,
    offset: inline ? undefined : found.offset,
    sequence: found.sequence,
  }
}
