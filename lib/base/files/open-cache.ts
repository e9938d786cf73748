/**
 * Open things by file number, a bounded count of them: table readers, segment files.
 *
 * CLOCK decides what is closed: a use sets a mark, the hand clears it. What is pinned stays (a segment that
 * is still written), so the count may pass the capacity by the pinned ones (I10).
 */

import type { FileNumber } from '../ids.ts'
import { isOutOfDescriptors, keepsSpareFiles, type SpareFiles } from './spare-files.ts'

export interface Closable {
  close(): void
}

interface Slot<T> {
  readonly number: FileNumber
  readonly value: T
  used: boolean
  pinned: boolean
}

export class OpenCache<T extends Closable> implements SpareFiles {
  readonly #capacity: number
  readonly #open: (number: FileNumber) => T
  readonly #evicted: (value: T) => void
  readonly #slots: Map<number, Slot<T>> = new Map()
  #isShared = false
  #keepsNoMore: (() => void) | undefined

  /**
   * @param open opens the thing with this number; what it throws reaches the caller of `get`. Where the process has no
   *   descriptor left, something else makes room, and it is called once more
   * @param evicted takes over what the capacity pushes out, to close it; without it, it is closed at once
   */
  constructor(capacity: number, open: (number: FileNumber) => T, evicted?: (value: T) => void) {
    this.#capacity = Math.max(1, capacity)
    this.#open = open
    this.#evicted = evicted ?? ((value) => value.close())
  }

  get size(): number {
    return this.#slots.size
  }

  /** Everything that is open. */
  *values(): Iterable<T> {
    for (const slot of this.#slots.values()) yield slot.value
  }

  /** Lets others have its files when the process has no descriptor left: what `get` gives is for use at once then. */
  shares(): this {
    this.#isShared = true
    return this
  }

  giveUpSome(): boolean {
    let count = 0
    for (const most = (this.#slots.size + 1) >> 1; count < most && this.#evict(); ) count++
    return count > 0
  }

  /** The open thing. The next `get` of another number may push it out. */
  get(number: FileNumber): T {
    const slot = this.#slots.get(number)
    if (slot !== undefined) {
      slot.used = true
      return slot.value
    }
    this.#makeRoom()
    const value = this.#openWithRoom(number)
    this.#add({ number, value, used: true, pinned: false })
    return value
  }

  /** Takes over something that is open already. Pinned things are never closed by the capacity. */
  adopt(number: FileNumber, value: T, pinned: boolean): void {
    this.#makeRoom()
    this.#add({ number, value, used: true, pinned })
  }

  #add(slot: Slot<T>): void {
    this.#slots.set(slot.number, slot)
    if (this.#isShared) this.#keepsNoMore ??= keepsSpareFiles(this)
  }

  unpin(number: FileNumber): void {
    const slot = this.#slots.get(number)
    if (slot) slot.pinned = false
  }

  /** Closes and forgets one. */
  drop(number: FileNumber): void {
    const slot = this.#slots.get(number)
    if (!slot) return
    this.#slots.delete(number)
    slot.value.close()
  }

  /** Closes and forgets those that nobody is going to ask for. */
  keepOnly(isKept: (number: FileNumber) => boolean): void {
    for (const number of [...this.#slots.keys()]) if (!isKept(number)) this.drop(number)
  }

  /** It may be filled again. */
  closeAll(): void {
    this.#keepsNoMore?.()
    this.#keepsNoMore = undefined
    for (const slot of this.#slots.values()) slot.value.close()
    this.#slots.clear()
  }

  #openWithRoom(number: FileNumber): T {
    try {
      return this.#open(number)
    } catch (error) {
      if (!isOutOfDescriptors(error) || !this.#evict()) throw error
      return this.#open(number)
    }
  }

  /** Before something is opened: not even for a moment there are more. */
  #makeRoom(): void {
    if (this.#slots.size >= this.#capacity) this.#evict()
  }

  /**
   * A map keeps the order of insertion: its front is the hand, a spared slot goes to the back.
   * @returns false if everything is pinned
   */
  #evict(): boolean {
    for (let turns = this.#slots.size * 2; turns > 0; turns--) {
      const [number, slot] = this.#slots.entries().next().value!
      this.#slots.delete(number)
      if (!slot.pinned && !slot.used) {
        this.#evicted(slot.value)
        return true
      }
      slot.used = false
      this.#slots.set(number, slot)
    }
    return false
  }
}
