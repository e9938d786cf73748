/**
 * The range tombstones of a table: a part of their own.
 *
 *   content  := count: varint, fragment[count]
 *   fragment := startLength: varint, start, endLength: varint, end, count: varint, distance: varint[count]
 *
 * An `end` of no bytes is none. Distances are those of sequences from the base of the table, the highest first.
 */
import { compareBytes, copyBytes, NO_BYTES } from '../../base/bytes.ts'
import { assert, CorruptionError } from '../../base/errors.ts'
import { GrowingBytes } from '../../base/growing-bytes.ts'
import { SEQUENCE_MAX, type Sequence } from '../../base/ids.ts'
import { VarintReader } from '../../base/varint.ts'
import { KEY_BYTES_MAX, type TableMeta } from '../entry.ts'
import { compareSpanEnds, type KeySpan } from '../key-span.ts'
import { type FragmentList, NO_FRAGMENTS, type RangeFragment } from './range-fragments.ts'

/** The fewest bytes of a fragment. */
const FRAGMENT_BYTES_MIN = 4

/** About what a fragment takes. */
export function fragmentBytes({ start, end, sequences }: RangeFragment): number {
  return FRAGMENT_BYTES_MIN + start.length + (end?.length ?? 0) + 4 * sequences.length
}

export function encodeRanges(fragments: FragmentList, baseSequence: Sequence): GrowingBytes {
  const content = new GrowingBytes(256)
  content.appendVarint(fragments.length)
  for (const { start, end, sequences } of fragments) {
    content.appendVarint(start.length)
    content.append(start, 0, start.length)
    content.appendVarint(end?.length ?? 0)
    if (end) content.append(end, 0, end.length)
    content.appendVarint(sequences.length)
    for (const sequence of sequences) content.appendVarint(sequence - baseSequence)
  }
  return content
}

/** In one piece, for another thread: as they are, each key would be copied by itself. */
export function packRanges(fragments: FragmentList): Uint8Array {
  if (fragments.length === 0) return NO_BYTES
  const { bytes, length } = encodeRanges(fragments, 0)
  return copyBytes(bytes, 0, length)
}

export function unpackRanges(packed: Uint8Array): FragmentList {
  if (packed.length === 0) return NO_FRAGMENTS
  const fragments = readFragments(packed, 0)
  assert(fragments !== undefined, 'packed range tombstones are whole')
  return fragments
}

/**
 * The content lies at `offset` of the file. Keys are views of a copy of it: many small arrays take twice the memory.
 * @param meta what the table says of itself: all fragments lie in its bounds
 * @throws CorruptionError
 */
export function decodeRanges(
  content: Uint8Array | undefined,
  name: string,
  offset: number,
  meta: TableMeta & { readonly baseSequence: Sequence },
): FragmentList {
  const fragments = content === undefined ? NO_FRAGMENTS : readFragments(content, meta.baseSequence)
  const fits =
    fragments !== undefined &&
    fragments.length === meta.fragments &&
    fragments.length > 0 === (content !== undefined) &&
    fragments.every(
      (fragment, i) => isInside(fragment, meta) && isBehind(fragment, fragments[i - 1]),
    )
  if (!fits) throw new CorruptionError(name, offset, 'range tombstones of the table are malformed')
  return fragments
}

function readFragments(content: Uint8Array, base: Sequence): RangeFragment[] | undefined {
  const reader = new VarintReader(copyBytes(content))
  const count = reader.next()
  if (count > content.length / FRAGMENT_BYTES_MIN) return undefined
  const fragments: RangeFragment[] = []
  for (let i = 0; i < count && !reader.failed; i++) {
    const start = nextKey(reader)
    const end = nextKey(reader)
    const sequences: Sequence[] = []
    const sequenceCount = reader.next()
    if (sequenceCount === 0 || sequenceCount > content.length - reader.at) return undefined
    for (let each = 0; each < sequenceCount; each++) sequences.push(base + reader.next())
    fragments.push({ start, end: end.length === 0 ? undefined : end, sequences })
  }
  return reader.failed || reader.at < content.length ? undefined : fragments
}

function nextKey(reader: VarintReader): Uint8Array {
  const length = reader.next()
  if (length > KEY_BYTES_MAX) reader.failed = true
  return reader.nextBytes(reader.failed ? 0 : length)
}

function isInside({ start, end, sequences }: RangeFragment, meta: TableMeta): boolean {
  const highest = sequences[0]!
  const lowest = sequences[sequences.length - 1]!
  return (
    (end === undefined || compareBytes(start, end) < 0) &&
    compareBytes(meta.smallestKey, start) <= 0 &&
    compareSpanEnds(spanOf(start, end), meta) <= 0 &&
    lowest >= meta.smallestSequence &&
    highest <= Math.min(meta.largestSequence, SEQUENCE_MAX) &&
    sequences.every((sequence, i) => i === 0 || sequence < sequences[i - 1]!)
  )
}

function isBehind({ start }: RangeFragment, before: RangeFragment | undefined): boolean {
  if (before === undefined) return true
  return before.end !== undefined && compareBytes(before.end, start) <= 0
}

/** The keys of a fragment, as a table spans them. */
function spanOf(start: Uint8Array, end: RangeFragment['end']): KeySpan {
  return { smallestKey: start, largestKey: end ?? new Uint8Array(0), largestExclusive: true }
}

/** What a table spans: its entries, from the first key to the last one, and its fragments. Requires: it has some. */
export function spanOfTable(
  firstKey: Uint8Array | undefined,
  lastKey: Uint8Array,
  fragments: FragmentList,
): KeySpan {
  let span: KeySpan | undefined = firstKey && {
    smallestKey: firstKey,
    largestKey: lastKey,
    largestExclusive: false,
  }
  const first = fragments[0]
  if (first === undefined) return span!
  const ranges = spanOf(first.start, fragments[fragments.length - 1]!.end)
  span ??= ranges
  const begins = compareBytes(ranges.smallestKey, span.smallestKey) < 0 ? ranges : span
  const ends = compareSpanEnds(ranges, span) > 0 ? ranges : span
  const { largestKey, largestExclusive } = ends
  return { smallestKey: begins.smallestKey, largestKey, largestExclusive }
}

/** What a table has of sequences, by its entries and its fragments. */
export function withSequencesOf(
  fragments: FragmentList,
  smallest: Sequence,
  largest: Sequence,
): { readonly smallestSequence: Sequence; readonly largestSequence: Sequence } {
  let smallestSequence = smallest
  let largestSequence = largest
  for (const { sequences } of fragments) {
    largestSequence = Math.max(largestSequence, sequences[0]!)
    smallestSequence = Math.min(smallestSequence, sequences[sequences.length - 1]!)
  }
  return { smallestSequence, largestSequence }
}
