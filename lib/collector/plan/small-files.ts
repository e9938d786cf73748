/**
 * Small files cost descriptors and lookups: they ride along with a rewrite that has room, and are merged once there are
 * many. Pure.
 */
import type { CollectibleFile } from '../../space/figures.ts'
import { BestFirst } from './best-first.ts'
import {
  addRewriteSums,
  isRewriteWorthIt,
  outputBytes,
  type RewriteSums,
  rewriteBytesFreed,
  rewriteRate,
  rewriteSums,
} from './costs.ts'
import { type Draft, hasRoom } from './draft.ts'
import { type InTurns, visitInTurns } from './in-turns.ts'
import type { PlannerOptions } from './planning-rules.ts'

/** So many small files are merged even if that frees little. Each byte is copied once in eight. */
const MERGE_FILES_MIN = 8
/** When so many in a row find no room the rest is not tried: they may ride with the next rewrite. */
const LEFT_BEHIND_MAX = 64

/** What is rewritten together. */
interface Merged {
  readonly files: CollectibleFile[]
  input: RewriteSums
}

function isSmall(file: CollectibleFile, { smallFileBytes }: PlannerOptions): boolean {
  return !file.needsSeal && file.diskBytes < smallFileBytes
}

/** Small files with any garbage, best first. */
export class Riders {
  readonly #files: readonly CollectibleFile[]
  readonly #options: PlannerOptions
  readonly #riders: BestFirst
  /** Those that were asked for. */
  readonly #found: CollectibleFile[] = []

  /** @param files all of which are added before one is asked for */
  constructor(files: readonly CollectibleFile[], options: PlannerOptions) {
    this.#files = files
    this.#options = options
    this.#riders = new BestFirst(files.length)
  }

  /** @param index of the file */
  add(file: CollectibleFile, index: number): void {
    if (!isSmall(file, this.#options)) return
    const input = rewriteSums(file)
    if (file.totalBytes <= outputBytes(input)) return
    this.#riders.add(index, rewriteRate(input), file.number)
  }

  /** As those of ranked-ways.ts. */
  at(rank: number): CollectibleFile | undefined {
    if (rank < this.#found.length) return this.#found[rank]
    const index = this.#riders.take()
    if (index === undefined) return undefined
    const file = this.#files[index]!
    this.#found.push(file)
    return file
  }
}

/**
 * Small files with any garbage join a rewrite that has room, best first, while it frees no less
 * than before and stays worth it as a whole. The goal does not count: this is when they cost least.
 */
export function addRiders(draft: Draft, riders: Riders): void {
  let left = 0
  for (let rank = 0; ; rank++) {
    const file = riders.at(rank)
    if (file === undefined) return
    if (draft.taken.has(file.number)) continue
    if (draft.ride(file)) left = 0
    else if (++left === LEFT_BEHIND_MAX) return
  }
}

/** Merges small files that are in no step, oldest first. The last moves: beyond the goal they are cut. */
export function* mergeSmallFiles(draft: Draft, files: readonly CollectibleFile[]): InTurns<void> {
  // Then all of them would be cut.
  if (draft.isGoalReached) return
  const oldestFirst: CollectibleFile[] = []
  yield* visitInTurns(files, (file) => {
    if (isSmall(file, draft.options) && !draft.taken.has(file.number)) oldestFirst.push(file)
  })
  oldestFirst.sort((left, right) => left.number - right.number)
  let merged: Merged | undefined
  yield* visitInTurns(oldestFirst, (file) => {
    const input = rewriteSums(file)
    if (merged !== undefined && !hasRoom(merged.input, input, draft.options)) {
      merge(draft, merged)
      merged = undefined
    }
    if (!draft.mayCopy((merged?.input.copiedBytes ?? 0) + input.copiedBytes)) return
    if (merged === undefined) merged = { files: [file], input }
    else {
      merged.files.push(file)
      merged.input = addRewriteSums(merged.input, input)
    }
  })
  if (merged !== undefined) merge(draft, merged)
}

function merge(draft: Draft, { files, input }: Merged): void {
  const isUseful = files.length >= MERGE_FILES_MIN && rewriteBytesFreed(input) >= 0
  if (isUseful || isRewriteWorthIt(input, draft.options)) draft.open(files, input)
}
