/** `segments()` and `stat()`: where values lie. Nothing is read but the tree. */

import { exposedGarbageBytes, punchedBytes } from '../vlog/collection-costs.ts'
import { segmentName } from './base/file-names.ts'
import { storedBytes } from './base/record-size.ts'
import type { ReadingEngine } from './reading-engine.ts'
import { KIND } from './tree/entry.ts'
import { Lookup } from './tree-reader.ts'
import type { SegmentInfo, ValueStat } from './types.ts'

/** The files of the value log, in the order of their numbers. */
export function segmentInfos(engine: ReadingEngine): SegmentInfo[] {
  const { version } = engine
  const infos = engine.space.measure().files.map((file): SegmentInfo => {
    const { number, kind, totalBytes, referencedBytes, referencedRecords, diskBytes } = file
    const { blocked } = file
    return {
      id: number,
      file: segmentName(number),
      kind,
      state: version.segments.get(number)?.state === 'open' ? 'open' : 'sealed',
      segments: file.segments.map(({ segment }) => segment),
      totalBytes,
      referencedBytes,
      referencedRecords,
      exposedGarbageBytes: exposedGarbageBytes(file),
      diskBytes,
      punchedBytes: punchedBytes(file),
      blocked: blocked === 'busy' || blocked === 'not asked for' ? undefined : blocked,
    }
  })
  return infos.sort((left, right) => left.id - right.id)
}

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
