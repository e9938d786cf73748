/**
 * Keeps what a kind of work was done with until the next work of its kind has made its own.
 *
 * V8 ties optimized code to the hidden classes of the objects that it was made for, and throws it away when a major
 * collection finds no such object alive. Between two jobs of a worker there is none: every few seconds a collection of
 * its small heap took some forty functions with it, which were interpreted, and then compiled anew, for 3 ms each.
 * Measured in `bench/micro/mark.ts` by `--trace-deopt --expose-gc` with a collection after each rewrite.
 *
 * What is kept is what the last work held at its end: closed files, and buffers of bounded size.
 */
const kept: Map<string, object> = new Map()

/** @param parts what lives as long as the work does, and is made anew for the next */
export function keepUntilNext(work: string, parts: object): void {
  kept.set(work, parts)
}
