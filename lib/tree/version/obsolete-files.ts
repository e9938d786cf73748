/**
 * Which files nobody needs any more: the pins of versions, and the files that went with each of
 * them.
 *
 * Invariant I5: a file is reported once, after the edit that drops it is durable, and when no
 * version that holds it is pinned. Versions form a line; a file that went when a version was
 * superseded waits for that version and for all older ones.
 *
 * A pin may be of the tables alone. A compaction reads no values and lasts a while: if it held the
 * value log, too, nothing that is collected meanwhile would come back before it ends.
 */
import { assert } from '../../base/errors.ts'
import type { Version } from './version.ts'

export interface ObsoleteFile {
  readonly kind: 'table' | 'segment' | 'manifest'
  readonly number: number
}

/** A version whose files stay until it is released. */
export interface PinnedVersion {
  readonly version: Version
  /** A second call does nothing. */
  release(): void
}

type Pinned = 'everything' | 'tables'

interface PinCount {
  readonly version: Version
  readonly pins: Record<Pinned, number>
  /** Files that the next version does not have, and that have not been reported. */
  dropped: readonly ObsoleteFile[]
}

function unpinned(version: Version): PinCount {
  return { version, pins: { everything: 0, tables: 0 }, dropped: [] }
}

export class ObsoleteFiles {
  /** Oldest first; the last one is the current version. */
  readonly #versions: PinCount[]
  readonly #ready: ObsoleteFile[] = []
  #callback: ((file: ObsoleteFile) => void) | undefined
  #held = false

  constructor(first: Version) {
    this.#versions = [unpinned(first)]
  }

  /** Versions that something pins, the current one included. */
  get versionCount(): number {
    return this.#versions.length
  }

  /** What is ready is reported at once, later files as they become obsolete. */
  onObsolete(callback: (file: ObsoleteFile) => void): void {
    assert(this.#callback === undefined, 'obsolete files have one taker')
    this.#callback = callback
    this.#report()
  }

  /**
   * While held nothing is reported: it is not known which manifest a crash would leave as the live
   * one.
   */
  hold(held: boolean): void {
    this.#held = held
    this.#report()
  }

  /** Pins the current version. */
  pin(what: Pinned): PinnedVersion {
    const count = this.#versions[this.#versions.length - 1]!
    count.pins[what]++
    let released = false
    const release = (): void => {
      if (released) return
      released = true
      count.pins[what]--
      this.#sweep()
    }
    return { version: count.version, release }
  }

  /** A version is superseded by the next one, durably. */
  supersede(next: Version, dropped: readonly ObsoleteFile[]): void {
    this.#versions[this.#versions.length - 1]!.dropped = dropped
    this.#versions.push(unpinned(next))
    this.#sweep()
  }

  /** A file that no version holds. */
  add(file: ObsoleteFile): void {
    this.#ready.push(file)
    this.#report()
  }

  #sweep(): void {
    while (this.#versions.length > 1 && !isPinned(this.#versions[0]!)) {
      this.#ready.push(...this.#versions.shift()!.dropped)
    }
    for (const count of this.#versions) {
      if (count.pins.everything > 0) break
      this.#ready.push(...count.dropped.filter(({ kind }) => kind !== 'table'))
      count.dropped = count.dropped.filter(({ kind }) => kind === 'table')
    }
    this.#report()
  }

  #report(): void {
    if (this.#held || !this.#callback) return
    for (const file of this.#ready.splice(0)) this.#callback(file)
  }
}

function isPinned({ pins }: PinCount): boolean {
  return pins.everything > 0 || pins.tables > 0
}
