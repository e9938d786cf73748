/** Work in steps, as jobs do it, run to its end. */

/** @param each sees what each step yields */
export function runSteps<Yielded, Result>(
  steps: Generator<Yielded, Result>,
  each: (yielded: Yielded) => void = () => undefined,
): Result {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
    each(step.value)
  }
}
