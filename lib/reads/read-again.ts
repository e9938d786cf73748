/**
 * Reading again: how a reader beside a writer tells damage from the writer's work.
 *
 * A reader has no hold on the files of its view (I11): a writer removes them, and makes holes in them, as soon as an
 * edit that needs them no more is durable (I5). So what is missing or fails a check is read again, in a view that is
 * read from CURRENT after the first attempt. What a newer version needs is neither removed nor a hole, and no number of
 * a file is used twice: what fails in two views in the same place is damage, anything else a view that has grown old.
 * A reader moves on to the newer view; one that finds each view too old, because the writer is faster, says WISC_STALE.
 */
import { CorruptionError, IoError, isMissing, toWiscError, WiscError } from '../base/errors.ts'

/** A writer that works hard can pull files away from several attempts in a row. */
const ATTEMPTS_MAX = 32

/** An engine, as far as its views go. */
export interface Viewer {
  /** Counts the views of an engine that only reads. One that writes sees every change itself and has none. */
  readonly viewNumber?: number
  /** Goes on to the newest state, unless it did since that view. Older snapshots and iterators are stale then. */
  moveOn?(viewNumber: number | undefined): void
  /** What is reported when a read has failed that is bound to its view. */
  viewFailure(error: unknown): WiscError
}

/** A view whose files the writer has removed or punched meanwhile. */
export function staleView(cause?: unknown): WiscError {
  const message = 'the files of this view are gone: take a new one'
  return new WiscError('WISC_STALE', message, cause === undefined ? undefined : { cause })
}

/** True for what a writer's work looks like to a reader: something is missing, or fails a check. */
export function mayBeWriters(error: unknown): boolean {
  return error instanceof CorruptionError || isMissing(error) || isStale(error)
}

/** Where something failed; undefined for a view that is old for another reason. */
export function placeOf(error: unknown): string | undefined {
  const failure = isStale(error) ? error.cause : error
  if (failure instanceof CorruptionError) return `${failure.file} ${failure.offset}`
  return failure instanceof IoError ? failure.path : undefined
}

export function isStale(error: unknown): error is WiscError {
  return error instanceof WiscError && error.code === 'WISC_STALE'
}

/** The attempts to read one thing, each in a newer view than the one before. */
export class Attempts {
  readonly #seen: Set<string> = new Set()
  #count = 0

  /**
   * Called when one has failed. Returns if another one is due.
   * @throws the error if no writer causes it or it was seen before in the same place; WISC_STALE after too many
   */
  again(error: unknown): void {
    if (!mayBeWriters(error)) throw toWiscError(error)
    const place = placeOf(error)
    if (place !== undefined && this.#seen.has(place)) throw isStale(error) ? error.cause : error
    if (++this.#count === ATTEMPTS_MAX) throw isStale(error) ? error : staleView(error)
    if (place !== undefined) this.#seen.add(place)
  }

  /**
   * The same for one that has found several things.
   * @returns false if all of them were seen before in the same places: then each is damage, and no other is due
   * @throws WISC_STALE after too many
   */
  areNew(errors: readonly WiscError[]): boolean {
    const places = errors.map((error) => placeOf(error) ?? error.message)
    const first = places.findIndex((place) => !this.#seen.has(place))
    if (first < 0) return false
    if (++this.#count === ATTEMPTS_MAX) throw staleView(errors[first])
    for (const place of places) this.#seen.add(place)
    return true
  }
}

/** Reads until that succeeds; each attempt begins from CURRENT. @throws as {@link Attempts.again} */
export function readFromCurrent<T>(read: () => T): T {
  const attempts = new Attempts()
  for (;;) {
    try {
      return read()
    } catch (error) {
      attempts.again(error)
    }
  }
}

/**
 * Reads once more what could not be read, in newer views, if the engine is one that only reads.
 * @param viewNumber of the one in which it failed
 * @throws the error, as {@link Attempts.again}
 */
export function readAgain<T>(
  engine: Viewer,
  viewNumber: number | undefined,
  error: unknown,
  read: () => T,
): T {
  const attempts = new Attempts()
  for (let failure = error, from = viewNumber; ; ) {
    from = moveOn(engine, from, failure, attempts)
    try {
      return read()
    } catch (next) {
      failure = next
    }
  }
}

/** The same for what takes its time. */
export async function readAgainLater<T>(
  engine: Viewer,
  viewNumber: number | undefined,
  error: unknown,
  read: () => Promise<T>,
): Promise<T> {
  const attempts = new Attempts()
  for (let failure = error, from = viewNumber; ; ) {
    from = moveOn(engine, from, failure, attempts)
    try {
      return await read()
    } catch (next) {
      failure = next
    }
  }
}

/** @returns the number of the view that is read in now */
function moveOn(
  engine: Viewer,
  viewNumber: number | undefined,
  error: unknown,
  attempts: Attempts,
): number | undefined {
  if (engine.moveOn === undefined) throw engine.viewFailure(error)
  attempts.again(error)
  engine.moveOn(viewNumber)
  return engine.viewNumber
}
