/** The views of a store that is followed: the present one, and older ones that are still read, in bounded memory. */
import type { FileNumber } from '../base/ids.ts'
import { compareLogPositions } from '../base/log-position.ts'
import type { Version } from '../tree/version/version.ts'
import type { FollowedView } from './followed-view.ts'

export class FollowedViews {
  readonly #heldBytesMax: number
  readonly #changed: () => void
  #present: FollowedView
  /** Oldest first. */
  readonly #older: Set<FollowedView> = new Set()

  /**
   * @param heldBytesMax of memtables that older views alone hold
   * @param changed called when files of older views are not needed any more
   */
  constructor(first: FollowedView, heldBytesMax: number, changed: () => void) {
    this.#present = first
    this.#heldBytesMax = heldBytesMax
    this.#changed = changed
  }

  get present(): FollowedView {
    return this.#present
  }

  /** Views that are kept, the present one included. */
  get count(): number {
    return this.#older.size + 1
  }

  /** A newer view is the present one. */
  show(view: FollowedView): void {
    this.#replace(view)
    // One that nobody reads leaves its memtables, too, while an older one is read.
    this.#bound()
    this.#changed()
  }

  /** What older views have read may be of another history: they are given up. */
  startOver(view: FollowedView): void {
    this.#replace(view)
    for (const older of this.#older) this.#giveUp(older)
    this.#changed()
  }

  #replace(view: FollowedView): void {
    const old = this.#present
    this.#present = view
    // Nobody who reads it reads its newest sequence because it is the newest.
    old.readers.newest = -1
    if (old.readers.count === 0) this.#giveBack(old)
    else {
      this.#older.add(old)
      old.readers.released = () => {
        if (old.readers.count === 0) this.#drop(old)
      }
    }
  }

  hasTable(number: FileNumber): boolean {
    return this.#anyVersion((version) => version.tables.has(number)) !== undefined
  }

  hasFile(number: FileNumber): boolean {
    return this.#anyVersion((version) => version.files.has(number)) !== undefined
  }

  /** One that has the table; the present one if none has. */
  versionWith(table: FileNumber): Version {
    return this.#anyVersion((version) => version.tables.has(table)) ?? this.#present.version
  }

  #anyVersion(isMeant: (version: Version) => boolean): Version | undefined {
    if (isMeant(this.#present.version)) return this.#present.version
    for (const { version } of this.#older) if (isMeant(version)) return version
    return undefined
  }

  #drop(view: FollowedView): void {
    if (!this.#older.delete(view)) return
    this.#giveBack(view)
    this.#changed()
  }

  /** What is left behind by a view that is none any more. */
  #giveBack({ tail: { memtables } }: FollowedView): void {
    const checkpoints = [this.#present, ...this.#older]
      .filter(({ tail }) => tail.memtables === memtables)
      .map(({ version }) => version.checkpoint)
      .sort(compareLogPositions)
    if (checkpoints[0]) memtables.dropBelow(checkpoints[0])
    else memtables.giveBack()
  }

  /** Whoever holds on to old views for too long loses them, the oldest first. */
  #bound(): void {
    for (const view of this.#older) {
      if (this.#heldBytes() <= this.#heldBytesMax) return
      this.#giveUp(view)
    }
  }

  #giveUp(view: FollowedView): void {
    view.readers.stale = true
    this.#older.delete(view)
    this.#giveBack(view)
  }

  #heldBytes(): number {
    const { tail, version } = this.#present
    const { memtables } = tail
    const held = new Set([...this.#older].map((view) => view.tail.memtables))
    held.delete(memtables)
    let bytes = memtables.bytesBelow(version.checkpoint)
    for (const { usedBytes } of held) bytes += usedBytes
    return bytes
  }
}
