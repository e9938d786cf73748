/**
 * The files that a plan may take, ranked: once for all drafts that are made of them, since a ranking goes through all
 * files. Pure.
 */
import type { CollectibleFile } from '../../space/figures.ts'
import { isDroppable, isMovable } from './costs.ts'
import { type InTurns, visitInTurns } from './in-turns.ts'
import type { PlannerOptions } from './planning-rules.ts'
import { RankedWays } from './ranked-ways.ts'
import { Riders } from './small-files.ts'

export class Candidates {
  readonly options: PlannerOptions
  /** What nothing refers to, by number. */
  readonly dropped: readonly CollectibleFile[]
  /** What is referred to and not blocked. */
  readonly usable: readonly CollectibleFile[]
  #ways: RankedWays | undefined
  #riders: Riders | undefined

  private constructor(
    options: PlannerOptions,
    dropped: readonly CollectibleFile[],
    usable: readonly CollectibleFile[],
  ) {
    this.options = options
    this.dropped = dropped
    this.usable = usable
  }

  static *of(files: Iterable<CollectibleFile>, options: PlannerOptions): InTurns<Candidates> {
    const dropped: CollectibleFile[] = []
    const usable: CollectibleFile[] = []
    yield* visitInTurns(files, (file) => {
      if (isDroppable(file)) dropped.push(file)
      else if (isMovable(file)) usable.push(file)
    })
    dropped.sort((left, right) => left.number - right.number)
    return new Candidates(options, dropped, usable)
  }

  *ways(): InTurns<RankedWays> {
    if (this.#ways) return this.#ways
    const ways = new RankedWays(this.usable, this.options)
    yield* visitInTurns(this.usable, (file, index) => ways.add(file, index))
    this.#ways = ways
    return ways
  }

  *riders(): InTurns<Riders> {
    if (this.#riders) return this.#riders
    const riders = new Riders(this.usable, this.options)
    yield* visitInTurns(this.usable, (file, index) => riders.add(file, index))
    this.#riders = riders
    return riders
  }
}
