/** Parameters and results of `planCollection` and `collect`; a plan is plain JSON that may be kept in a file. */

import { invalidArgument, type WiscError } from '../base/errors.ts'
import { checkSignal, integer, optionalBytes, plainObject, refuseUnknown } from './checks.ts'
import type {
  CollectionStep,
  CollectionSteps,
  PlannedFile,
  RewriteStep,
} from './collection-plan.ts'
import { mustBe } from './given.ts'
import { amplification } from './options.ts'

export interface CollectOptions {
  /** Stop when bytes on disk / live bytes is at or below it. Default: that of the store. 1 takes all that pays. */
  readonly targetSpaceAmplification?: number
  /** Only files that hold one of these segments. */
  readonly segments?: readonly number[]
  /** Bound of the bytes of records that are copied. */
  readonly maxCopyBytes?: number
  /** Bound of what is read and written in a second. */
  readonly bytesPerSecond?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: CollectionProgress) => void
}

export interface CollectionProgress {
  /** What goes on now. */
  readonly phase: 'flush' | 'compact' | 'plan' | CollectionStep['action'] | 'done'
  /** How much of that is done, 0 to 1: compactions, rewrites and punches tell a few times a second. */
  readonly share: number
  readonly stepsDone: number
  readonly steps: number
  readonly bytesFreed: number
  readonly bytesCopied: number
}

/** The space of a store at one moment, in bytes. */
export interface CollectionFigures {
  /** Allocated, everything in the directory. */
  readonly diskBytes: number
  readonly liveBytes: number
  /** diskBytes / liveBytes; null if nothing lives. */
  readonly spaceAmplification: number | null
  readonly exposedGarbageBytes: number
  /** Of these, holes. */
  readonly punchedBytes: number
  /** Records that nobody can see, which a compaction would expose. */
  readonly hiddenGarbageBytes: number
  /** Records that only snapshots and iterators see. */
  readonly pinnedBytes: number
}

/** What a collection would do, for `collect({ plan })`. */
export interface CollectionPlan extends CollectionSteps {
  /** 32 hexadecimal digits. */
  readonly databaseId: string
  /** Number of the version that was planned for. */
  readonly version: number
  readonly targetSpaceAmplification: number
  readonly before: CollectionFigures
  /** The steps are those for a store that was flushed and compacted: that is done first. */
  readonly compacts?: boolean
}

/** One step that was carried out. */
export interface CollectedStep {
  readonly action: CollectionStep['action']
  /** Numbers of the files that were taken, or of the segments that were forgotten. */
  readonly files: readonly number[]
  readonly bytesFreed: number
  /** Bytes of records. */
  readonly bytesCopied: number
  /** Bytes of new files. */
  readonly bytesWritten: number
  readonly ms: number
}

/** A step that could not be carried out; it has changed nothing. */
export interface FailedStep {
  readonly action: CollectionStep['action']
  readonly files: readonly number[]
  readonly error: WiscError
}

export interface CollectionReport {
  readonly steps: readonly CollectedStep[]
  readonly failed: readonly FailedStep[]
  readonly bytesFreed: number
  readonly bytesCopied: number
  /** Bytes of new files. */
  readonly bytesWritten: number
  readonly before: CollectionFigures
  readonly after: CollectionFigures
}

export interface ResolvedCollect {
  readonly target: number
  readonly segments: ReadonlySet<number> | undefined
  readonly maxCopyBytes: number | undefined
  readonly bytesPerSecond: number | undefined
  readonly signal: AbortSignal | undefined
  readonly onProgress: ((progress: CollectionProgress) => void) | undefined
  readonly plan: CollectionPlan | undefined
}

/** What a plan was made with. */
const PLANNED = ['targetSpaceAmplification', 'segments', 'maxCopyBytes'] as const
const NAMES = [...PLANNED, 'bytesPerSecond', 'signal', 'onProgress']

const ACTIONS: ReadonlySet<unknown> = new Set(['drop', 'forget', 'punch', 'rewrite'])

/** @throws WISC_INVALID_ARGUMENT */
export function resolveCollect(
  options: CollectOptions & { readonly plan?: CollectionPlan },
  standardTarget: number,
  takesPlan: boolean,
  version: { readonly nextFileNumber: number },
): ResolvedCollect {
  const given = plainObject(options, 'collect options')
  refuseUnknown(given, takesPlan ? [...NAMES, 'plan'] : NAMES, 'collect')
  for (const name of PLANNED) {
    if (given['plan'] === undefined || given[name] === undefined) continue
    throw invalidArgument(`${name} does not go with a plan: it was given when the plan was made`)
  }
  const { segments, onProgress, signal, plan } = options
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw invalidArgument(mustBe('a function', 'onProgress', onProgress))
  }
  if (segments !== undefined && !Array.isArray(segments)) {
    throw invalidArgument('segments must be an array of numbers')
  }
  // Not `map`, which leaves holes in an array as they are.
  const numbers =
    segments && Array.from(segments, (each) => integer('segment', each, 1, Number.MAX_SAFE_INTEGER))
  for (const number of numbers ?? []) {
    // One that there was may have been collected meanwhile.
    if (number < version.nextFileNumber) continue
    throw invalidArgument(`the store has had no such segment number=${number}`)
  }
  return {
    target: amplification(
      'targetSpaceAmplification',
      given['targetSpaceAmplification'],
      standardTarget,
      1,
    ),
    segments: numbers && new Set(numbers),
    maxCopyBytes: optionalBytes('maxCopyBytes', given['maxCopyBytes'], 0),
    bytesPerSecond: optionalBytes('bytesPerSecond', given['bytesPerSecond'], 4096),
    signal: checkSignal(signal),
    onProgress,
    plan: plan === undefined ? undefined : checkPlan(plan),
  }
}

/** Looks at the parts of a plan that are acted on: it may come from a file. */
function checkPlan(plan: CollectionPlan): CollectionPlan {
  const { databaseId, steps, compacts } = plainObject(plan, 'plan') as Partial<CollectionPlan>
  if (compacts !== undefined && typeof compacts !== 'boolean') {
    throw invalidArgument('compacts of the plan must be a boolean')
  }
  if (typeof databaseId !== 'string' || !Array.isArray(steps)) {
    throw invalidArgument('plan is none of planCollection: databaseId or steps are missing')
  }
  const taken = new Set<number>()
  for (const step of steps as readonly CollectionStep[]) {
    const { action, seal } = plainObject(step, 'step of the plan') as Partial<RewriteStep>
    if (!ACTIONS.has(action)) throw badStep()
    if (seal !== undefined && seal !== true) throw badStep()
    for (const file of plannedFiles(step)) checkPlannedFile(file)
    const numbers = stepNumbers(step)
    if (numbers.length === 0) throw badStep()
    for (const number of numbers) {
      integer('number in the plan', number, 1, Number.MAX_SAFE_INTEGER)
      if (taken.has(number)) throw invalidArgument(`plan takes a file twice number=${number}`)
      taken.add(number)
    }
  }
  return plan
}

function checkPlannedFile(file: PlannedFile): void {
  const { kind, referencedBytes, diskBytes } = plainObject(file, 'file of the plan')
  if (kind !== 'segment' && kind !== 'relocation' && kind !== 'stream') throw badStep()
  integer('referencedBytes of the plan', referencedBytes, 0, Number.MAX_SAFE_INTEGER)
  integer('diskBytes of the plan', diskBytes, 0, Number.MAX_SAFE_INTEGER)
}

function badStep(): WiscError {
  return invalidArgument('plan has a step that this version does not know')
}

/** The files that a step takes. */
export function plannedFiles(step: CollectionStep): readonly PlannedFile[] {
  if (step.action === 'forget') return []
  const files: unknown = step.action === 'punch' ? [step.file] : step.files
  if (!Array.isArray(files)) throw badStep()
  return files
}

/** For reports and events: which files a step was about, or which segments it forgot. */
export function stepNumbers(step: CollectionStep): number[] {
  if (step.action !== 'forget') return plannedFiles(step).map(({ number }) => number)
  if (!Array.isArray(step.segments)) throw badStep()
  return [...step.segments]
}
