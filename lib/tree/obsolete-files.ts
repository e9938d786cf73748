/**
 * Which files nobody needs any more: the pins of versions, and the files that went with each of
 * them.
 *
 * Invariant I5: a file is reported once, after the edit that drops it is durable, and when no
 * version that holds it is pinned. Versions form a line; a file that went when a version was
 * superseded waits for that version and for all older ones.
 */
import { assert } from '../base/errors.ts'
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

interface PinCount {
  readonly version: Version
  pins: number
  /** Files that the next version does not have. */
  dropped: readonly ObsoleteFile[]
}

export class ObsoleteFiles {
  /** Oldest first; the last one is the current version. */
  readonly #versions: PinCount[]
  readonly #ready: ObsoleteFile[] = []
  #callback: ((file: ObsoleteFile) => void) | undefined
  #held = false

  constructor(first: Version) {
    this.#versions = [{ version: first, pins: 0, dropped: [] }]
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
  pin(): PinnedVersion {
    const count = this.#versions[this.#versions.length - 1]!
    count.pins++
    let released = false
    const release = (): void => {
      if (released) return
      released = true
      count.pins--
      this.#sweep()
    }
    return { version: count.version, release }
  }

  /** A version is superseded by the next one, durably. */
  supersede(next: Version, dropped: readonly ObsoleteFile[]): void {
    this.#versions[this.#versions.length - 1]!.dropped = dropped
    this.#versions.push({ version: next, pins: 0, dropped: [] })
    this.#sweep()
  }

  /** A file that no version holds. */
  add(file: ObsoleteFile): void {
    this.#ready.push(file)
    this.#report()
  }

  #sweep(): void {
    while (this.#versions.length > 1 && this.#versions[0]!.pins === 0) {
      this.#ready.push(...this.#versions.shift()!.dropped)
    }
    this.#report()
  }

  #report(): void {
    if (this.#held || !this.#callback) return
    for (const file of this.#ready.splice(0)) this.#callback(file)
  }
}
