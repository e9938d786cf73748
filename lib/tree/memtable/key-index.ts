/**
 * A hash table from the keys of a memtable to their newest nodes, for point reads on the main
 * thread.
 *
 * Open addressing with linear probing. A slot is two words, hash and node; node 0 is an empty slot.
 * The hash spares the look at nodes of other keys, and lets the table grow without touching a node.
 * Nothing is removed but all at once.
 *
 * Keys that were chosen to collide cannot make it slow: a key that finds no slot near its place is
 * left out, and from then on a miss says nothing (see {@link KeyIndex.isComplete}).
 */
import { nodeHasKey } from './memtable-node.ts'

const SLOTS_AT_FIRST = 256
/** Random keys do not come near this at two thirds full, not even with a million of them. */
const PROBES_MAX = 512
/** What a search returns when it gave up. */
const NO_SLOT = -1
/** What {@link KeyIndex.set} returns for a key that it has left out. */
export const LEFT_OUT = -1

/** An index over the nodes of one skip list. It keeps its memory when it is cleared. */
export class KeyIndex {
  #slots: Int32Array = new Int32Array(2 * SLOTS_AT_FIRST)
  #mask: number = SLOTS_AT_FIRST - 1
  #used = 0
  #complete = true

  /** False if keys are missing here that are in the list: then a miss has to be searched there. */
  get isComplete(): boolean {
    return this.#complete
  }

  clear(): void {
    if (this.#used > 0) this.#slots.fill(0)
    this.#used = 0
    this.#complete = true
  }

  /** Grows ahead, so that `set` of so many keys finds room. @throws RangeError if there is no memory */
  prepare(keys: number): void {
    while ((this.#used + keys) * 3 > this.#mask * 2) this.#grow()
  }

  /** The newest node of a key, or 0. `hash` is the key's own, of hashRange with seed 0. */
  find(words: Int32Array, bytes: Uint8Array, key: Uint8Array, hash: number): number {
    const slots = this.#slots
    const slot = findSlot(slots, this.#mask, words, bytes, key, hash | 0)
    return slot === NO_SLOT ? 0 : slots[slot + 1]!
  }

  /**
   * Makes `node` the newest one of its key.
   * @returns the one that was the newest before; 0 if there was none; LEFT_OUT if the key has no place here
   */
  set(words: Int32Array, bytes: Uint8Array, key: Uint8Array, hash: number, node: number): number {
    const slots = this.#slots
    const slot = findSlot(slots, this.#mask, words, bytes, key, hash | 0)
    if (slot === NO_SLOT) {
      this.#complete = false
      return LEFT_OUT
    }
    const before = slots[slot + 1]!
    slots[slot] = hash
    slots[slot + 1] = node
    if (before === 0 && ++this.#used * 3 > this.#mask * 2) this.#grow()
    return before
  }

  #grow(): void {
    const larger = new Int32Array(2 * this.#slots.length)
    const mask = 2 * this.#mask + 1
    if (!moveSlots(this.#slots, larger, mask)) this.#complete = false
    this.#slots = larger
    this.#mask = mask
  }
}

/** The word of the key's slot, or of the empty slot that it would take, or NO_SLOT. */
function findSlot(
  slots: Int32Array,
  mask: number,
  words: Int32Array,
  bytes: Uint8Array,
  key: Uint8Array,
  hash: number,
): number {
  let slot = hash & mask
  for (let probes = 0; probes < PROBES_MAX; probes++) {
    const word = slot << 1
    const node = slots[word + 1]!
    if (node === 0) return word
    if (slots[word] === hash && nodeHasKey(words, bytes, node, key)) return word
    slot = (slot + 1) & mask
  }
  return NO_SLOT
}

/** Copies all slots to a larger table. @returns false if some found no place */
function moveSlots(source: Int32Array, target: Int32Array, mask: number): boolean {
  let complete = true
  for (let from = 0; from < source.length; from += 2) {
    if (source[from + 1] === 0) continue
    let slot = source[from]! & mask
    let probes = 0
    while (target[(slot << 1) + 1] !== 0 && probes < PROBES_MAX) {
      slot = (slot + 1) & mask
      probes++
    }
    if (probes === PROBES_MAX) {
      complete = false
      continue
    }
    target[slot << 1] = source[from]!
    target[(slot << 1) + 1] = source[from + 1]!
  }
  return complete
}
