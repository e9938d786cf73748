/**
 * The steps of collections, whoever asks for them: carried out, counted, told of, and blamed when they fail.
 */
import type { EventEmitter } from 'node:events'
import {
  CorruptionError,
  IoError,
  isShortage,
  toWiscError,
  type WiscError,
} from '../../base/errors.ts'
import { parseFileName } from '../../base/files/file-names.ts'
import { type CollectedStep, plannedFiles, stepNumbers } from '../../contract/collection.ts'
import type { CollectionStep, PlannerOptions } from '../../contract/collection-plan.ts'
import { emitSafely } from '../../contract/events.ts'
import type { ResolvedOptions } from '../../contract/options.ts'
import { plannerOptions } from '../plan/planner-options.ts'
import { runStep, type StepControl, type StepParts, type StepResult } from './run-step.ts'

export interface CountedStepParts extends StepParts {
  readonly options: ResolvedOptions
  readonly events: EventEmitter
  /** A failed sync. */
  readonly failed: (error: WiscError) => void
}

export interface StepCounts {
  steps: number
  relocatedBytesWritten: number
  bytesFreed: number
}

export class Steps {
  readonly #parts: CountedStepParts
  readonly #reclaimed: (bytes: number, ms: number) => void
  /** When the step before ended. */
  #endedAt = 0
  #punchHoles: boolean
  readonly counts: StepCounts = { steps: 0, relocatedBytesWritten: 0, bytesFreed: 0 }

  /** @param reclaimed is told what came back, and how long it took */
  constructor(parts: CountedStepParts, reclaimed: (bytes: number, ms: number) => void) {
    this.#parts = parts
    this.#reclaimed = reclaimed
    this.#punchHoles = parts.options.collector.punchHoles
  }

  plannerOptions(targetSpaceAmplification: number): Omit<PlannerOptions, 'goalDiskBytes'> {
    const { options, versions } = this.#parts
    return plannerOptions(options, versions.current, targetSpaceAmplification, this.#punchHoles)
  }

  /** @throws what {@link runStep} throws */
  async execute(
    step: CollectionStep,
    reason: 'space' | 'asked',
    control: StepControl,
  ): Promise<StepResult & CollectedStep> {
    const began = performance.now()
    const result = await runStep(step, this.#parts, control).catch((error: unknown) => {
      // Whoever asked for the step: nothing more may become durable.
      if (toWiscError(error).code === 'WISC_SYNC_FAILED') this.#parts.failed(toWiscError(error))
      throw error
    })
    const now = performance.now()
    const ms = now - began
    if (result.holesRefused) this.#punchHoles = false
    this.counts.steps++
    this.counts.relocatedBytesWritten += result.bytesWritten
    this.counts.bytesFreed += result.bytesFreed
    // What ran beside another step counts once.
    this.#reclaimed(result.bytesFreed, now - Math.max(began, this.#endedAt))
    this.#endedAt = now
    const { action } = step
    const done = { ...result, action, files: stepNumbers(step), ms }
    emitSafely(this.#parts.events, 'collection', { reason, ...done })
    return done
  }

  /** A step has failed. Files that cannot be read are left alone from now on; all that they hold stays readable. */
  blame(step: CollectionStep, error: WiscError): void {
    const name = unreadableFile(error)
    if (name === undefined) return
    const numbers = plannedFiles(step).map(({ number }) => number)
    const named = parseFileName(name)
    const blamed = numbers.filter((number) => number === named?.number && named.kind === 'segment')
    // A table that cannot be read keeps all from being marked that it may point to.
    for (const number of blamed.length > 0 ? blamed : numbers) this.#parts.space.corrupt.add(number)
    const message = `collection has stopped at a file that cannot be read: ${error.message}`
    emitSafely(this.#parts.events, 'warning', message)
  }
}

/** The file that an error is about, if it is one of reading. */
function unreadableFile(error: WiscError): string | undefined {
  if (error instanceof CorruptionError) return error.file
  const isRead = error instanceof IoError && error.operation === 'read' && !isShortage(error)
  return isRead ? error.path.slice(error.path.lastIndexOf('/') + 1) : undefined
}
