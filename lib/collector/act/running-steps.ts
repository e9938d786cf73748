/**
 * The steps that the collector carries out by itself at the moment: the files that they work on, and the room that
 * they will take and give back.
 *
 * A punch waits for the disk most of its time, so it goes beside another step on another file. Two rewrites go side by
 * side only where that was decided (plan/decide.ts): there is room for one output, and the second best victim is worse.
 * An edit alone (drop, forget) is over at once, and nothing begins beside it.
 */

import type { FileNumber } from '../../base/ids.ts'
import { plannedFiles } from '../../contract/collection.ts'
import type { CollectionStep } from '../../contract/collection-plan.ts'
import type { DiskUsage } from '../../space/disk-usage.ts'
import type { RelocationClaims } from '../../state/relocation-claims.ts'
import type { StepControl } from './action.ts'

interface RunningStep {
  readonly step: CollectionStep
  /** The file that a rewrite writes. */
  output: FileNumber | undefined
  ended: Promise<void> | undefined
}

/** Bytes of an output on disk. Where it cannot be asked they are 0: who reckons with them must not fail with it. */
export function writtenBytes(
  usage: Pick<DiskUsage, 'ofValueLogFile'>,
  output: FileNumber | undefined,
): number {
  if (output === undefined) return 0
  try {
    return usage.ofValueLogFile(output)
  } catch {
    return 0
  }
}

export class RunningSteps {
  readonly #usage: Pick<DiskUsage, 'ofValueLogFile'>
  readonly #stepsMax: number
  readonly #claims: Pick<RelocationClaims, 'foldedInto'>
  readonly #running: Set<RunningStep> = new Set()

  constructor(
    usage: Pick<DiskUsage, 'ofValueLogFile'>,
    stepsMax: number,
    claims: Pick<RelocationClaims, 'foldedInto'>,
  ) {
    this.#claims = claims
    this.#usage = usage
    this.#stepsMax = stepsMax
  }

  get count(): number {
    return this.#running.size
  }

  /** True if this step may begin now. @param pairsRewrites two of these may go side by side */
  hasPlaceFor({ action }: CollectionStep, pairsRewrites: boolean): boolean {
    const actions = [...this.#running].map(({ step }) => step.action)
    const isAlone = actions.length === 0
    const isBeside = actions.every(
      (other) =>
        other === 'punch' || (other === 'rewrite' && (action !== 'rewrite' || pairsRewrites)),
    )
    return isAlone || (isBeside && actions.length < this.#stepsMax)
  }

  /** The files that steps work on, or a compaction folds into: no other step may take them. */
  get busyFiles(): ReadonlySet<FileNumber> {
    const numbers = [...this.#running].flatMap(({ step }) =>
      plannedFiles(step).map(({ number }) => number),
    )
    return new Set([...numbers, ...this.#claims.foldedInto])
  }

  /** @param execute carries the step out, and never rejects; it tells which file it writes */
  start(
    step: CollectionStep,
    execute: (control: Required<Pick<StepControl, 'began'>>) => Promise<void>,
  ): Promise<void> {
    const running: RunningStep = { step, output: undefined, ended: undefined }
    this.#running.add(running)
    const began = (file: FileNumber): void => {
      running.output = file
    }
    running.ended = execute({ began }).finally(() => {
      this.#running.delete(running)
    })
    return running.ended
  }

  /** Resolves when one has ended. */
  async anyEnded(): Promise<void> {
    await Promise.race([...this.#running].map(({ ended }) => ended))
  }

  /** The bytes on disk when all that run have ended. */
  diskBytesAfter(diskBytes: number): number {
    let after = diskBytes
    for (const running of this.#running)
      after -= running.step.bytesFreed + writtenBytes(this.#usage, running.output)
    return after
  }
}
