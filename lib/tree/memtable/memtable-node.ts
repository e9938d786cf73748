/**
 * The bytes of a memtable: the head and the nodes of its skip list.
 *
 * They lie in one block of shared memory, seen as 32-bit words and as bytes. A node is named by the
 * index of its first word. The head is node 0, and 0 as a link means the end: one number says "no
 * node". A link is two words, the next node and the prefix of its key, so that most comparisons
 * need not touch that node (a tenth less time to insert; bench/micro/memtable.ts).
 *
 *   head, 27 words
 *     word  0       height of the list, in bits 24 .. 27
 *           1       generation, counted up by each reset of the arena
 *           2       zero
 *           3 .. 26 links to the first node of each level
 *
 *   node, h being its height (1 to 12)
 *     word  0       key length in bits 0 .. 16, kind in bits 20 .. 23, height in bits 24 .. 27; bit 28: it expires
 *           1       sequence, low 32 bits
 *           2       sequence, high bits
 *           3       links to the next node of level 0, 1, ... h - 1
 *           3 + 2h  key, zeros up to a whole word
 *           then    if it expires: the moment, low 32 bits, high bits
 *           then    kind tombstone: nothing
 *                   kind inline: value length (one word), value
 *                   kinds pointer and deferred: segment, low 32 bits of the offset, low 32 bits of
 *                   the length, high 16 bits of the offset << 16 | high 16 bits of the length
 *
 *   prefix: the first four bytes of a key, big-endian, zeros behind a shorter one, the top bit
 *   inverted, so that signed words compare like unsigned bytes
 *
 * Words are in the byte order of the machine: nothing of this is ever written to a file.
 * Data plane: nothing is allocated.
 */
import { copyRange } from '../../base/bytes.ts'
import type { Sequence } from '../../base/ids.ts'
import { plainBytes, storedLengthOf } from '../../base/record-size.ts'
import { type Entry, KIND, type Kind } from '../entry.ts'

/** The most levels: with one node in three on the next level, good for millions of entries. */
export const HEIGHT_MAX = 12
/** The node before all others. */
export const HEAD = 0
/** The head's word that holds the generation of the arena. */
export const GENERATION_WORD = 1
/** Words of a node before its links. */
export const LINKS_WORD = 3
/** Where nodes begin. */
export const HEAD_BYTES: number = 4 * (LINKS_WORD + 2 * HEIGHT_MAX)

const HEADER_BYTES = 4 * LINKS_WORD
const POINTER_BYTES = 16
const EXPIRY_BYTES = 8
const LENGTH_MASK = 0x1ffff
const KIND_SHIFT = 20
const KIND_MASK = 15
/** Also where the head keeps the height of the list. */
export const HEIGHT_SHIFT = 24
const HEIGHT_MASK = 15
const EXPIRES_BIT = 1 << 28
/** The prefix of the empty key: the top bit alone. */
const EMPTY_PREFIX = -0x80000000
const TWO_16 = 2 ** 16
const TWO_32 = 2 ** 32

/** An upper bound of the bytes of a node: it assumes the greatest height. */
export function nodeBytesMax(keyLength: number, inlineLength: number): number {
  return (
    HEADER_BYTES +
    8 * HEIGHT_MAX +
    roundToWord(keyLength) +
    EXPIRY_BYTES +
    POINTER_BYTES +
    roundToWord(inlineLength)
  )
}

/** The prefix word of a key. */
export function keyPrefix(key: Uint8Array): number {
  const length = key.length
  let prefix = 0
  if (length > 0) prefix = key[0]! << 24
  if (length > 1) prefix |= key[1]! << 16
  if (length > 2) prefix |= key[2]! << 8
  if (length > 3) prefix |= key[3]!
  return prefix ^ EMPTY_PREFIX
}

/**
 * Writes a node that is not linked yet. The opposite of {@link readNode}, but for the key.
 * @returns the byte behind it
 */
export function writeNode(
  words: Int32Array,
  bytes: Uint8Array,
  node: number,
  height: number,
  key: Uint8Array,
  entry: Entry,
): number {
  const { kind, sequence, expiresAt } = entry
  const length = key.length
  const expires = expiresAt > 0 ? EXPIRES_BIT : 0
  words[node] = length | (kind << KIND_SHIFT) | (height << HEIGHT_SHIFT) | expires
  words[node + 1] = sequence | 0
  words[node + 2] = (sequence / TWO_32) | 0
  const start = (node + LINKS_WORD + 2 * height) << 2
  let end = start + roundToWord(length)
  if (length > 0) words[(end >> 2) - 1] = 0
  copyRange(key, 0, length, bytes, start)
  if (expires !== 0) {
    words[end >> 2] = expiresAt | 0
    words[(end >> 2) + 1] = (expiresAt / TWO_32) | 0
    end += EXPIRY_BYTES
  }
  if (kind === KIND.tombstone) return end
  if (kind === KIND.inline) return writeInline(words, bytes, end, entry)
  return writePointer(words, end, entry)
}

/** Writes the payload of kinds pointer and deferred. @returns the byte behind it */
function writePointer(words: Int32Array, at: number, entry: Entry): number {
  const { segment, offset, length } = entry
  const word = at >> 2
  words[word] = segment | 0
  words[word + 1] = offset | 0
  words[word + 2] = length | 0
  words[word + 3] = ((offset / TWO_32) << 16) | (length / TWO_32)
  return at + POINTER_BYTES
}

/** Writes the payload of kind inline. @returns the byte behind it, rounded up to a word */
function writeInline(words: Int32Array, bytes: Uint8Array, at: number, entry: Entry): number {
  const { valueBytes, valueStart, valueEnd } = entry
  words[at >> 2] = valueEnd - valueStart
  copyRange(valueBytes, valueStart, valueEnd, bytes, at + 4)
  return at + 4 + roundToWord(valueEnd - valueStart)
}

/** Links of a node; of the head, the levels of the list. */
export function nodeHeight(words: Int32Array, node: number): number {
  return (words[node]! >>> HEIGHT_SHIFT) & HEIGHT_MASK
}

/** The byte at which a node's key begins. */
export function nodeKeyStart(words: Int32Array, node: number): number {
  return (node + LINKS_WORD + 2 * nodeHeight(words, node)) << 2
}

/** Bytes of a node's key. */
export function nodeKeyLength(words: Int32Array, node: number): number {
  return words[node]! & LENGTH_MASK
}

/**
 * The prefix of a node's key. The zeros behind a key make it the same as that of the bytes alone.
 */
export function nodePrefix(words: Int32Array, bytes: Uint8Array, node: number): number {
  if (nodeKeyLength(words, node) === 0) return EMPTY_PREFIX
  const start = nodeKeyStart(words, node)
  return (
    ((bytes[start]! << 24) |
      (bytes[start + 1]! << 16) |
      (bytes[start + 2]! << 8) |
      bytes[start + 3]!) ^
    EMPTY_PREFIX
  )
}

export function nodeSequence(words: Int32Array, node: number): Sequence {
  return words[node + 2]! * TWO_32 + (words[node + 1]! >>> 0)
}

export function nodeKind(words: Int32Array, node: number): Kind {
  return ((words[node]! >>> KIND_SHIFT) & KIND_MASK) as Kind // written by writeNode
}

/** Bytes of key and value of a node's entry; of a tombstone, of its key alone. */
export function nodeLiveBytes(words: Int32Array, node: number): number {
  const meta = words[node]!
  const keyLength = meta & LENGTH_MASK
  const kind = nodeKind(words, node)
  if (kind === KIND.tombstone) return keyLength
  const payload = payloadOf(node, meta)
  if (kind === KIND.inline) return keyLength + words[payload]!
  const length = (words[payload + 3]! & (TWO_16 - 1)) * TWO_32 + (words[payload + 2]! >>> 0)
  const stored = Math.max(0, storedLengthOf(length, keyLength))
  return keyLength + (kind === KIND.deferred ? plainBytes(stored) : stored)
}

/** The word behind the key and what may say when the entry expires. */
function payloadOf(node: number, meta: number): number {
  const behindKey =
    node +
    LINKS_WORD +
    2 * ((meta >>> HEIGHT_SHIFT) & HEIGHT_MASK) +
    (((meta & LENGTH_MASK) + 3) >> 2)
  return meta & EXPIRES_BIT ? behindKey + EXPIRY_BYTES / 4 : behindKey
}

/** Fills `entry` from a node; `valueBytes` becomes `bytes` itself. */
export function readNode(words: Int32Array, bytes: Uint8Array, node: number, entry: Entry): void {
  const meta = words[node]!
  const kind = ((meta >>> KIND_SHIFT) & KIND_MASK) as Kind // written by writeNode
  const payload = payloadOf(node, meta)
  entry.expiresAt =
    meta & EXPIRES_BIT ? words[payload - 1]! * TWO_32 + (words[payload - 2]! >>> 0) : 0
  entry.kind = kind
  entry.sequence = words[node + 2]! * TWO_32 + (words[node + 1]! >>> 0)
  entry.valueBytes = bytes
  if (kind === KIND.inline) {
    entry.valueStart = (payload + 1) << 2
    entry.valueEnd = ((payload + 1) << 2) + words[payload]!
  } else {
    entry.valueStart = 0
    entry.valueEnd = 0
    if (kind !== KIND.tombstone) {
      const high = words[payload + 3]!
      entry.segment = words[payload]! >>> 0
      entry.offset = (high >>> 16) * TWO_32 + (words[payload + 1]! >>> 0)
      entry.length = (high & (TWO_16 - 1)) * TWO_32 + (words[payload + 2]! >>> 0)
    }
  }
}

/** True if the node has this key. */
export function nodeHasKey(
  words: Int32Array,
  bytes: Uint8Array,
  node: number,
  key: Uint8Array,
): boolean {
  const length = key.length
  if (nodeKeyLength(words, node) !== length) return false
  const start = nodeKeyStart(words, node)
  for (let i = 0; i < length; i++) {
    if (bytes[start + i] !== key[i]) return false
  }
  return true
}

function roundToWord(length: number): number {
  return (length + 3) & ~3
}
