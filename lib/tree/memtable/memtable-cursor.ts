/**
 * A cursor over a memtable, frozen or still growing, on any thread that has its memory.
 *
 * Over a growing memtable it sees what is linked at the moment of each move. A skip list has no
 * back links: the first step back searches from the top, further ones reuse the path that this
 * leaves behind.
 */

import { SEQUENCE_MAX, type Sequence } from '../../base/ids.ts'
import { Entry, type EntryCursor } from '../entry.ts'
import {
  HEAD,
  HEIGHT_MAX,
  LINKS_WORD,
  nodeKeyLength,
  nodeKeyStart,
  readNode,
} from './memtable-node.ts'
import { findPathToEnd, findPathToKey, findPathToNode, retreatPath } from './skip-list.ts'

/**
 * See {@link EntryCursor}. It starts invalid; a move of an invalid cursor that is no seek does
 * nothing.
 */
export class MemtableCursor implements EntryCursor {
  valid = false
  readonly entry: Entry = new Entry()

  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  /** Of the last seek or step back. */
  readonly #path: Int32Array = new Int32Array(HEIGHT_MAX)
  /** The node under the cursor, or HEAD. */
  #node: number = HEAD

  constructor(words: Int32Array, bytes: Uint8Array) {
    this.#words = words
    this.#bytes = bytes
    this.entry.keyBytes = bytes
  }

  seekToFirst(): void {
    this.#moveTo(this.#words[HEAD + LINKS_WORD]!)
  }

  seekToLast(): void {
    findPathToEnd(this.#words, this.#path)
    this.#retreat()
  }

  seek(key: Uint8Array, sequence: Sequence): void {
    findPathToKey(this.#words, this.#bytes, key, sequence, this.#path)
    this.#moveTo(this.#words[this.#path[0]! + LINKS_WORD]!)
  }

  seekBefore(key: Uint8Array): void {
    findPathToKey(this.#words, this.#bytes, key, SEQUENCE_MAX, this.#path)
    this.#retreat()
  }

  next(): void {
    if (this.#node !== HEAD) this.#moveTo(this.#words[this.#node + LINKS_WORD]!)
  }

  previous(): void {
    const node = this.#node
    if (node === HEAD) return
    // After a step forwards the path leads elsewhere; after an insertion it may stop too early.
    if (this.#words[this.#path[0]! + LINKS_WORD] !== node) {
      findPathToNode(this.#words, this.#bytes, node, this.#path)
    }
    this.#retreat()
  }

  /** To the last node of the path. */
  #retreat(): void {
    const node = this.#path[0]!
    if (node !== HEAD) retreatPath(this.#words, this.#path)
    this.#moveTo(node)
  }

  #moveTo(node: number): void {
    this.#node = node
    if (node === HEAD) {
      this.valid = false
      return
    }
    const words = this.#words
    const entry = this.entry
    const start = nodeKeyStart(words, node)
    entry.keyStart = start
    entry.keyEnd = start + nodeKeyLength(words, node)
    readNode(words, this.#bytes, node, entry)
    this.valid = true
  }
}
