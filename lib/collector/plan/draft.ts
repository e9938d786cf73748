/**
 * A plan as it grows: what has been taken so far, and what the disk will hold after it. Pure, but for its own figures.
 *
 * Rewrites share outputs: a victim joins the best-ranked output that has room.
 */
import type { PlannedFile } from '../../contract/collection-plan.ts'
import type { CollectibleFile } from '../../space/figures.ts'
import {
  addRewriteSums,
  isRewriteWorthIt,
  type PunchEstimate,
  type RewriteSums,
  rewriteBytesFreed,
  rewriteSums,
} from './costs.ts'
import { type Move, moveBytesFreed, movedFiles, type Output } from './moves.ts'
import type { PlannerOptions } from './planning-rules.ts'

/** One rewrite takes files of so many segments together: a mark holds some 70 bytes for each of their records (I10). */
const REWRITTEN_SEGMENTS_MAX = 8
/** Bounds the search for room; beyond it the fullest output takes no more. */
const OPEN_OUTPUTS_MAX = 16

export class Draft {
  readonly options: PlannerOptions
  /** Numbers of the files that are in a step. */
  readonly taken: Set<number> = new Set()
  /** In order of the rank of the first file of each. */
  readonly moves: Move[] = []
  /** Those of the moves that may have room, in the same order. */
  readonly #openOutputs: Output[] = []
  /** Files that another step rewrites: they are taken. */
  readonly #besides: readonly PlannedFile[]
  #diskBytes: number
  #copyBytesLeft: number

  constructor(diskBytes: number, options: PlannerOptions, besides: readonly PlannedFile[] = []) {
    this.options = options
    this.#besides = besides
    for (const { number } of besides) this.taken.add(number)
    this.#diskBytes = diskBytes
    this.#copyBytesLeft = options.maxCopyBytes ?? Number.POSITIVE_INFINITY
  }

  /** As predicted after all that has been taken. */
  get diskBytes(): number {
    return this.#diskBytes
  }

  get isGoalReached(): boolean {
    return this.#diskBytes <= this.options.goalDiskBytes
  }

  get hasOutputs(): boolean {
    return this.#openOutputs.length > 0
  }

  /** Numbers of all files that are rewritten. */
  get rewritten(): ReadonlySet<number> {
    const rewrites = this.moves.filter((move) => move.action === 'rewrite')
    const files = [...this.#besides, ...rewrites.flatMap(movedFiles)]
    return new Set(files.map(({ number }) => number))
  }

  mayCopy(bytes: number): boolean {
    return bytes <= this.#copyBytesLeft
  }

  drop(file: CollectibleFile): void {
    this.#take(file)
    this.#diskBytes -= file.diskBytes
  }

  punch(file: CollectibleFile, estimate: PunchEstimate): void {
    this.moves.push({ action: 'punch', file, estimate })
    this.#take(file)
    this.#diskBytes -= estimate.bytesFreed
  }

  /** In the first output that has room, or one of its own; not if that would copy too much. */
  rewrite(file: CollectibleFile): void {
    const input = rewriteSums(file)
    if (!this.mayCopy(input.copiedBytes)) return
    const output = this.#openOutputs.find((open) => hasRoom(open.input, input, this.options))
    if (output === undefined) this.open([file], input)
    else this.#join(output, file, input)
  }

  /**
   * A small file joins an output which then frees no less than before, and stays worth it as a whole.
   * @returns false if there is none
   */
  ride(file: CollectibleFile): boolean {
    const input = rewriteSums(file)
    if (!this.mayCopy(input.copiedBytes)) return false
    const output = this.#openOutputs.find((open) => this.#canRide(open, input))
    if (output !== undefined) this.#join(output, file, input)
    return output !== undefined
  }

  #canRide({ input: present }: Output, input: RewriteSums): boolean {
    if (!hasRoom(present, input, this.options)) return false
    const sum = addRewriteSums(present, input)
    const freesNoLess = rewriteBytesFreed(sum) >= rewriteBytesFreed(present)
    return freesNoLess && isRewriteWorthIt(sum, this.options)
  }

  /** A rewrite of these files. */
  open(files: CollectibleFile[], input: RewriteSums): void {
    const output: Output = { action: 'rewrite', files, input }
    this.moves.push(output)
    for (const file of files) this.#take(file)
    this.#diskBytes -= rewriteBytesFreed(input)
    this.#copyBytesLeft -= input.copiedBytes
    const outputs = this.#openOutputs
    outputs.push(output)
    if (outputs.length <= OPEN_OUTPUTS_MAX) return
    const fullest = outputs.reduce((best, open) =>
      open.input.copiedBytes > best.input.copiedBytes ? open : best,
    )
    outputs.splice(outputs.indexOf(fullest), 1)
  }

  #join(output: Output, file: CollectibleFile, input: RewriteSums): void {
    const sum = addRewriteSums(output.input, input)
    this.#diskBytes -= rewriteBytesFreed(sum) - rewriteBytesFreed(output.input)
    this.#copyBytesLeft -= input.copiedBytes
    this.#take(file)
    output.files.push(file)
    output.input = sum
  }

  #take(file: CollectibleFile): void {
    this.taken.add(file.number)
  }

  /**
   * Cuts what is not needed for the goal: merges, and moves whose share was freed meanwhile by a file that joined an
   * earlier output.
   */
  cutNeedlessMoves(): void {
    for (let move = this.moves.at(-1); move !== undefined; move = this.moves.at(-1)) {
      const bytesFreed = moveBytesFreed(move)
      if (this.#diskBytes + bytesFreed > this.options.goalDiskBytes) return
      this.#diskBytes += bytesFreed
      for (const file of movedFiles(move)) this.taken.delete(file.number)
      this.moves.pop()
    }
  }
}

/** Both together are no more than one rewrite takes. */
export function hasRoom(present: RewriteSums, more: RewriteSums, options: PlannerOptions): boolean {
  const { segmentBytes } = options
  const copiedBytes = present.copiedBytes + more.copiedBytes
  const totalBytes = present.totalBytes + more.totalBytes
  return copiedBytes <= segmentBytes && totalBytes <= REWRITTEN_SEGMENTS_MAX * segmentBytes
}
