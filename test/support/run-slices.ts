/** Work in slices, as jobs do it, run to its end. */

/** @param each sees what each slice yields */
export function runSlices<Yielded, Result>(
  slices: Generator<Yielded, Result>,
  each: (yielded: Yielded) => void = () => undefined,
): Result {
  for (;;) {
    const slice = slices.next()
    if (slice.done) return slice.value
    each(slice.value)
  }
}
