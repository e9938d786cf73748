/**
 * Obsolete files: the pins of versions, and the files that went with each of them.
 *
 * Invariant I5: a file is reported once, after the edit that drops it is durable, and when no
 * version that holds it is pinned. Versions form a line; a file that went when a version was
 * superseded waits for that version and for all older ones.
 *
 * A pin may be of the tables alone. A compaction reads no values and lasts a while: if it held the
 * value log, too, nothing that is collected meanwhile would come back before it ends.
 */
import { assert } from '../../base/errors.ts'
import type { FileNumber } from '../../base/ids.ts'
import type { Version } from './version.ts'

export interface ObsoleteFile {
  readonly kind: 'table' | 'segment' | 'manifest'
  readonly number: FileNumber
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
  /** Files that this version, or one before it, was the last to have, and that nothing but its pins keeps. */
  readonly dropped: ObsoleteFile[]
}

function unpinned(version: Version): PinCount {
  return { version, pins: { everything: 0, tables: 0 }, dropped: [] }
}

function isPinned({ pins }: PinCount): boolean {
  return pins.everything > 0 || pins.tables > 0
}

export class ObsoleteFiles {
  /** The pinned ones, oldest first, and last the current version. */
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
      this.#letGo(count)
      this.#report()
    }
    return { version: count.version, release }
  }

  /** A version is superseded by the next one, durably. */
  supersede(next: Version, dropped: readonly ObsoleteFile[]): void {
    const superseded = this.#versions[this.#versions.length - 1]!
    superseded.dropped.push(...dropped)
    this.#versions.push(unpinned(next))
    this.#letGo(superseded)
    this.#report()
  }

  /** A file that no version holds. */
  add(file: ObsoleteFile): void {
    this.#ready.push(file)
    this.#report()
  }

  /** What the pins of a version do not keep any more waits for those of older ones. */
  #letGo(count: PinCount): void {
    const at = this.#versions.lastIndexOf(count)
    for (const file of count.dropped.splice(0)) {
      const keeper = this.#versions.findLast(
        ({ pins }, i) =>
          i <= at && (pins.everything > 0 || (file.kind === 'table' && pins.tables > 0)),
      )
      if (keeper) keeper.dropped.push(file)
      else this.#ready.push(file)
    }
    if (at < this.#versions.length - 1 && !isPinned(count)) this.#versions.splice(at, 1)
  }

  #report(): void {
    if (this.#held || !this.#callback) return
    for (const file of this.#ready.splice(0)) this.#callback(file)
  }
}
