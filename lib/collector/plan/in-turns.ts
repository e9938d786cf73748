/**
 * Passes over many files that let the event loop turn in between: the planner is pure, and takes its figures from files
 * that do not change, so whoever steps it may do something else meanwhile.
 */
import type { CollectibleFile } from '../../space/figures.ts'

/** Files of one turn: about a millisecond. */
const FILES_PER_TURN = 2048

/** Work that yields where the event loop may turn. */
export type InTurns<Result> = Generator<undefined, Result, undefined>

export function* visitInTurns(
  files: Iterable<CollectibleFile>,
  visit: (file: CollectibleFile, index: number) => void,
): InTurns<void> {
  let index = 0
  for (const file of files) {
    visit(file, index++)
    if (index % FILES_PER_TURN === 0) yield
  }
}

/** Does it in one turn. */
export function atOnce<Result>(work: InTurns<Result>): Result {
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
  }
}
