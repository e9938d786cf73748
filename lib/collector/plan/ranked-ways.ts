/**
 * The ways to take space back from files, best first: by the bytes that each frees for each byte of cost. Pure.
 *
 * Whoever collects for ever weighs that by the age of the file, after Rosenblum and Ousterhout (TOCS 1992): what has
 * lived long in it dies slowly, so that its copy stays as it is, while more of a young one will have died by itself
 * when it is its turn. Where all values die alike an older file has more garbage anyhow, and the order is the same. By
 * the root of the age: nearly as much is gained as by the age itself, and small stores lose less, since the files of
 * one differ by chance.
 */
import type { CollectibleFile } from '../../space/figures.ts'
import { BestFirst } from './best-first.ts'
import { estimatePunch, isRewriteWorthIt, punchRate, rewriteRate, rewriteSums } from './costs.ts'
import type { PlannerOptions } from './planning-rules.ts'

/** One way to take space back from one file. */
export interface Way {
  readonly file: CollectibleFile
  readonly action: 'punch' | 'rewrite'
}

export class RankedWays {
  readonly #files: readonly CollectibleFile[]
  /** Way 2i is the punch of file i, way 2i + 1 its rewrite. */
  readonly #ways: BestFirst
  /** Those that were asked for, best first. */
  readonly #found: Way[] = []
  readonly #options: PlannerOptions

  /** @param files all of which are added before a way is taken */
  constructor(files: readonly CollectibleFile[], options: PlannerOptions) {
    this.#files = files
    this.#options = options
    this.#ways = new BestFirst(files.length * 2)
  }

  /** @param index of the file */
  add(file: CollectibleFile, index: number): void {
    // Of equals the oldest file, and its punch, which needs no space, comes first.
    const order = file.number * 2
    const weight = ageWeight(file, this.#options)
    const punch = estimatePunch(file, this.#options)
    if (punch) this.#ways.add(index * 2, weight * punchRate(file, punch, this.#options), order)
    const sums = rewriteSums(file)
    if (!isRewriteWorthIt(sums, this.#options)) return
    this.#ways.add(index * 2 + 1, weight * rewriteRate(sums), order + 1)
  }

  /** The best way is at 0, the next best at 1; undefined if there are not so many. Requires: `rank` goes up by 1. */
  at(rank: number): Way | undefined {
    if (rank < this.#found.length) return this.#found[rank]
    const best = this.#ways.take()
    if (best === undefined) return undefined
    const way = { file: this.#files[best >> 1]!, action: best & 1 ? 'rewrite' : 'punch' } as const
    this.#found.push(way)
    return way
  }
}

/** By the files that were begun since, tables, too: as good a clock as any, and known after an open. */
function ageWeight({ number }: CollectibleFile, { nextFileNumber }: PlannerOptions): number {
  return nextFileNumber === undefined ? 1 : Math.sqrt(Math.max(1, nextFileNumber - number))
}

/** There is a way that is worth its cost. */
export function hasWay(file: CollectibleFile, options: PlannerOptions): boolean {
  return estimatePunch(file, options) !== undefined || isRewriteWorthIt(rewriteSums(file), options)
}
