/** Size and place of a value, without reading it. */
import type { ValueReader } from '../../vlog/read/value-reader.ts'
import { CODEC_NONE } from '../../vlog/value-chunks.ts'
import { CODEC_NAMES } from '../../vlog/value-codec.ts'
import type { ValueStat } from '../contract/types.ts'
import { type Entry, KIND } from '../tree/entry.ts'

/**
 * Read is the head of its record, if it is not inline: the length of a pointer counts what a newer version may have put
 * in front of the value, too. @throws CorruptionError, IoError
 */
export function valueStat(values: ValueReader, entry: Entry): ValueStat {
  const inline = entry.kind === KIND.inline
  const bytes = entry.valueEnd - entry.valueStart
  const { codec, rawLength, storedLength } = inline
    ? { codec: CODEC_NONE, rawLength: bytes, storedLength: bytes }
    : values.readHead(entry)
  return {
    size: rawLength,
    storedSize: storedLength,
    codec: CODEC_NAMES[codec]!,
    // One that is too large for an arena lies in the log until the flush, and in the tree from then on.
    inline: entry.kind !== KIND.pointer,
    segment: inline ? undefined : entry.segment,
    offset: inline ? undefined : entry.offset,
    sequence: entry.sequence,
    expiresAt: entry.expiresAt || undefined,
  }
}
