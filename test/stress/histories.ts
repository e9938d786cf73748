/**
 * What may be seen of each group of keys: the versions between the last that was acknowledged and the last that was
 * issued, but none that was refused.
 *
 * Each group has one writer at a time, so its versions are written in order. Whoever looks takes a view before the look
 * and holds what it sees against it afterwards.
 */
import { GROUPS, isDelete, membersOf, parseKey, versionIn } from './content.ts'

class History {
  issued = 0
  acknowledged = 0
  /** Acknowledged as durable. */
  durable = 0
  /** Rejected: not visible until the store is opened again. With each, how many were rejected before it. */
  readonly refused: Map<number, number> = new Map()
  /** Versions that are gone by themselves, and when. */
  readonly expiring: Map<number, number> = new Map()
}

/** What was true of all groups when it was taken. Later looks through one snapshot see one version of each. */
export class View {
  readonly #histories: Histories
  readonly #acknowledged: number[]
  readonly #durable: number[]
  /** Undefined while later versions may come into sight. */
  readonly #ceilings: number[] | undefined
  readonly #refusals: number
  readonly #began: number = Date.now()
  readonly #seen: Map<number, number | 'nothing'> = new Map()

  constructor(histories: Histories, isMoment: boolean) {
    this.#histories = histories
    this.#acknowledged = histories.acknowledged()
    this.#durable = histories.durable()
    this.#refusals = histories.refusals
    this.#ceilings = isMoment ? histories.issued() : undefined
  }

  /** Holds one key against what may be seen. @returns the version, or undefined for a key that is not there */
  check(group: number, member: number, value: Uint8Array | undefined): number | undefined {
    // A sync may have failed since the look began.
    const floor = (this.#histories.syncFailed ? this.#durable : this.#acknowledged)[group]!
    const history = this.#histories.of(group)
    const ceiling = this.#ceilings?.[group] ?? history.issued
    const name = `${group}/${member}`
    const range = `versions ${floor} to ${ceiling} may be seen`
    if (value === undefined) {
      for (let version = floor; version <= ceiling; version++) {
        const isGone = isDelete(group, version) || isExpired(history, version, Date.now())
        if (isGone && !this.#isRefused(history, version)) return undefined
      }
      throw new Error(`${name} is missing, ${range}`)
    }
    const version = versionIn(group, member, value)
    if (version < floor || version > ceiling) throw new Error(`${name}#${version}, ${range}`)
    if (this.#isRefused(history, version)) throw new Error(`${name}#${version} was refused`)
    if (isDelete(group, version)) throw new Error(`${name}#${version} was a delete`)
    if (isExpired(history, version, this.#began)) throw new Error(`${name}#${version} had expired`)
    return version
  }

  /** What waited for a sync was visible until that failed: a look that began before may have seen it. */
  #isRefused({ refused }: History, version: number): boolean {
    const at = refused.get(version)
    return at !== undefined && (at < this.#refusals || !this.#histories.syncFailed)
  }

  /**
   * Holds a whole group, as it was at one moment, against what may be seen.
   * @param values of its members, in order
   */
  checkGroup(group: number, values: readonly (Uint8Array | undefined)[]): void {
    const versions = values.map((value, member) => this.check(group, member, value) ?? 'nothing')
    if (new Set(versions).size > 1) {
      throw new Error(`group ${group} is torn: versions ${versions.join(', ')}`)
    }
    // Through a snapshot it is always the same one.
    if (this.#ceilings === undefined) return
    const before = this.#seen.get(group)
    if (before !== undefined && before !== versions[0]) {
      throw new Error(`group ${group} changed in a snapshot: ${before}, then ${versions[0]}`)
    }
    this.#seen.set(group, versions[0]!)
  }

  /** Holds all entries of a range of whole groups, in order, against what may be seen. */
  checkRange(
    from: number,
    to: number,
    entries: readonly (readonly [Uint8Array, Uint8Array])[],
  ): void {
    const found = new Map<string, Uint8Array>()
    for (const [key, value] of entries) {
      const place = parseKey(Buffer.from(key).toString())
      if (!place || place.group < from || place.group > to) {
        throw new Error(`a key that does not belong here: ${Buffer.from(key).toString()}`)
      }
      found.set(`${place.group}/${place.member}`, value)
    }
    if (found.size !== entries.length) throw new Error('a key came twice')
    for (let group = from; group <= to; group++) {
      const values = Array.from({ length: membersOf(group) }, (_, member) =>
        found.get(`${group}/${member}`),
      )
      this.checkGroup(group, values)
    }
  }
}

function isExpired({ expiring }: History, version: number, moment: number): boolean {
  const expiry = expiring.get(version)
  return expiry !== undefined && expiry <= moment
}

export class Histories {
  readonly #groups: History[] = Array.from({ length: GROUPS }, () => new History())
  /** Versions that were rejected so far. */
  refusals = 0
  /** A sync has failed: only what was durable is sure to be seen, until the store is opened again. */
  syncFailed = false

  of(group: number): History {
    return this.#groups[group]!
  }

  /** @returns the version that is written next */
  issue(group: number): number {
    return ++this.of(group).issued
  }

  /** It is gone by itself at this moment. */
  expires(group: number, version: number, moment: number): void {
    this.of(group).expiring.set(version, moment)
  }

  acknowledge(group: number, version: number, durable: boolean): void {
    const history = this.of(group)
    history.acknowledged = version
    if (durable) history.durable = version
  }

  refuse(group: number, version: number): void {
    this.of(group).refused.set(version, this.refusals++)
  }

  /** Everything acknowledged so far. Give it to `makeDurable` when a sync that began later has ended. */
  acknowledged(): number[] {
    return this.#groups.map((history) => history.acknowledged)
  }

  durable(): number[] {
    return this.#groups.map((history) => history.durable)
  }

  issued(): number[] {
    return this.#groups.map((history) => history.issued)
  }

  makeDurable(versions: readonly number[]): void {
    for (const [group, history] of this.#groups.entries()) {
      history.durable = Math.max(history.durable, versions[group]!)
    }
  }

  /** For a look that takes a while. */
  now(): View {
    return new View(this, false)
  }

  /** For a snapshot or an iterator that is made in this tick. */
  moment(): View {
    return new View(this, true)
  }

  /** The store was opened again: what was refused may be there now. */
  reopened(): void {
    for (const history of this.#groups) {
      if (this.syncFailed) history.acknowledged = history.durable
      history.refused.clear()
    }
    this.syncFailed = false
  }

  /** After a look at a store that nobody writes: what was seen is what is there. */
  settle(group: number, version: number | undefined): void {
    const history = this.of(group)
    if (version !== undefined) history.acknowledged = version
  }
}
