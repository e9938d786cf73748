/**
 * The steps that run at the moment, the collector's own and those that callers ask for: the files that they work on,
 * the room that they will take and give back, and what may begin beside them.
 *
 * A punch waits for the disk most of its time, so it goes beside another step on another file. Two rewrites go side by
 * side only where that was decided (plan/decide.ts): there is room for one output, and the second best victim is
 * worse. An edit alone (drop, forget) is over at once, and nothing begins beside it. Collections and plans that
 * callers ask for go one after the other, and no step of the collector's own beside them.
 */

import type { FileNumber } from '../../base/ids.ts'
import { Signal } from '../../base/signal.ts'
import { plannedFiles } from '../../contract/collection.ts'
import type { CollectionStep } from '../../contract/collection-plan.ts'
import type { ResolvedOptions } from '../../contract/options.ts'
import type { DiskUsage } from '../../space/disk-usage.ts'
import type { RelocationClaims } from '../../state/relocation-claims.ts'

/** More would keep the cores from the foreground. */
const STEPS_MAX = 2

/** Own steps side by side. The rate that the user has set is that of one. */
export function stepsMaxOf({ workers, collector }: ResolvedOptions): number {
  return collector.bytesPerSecond === undefined ? Math.min(workers, STEPS_MAX) : 1
}

export interface RunningStep {
  readonly step: CollectionStep
  /** The collector's own, or one that a caller asks for. */
  readonly reason: 'space' | 'asked'
  /** The file that a rewrite writes, once it has begun. */
  output: FileNumber | undefined
}

export class RunningSteps {
  readonly #usage: Pick<DiskUsage, 'ofValueLogFile'>
  readonly #stepsMax: number
  readonly #claims: Pick<RelocationClaims, 'foldedInto'>
  readonly #running: Set<RunningStep> = new Set()
  /** Told when one has ended. */
  readonly #ended: Signal = new Signal()
  /** Callers who ask for something, waiting or served. */
  #asked = 0
  #served: Promise<void> | undefined

  constructor(
    usage: Pick<DiskUsage, 'ofValueLogFile'>,
    stepsMax: number,
    claims: Pick<RelocationClaims, 'foldedInto'>,
  ) {
    this.#claims = claims
    this.#usage = usage
    this.#stepsMax = stepsMax
  }

  /** Those of the collector's own: looks go by them, whatever callers ask for. */
  get count(): number {
    let count = 0
    for (const { reason } of this.#running) if (reason === 'space') count++
    return count
  }

  /** A step runs, or a caller asks for something. */
  get isBusy(): boolean {
    return this.#running.size > 0 || this.#asked > 0
  }

  /** True if this step of the collector's own may begin now. @param pairsRewrites two of these may go side by side */
  hasPlaceFor({ action }: CollectionStep, pairsRewrites: boolean): boolean {
    if (this.#asked > 0) return false
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

  /** @param execute carries the step out, and says which file it writes */
  async run<T>(
    step: CollectionStep,
    reason: RunningStep['reason'],
    execute: (running: RunningStep) => Promise<T>,
  ): Promise<T> {
    const running: RunningStep = { step, reason, output: undefined }
    this.#running.add(running)
    try {
      return await execute(running)
    } finally {
      this.#running.delete(running)
      this.#ended.tell()
    }
  }

  /** Does what a caller asks for, when all steps have ended and all that was asked for before. */
  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    this.#asked++
    try {
      while (this.#served || this.#running.size > 0) await (this.#served ?? this.#ended.next())
      const serving = work()
      this.#served = serving.then(ended, ended).finally(() => {
        this.#served = undefined
      })
      return await serving
    } finally {
      this.#asked--
    }
  }

  /** Resolves when no step runs and nobody is served. */
  async allEnded(): Promise<void> {
    while (this.#running.size > 0) await this.#ended.next()
    await this.#served
  }

  /** The most that running rewrites may still write. */
  get unwrittenBytes(): number {
    let bytes = 0
    for (const { step, output } of this.#running) {
      if (step.action === 'rewrite')
        bytes += Math.max(0, step.outputBytes - this.#writtenBytes(output))
    }
    return bytes
  }

  /** The bytes on disk when all that run have ended. */
  diskBytesAfter(diskBytes: number): number {
    let after = diskBytes
    for (const { step, output } of this.#running)
      after -= step.bytesFreed + this.#writtenBytes(output)
    return after
  }

  /** Bytes of an output on disk. Where it cannot be asked they are 0: who reckons with them must not fail with it. */
  #writtenBytes(output: FileNumber | undefined): number {
    if (output === undefined) return 0
    try {
      return this.#usage.ofValueLogFile(output)
    } catch {
      return 0
    }
  }
}

function ended(): void {}
