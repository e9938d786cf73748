/** Where snapshots and iterators of a store that only reads have found something gone or damaged. */
import { toWiscError, type WiscError } from '../base/errors.ts'
import { mayBeWriters, placeOf, staleView } from './read-again.ts'

/** Of old views, so many are remembered. */
const PLACES_MAX = 256

export class FailedPlaces {
  /** Place -> the number of the newest view when something failed there. */
  readonly #seen: Map<string, number> = new Map()

  /**
   * What fails in a view is damage if no edit came since the view was read, or if it has failed in the same place
   * before the view was read. Else the view is too old.
   * @param number of the view in which it failed @param newest that of the one that is shown now
   * @param hasMovedOn whether the writer has made an edit since the view was read
   * @returns what is to be reported: WISC_STALE if the view is too old
   */
  judge(error: unknown, number: number, newest: number, hasMovedOn: () => boolean): WiscError {
    if (!mayBeWriters(error)) return toWiscError(error)
    const place = placeOf(error)
    if (place === undefined) return toWiscError(error)
    const isSeen = (this.#seen.get(place) ?? newest) < number
    if (isSeen || !hasMovedOn()) return toWiscError(error)
    if (this.#seen.size === PLACES_MAX) this.#seen.clear()
    this.#seen.set(place, newest)
    return staleView(error)
  }
}
