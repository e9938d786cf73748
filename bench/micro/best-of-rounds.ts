/** How single parts are timed: several rounds, of which the best counts, since all that disturbs makes it slower. */

export const ROUNDS = 3

/** Microseconds for one of `count` operations, the best of the rounds. */
export function measure(count: number, run: () => void): number {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint()
    run()
    best = Math.min(best, Number(process.hrtime.bigint() - start) / 1000 / count)
  }
  return best
}
