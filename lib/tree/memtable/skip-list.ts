/**
 * The skip list of a memtable: order, searches, links. Its bytes are described in memtable-node.ts.
 *
 * Order: key ascending as unsigned bytes, then sequence descending. Nodes are added, never removed.
 *
 * A path is what a search leaves behind: for each level the last node before the searched place
 * (the head where there is none); levels that the list has not reached stay 0. With it a node is
 * linked there, and a cursor goes back. Data plane: nothing is allocated.
 */
import type { Sequence } from '../../base/ids.ts'
import {
  GENERATION_WORD,
  HEAD,
  HEAD_BYTES,
  HEIGHT_MAX,
  HEIGHT_SHIFT,
  keyPrefix,
  LINKS_WORD,
  nodeHeight,
  nodeKeyLength,
  nodeKeyStart,
  nodePrefix,
  nodeSequence,
} from './memtable-node.ts'

/** Makes the list empty. Only the head is written: what older nodes left is never read again. */
export function resetList(words: Int32Array): void {
  const generation = words[GENERATION_WORD]!
  words.fill(0, 0, HEAD_BYTES / 4)
  words[GENERATION_WORD] = generation + 1
}

/** Links a written node behind the nodes of `path`, which then leads to the place behind it. */
export function linkNode(
  words: Int32Array,
  bytes: Uint8Array,
  node: number,
  path: Int32Array,
): void {
  const height = nodeHeight(words, node)
  const prefix = nodePrefix(words, bytes, node)
  for (let level = 0; level < height; level++) {
    const link = node + LINKS_WORD + 2 * level
    const before = path[level]! + LINKS_WORD + 2 * level
    words[link] = words[before]!
    words[link + 1] = words[before + 1]!
    words[before] = node
    words[before + 1] = prefix
    path[level] = node
  }
  if (height > nodeHeight(words, HEAD)) words[HEAD] = height << HEIGHT_SHIFT
}

/** True if `left` comes before `right` in the order of the list. */
export function isNodeBefore(
  words: Int32Array,
  bytes: Uint8Array,
  left: number,
  right: number,
): boolean {
  const leftPrefix = nodePrefix(words, bytes, left)
  const rightPrefix = nodePrefix(words, bytes, right)
  if (leftPrefix !== rightPrefix) return leftPrefix < rightPrefix
  return isNodeBeforeSamePrefix(words, bytes, left, right)
}

/**
 * {@link isNodeBefore} behind equal prefixes: keys by whole words, then lengths, then sequences.
 * The zeros behind a key stand for nothing: if only they match, the lengths decide.
 */
function isNodeBeforeSamePrefix(
  words: Int32Array,
  bytes: Uint8Array,
  left: number,
  right: number,
): boolean {
  const leftLength = nodeKeyLength(words, left)
  const rightLength = nodeKeyLength(words, right)
  const common = Math.min(leftLength, rightLength)
  const leftKey = nodeKeyStart(words, left) >> 2
  const rightKey = nodeKeyStart(words, right) >> 2
  const count = (common + 3) >> 2
  for (let i = 1; i < count; i++) {
    if (words[leftKey + i] === words[rightKey + i]) continue
    let leftAt = (leftKey + i) << 2
    let rightAt = (rightKey + i) << 2
    while (bytes[leftAt] === bytes[rightAt]) {
      leftAt++
      rightAt++
    }
    return bytes[leftAt]! < bytes[rightAt]!
  }
  if (leftLength !== rightLength) return leftLength < rightLength
  return nodeSequence(words, left) > nodeSequence(words, right)
}

/** True if the node comes before (key, sequence); both have the same prefix. */
function isNodeBeforeKeySamePrefix(
  words: Int32Array,
  bytes: Uint8Array,
  node: number,
  key: Uint8Array,
  sequence: Sequence,
): boolean {
  const nodeLength = nodeKeyLength(words, node)
  const keyLength = key.length
  const common = Math.min(nodeLength, keyLength)
  const start = nodeKeyStart(words, node)
  for (let i = 4; i < common; i++) {
    const difference = bytes[start + i]! - key[i]!
    if (difference !== 0) return difference < 0
  }
  if (nodeLength !== keyLength) return nodeLength < keyLength
  return nodeSequence(words, node) > sequence
}

/** The path to `target`, whether it is linked yet or not. */
export function findPathToNode(
  words: Int32Array,
  bytes: Uint8Array,
  target: number,
  path: Int32Array,
): void {
  const prefix = nodePrefix(words, bytes, target)
  let node = HEAD
  // A node known not to be before the target: it bounds the lower levels, too, and saves
  // comparisons there.
  let bound = 0
  for (let level = nodeHeight(words, HEAD) - 1; level >= 0; level--) {
    for (;;) {
      const link = node + LINKS_WORD + 2 * level
      const next = words[link]!
      if (next === bound) break
      const nextPrefix = words[link + 1]!
      if (
        nextPrefix > prefix ||
        (nextPrefix === prefix && !isNodeBeforeSamePrefix(words, bytes, next, target))
      ) {
        bound = next
        break
      }
      node = next
    }
    path[level] = node
  }
}

/**
 * The path to (key, sequence): behind it, at level 0, lies the first entry at or after that place.
 * With SEQUENCE_MAX, the path to all entries of the key.
 */
export function findPathToKey(
  words: Int32Array,
  bytes: Uint8Array,
  key: Uint8Array,
  sequence: Sequence,
  path: Int32Array,
): void {
  const prefix = keyPrefix(key)
  let node = HEAD
  let bound = 0
  for (let level = nodeHeight(words, HEAD) - 1; level >= 0; level--) {
    for (;;) {
      const link = node + LINKS_WORD + 2 * level
      const next = words[link]!
      if (next === bound) break
      const nextPrefix = words[link + 1]!
      if (
        nextPrefix > prefix ||
        (nextPrefix === prefix && !isNodeBeforeKeySamePrefix(words, bytes, next, key, sequence))
      ) {
        bound = next
        break
      }
      node = next
    }
    path[level] = node
  }
}

/** The path to the end of the list. */
export function findPathToEnd(words: Int32Array, path: Int32Array): void {
  let node = HEAD
  for (let level = nodeHeight(words, HEAD) - 1; level >= 0; level--) {
    for (;;) {
      const next = words[node + LINKS_WORD + 2 * level]!
      if (next === 0) break
      node = next
    }
    path[level] = node
  }
}

/**
 * Makes a path to some place the path to its own last node, path[0], which is no head. Links are
 * compared, not keys: on each level where that node is the last one, its predecessor is found from
 * the level above.
 */
export function retreatPath(words: Int32Array, path: Int32Array): void {
  const target = path[0]!
  let level = 1
  while (level < HEIGHT_MAX && path[level] === target) level++
  let node = level < HEIGHT_MAX ? path[level]! : HEAD
  for (level--; level >= 0; level--) {
    for (;;) {
      const next = words[node + LINKS_WORD + 2 * level]!
      if (next === target) break
      node = next
    }
    path[level] = node
  }
}
