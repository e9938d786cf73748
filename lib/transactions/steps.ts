/** Long work on the calling thread, in steps: between two of them the event loop turns, if it is time. */
import type { EventLoopTurn } from '../base/event-loop-turn.ts'

/** Searches, or steps of a cursor, before it is asked whether the event loop should turn. */
const STEPS_PER_LOOK = 128

export class Steps {
  readonly #turn: Pick<EventLoopTurn, 'isOld' | 'later'>
  readonly #isGivenUp: () => boolean
  #count = 0

  /** @param isGivenUp true if nobody waits for it any more */
  constructor(turn: Pick<EventLoopTurn, 'isOld' | 'later'>, isGivenUp: () => boolean) {
    this.#turn = turn
    this.#isGivenUp = isGivenUp
  }

  /** One was made. @returns true if the event loop should turn before the next one */
  isTurnDue(): boolean {
    return ++this.#count % STEPS_PER_LOOK === 0 && this.#turn.isOld()
  }

  /** The same behind a longer step. @returns true if there is no need to go on */
  async turnIfOld(): Promise<boolean> {
    return this.#turn.isOld() && (await this.turn())
  }

  /** @returns true if there is no need to go on */
  async turn(): Promise<boolean> {
    await new Promise<void>((resolve) => this.#turn.later(resolve))
    return this.#isGivenUp()
  }
}
