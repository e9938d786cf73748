/**
 * What the collector does next: a pure decision from the figures of a look.
 *
 * Garbage comes back in the order in which it costs least: what nothing refers to at any time; then, over the start of
 * pressure.ts, the best step of a plan; a compaction where much is hidden; an early flush where memtables may shadow
 * much. If no step is left, little is exposed, too, once writes have ceased (`isQuiet`).
 * Below the start a tree of which next to nothing lives is given back as well, as it costs nothing but reading it.
 */
import type { CollectionStep, PlannerOptions } from '../../contract/collection-plan.ts'
import type { Space } from '../../space/space.ts'
import { planCollectionSteps } from './collection-planner.ts'
import { isWorthExposing, type Pressure, pressureOf } from './pressure.ts'
import { isTreeEmptied, isTreeWorthMerging } from './tree-garbage.ts'

/** Less garbage than this part of a segment is not exposed while writes go on. */
const EXPOSE_SHARE = 1 / 8
/** A memtable is flushed early when it covers this part of a segment. */
const FLUSH_SHARE = 1 / 2

export interface LookState {
  readonly planner: Omit<PlannerOptions, 'goalDiskBytes'>
  /** What `maxBytesOnDisk` leaves for puts; Infinity without one. */
  readonly putLimitBytes: number
  /** Bytes of log that the active memtable covers. */
  readonly unflushedBytes: number
  /** Steps that are being carried out: which files they work on, and the bytes on disk when they have ended. */
  readonly running: {
    readonly count: number
    holds(file: number): boolean
    diskBytesAfter(diskBytes: number): number
  }
  /** No write has come for a while. */
  readonly isQuiet: boolean
  /** The disk has room for new files. */
  readonly hasRoom: boolean
  /** A compaction runs: it drops what it can, and what it writes counts on disk until it has ended. */
  readonly isCompacting: boolean
}

export interface Decision {
  readonly pressure: Pressure
  readonly step: CollectionStep | undefined
  /** Compact the whole tree. */
  readonly exposes: boolean
  /** Flush the active memtable. */
  readonly flushes: boolean
}

export function decide(measured: Space, state: LookState): Decision {
  const { planner, running, isQuiet, hasRoom, isCompacting, unflushedBytes, putLimitBytes } = state
  const files = measured.files.map((file) =>
    running.holds(file.number) ? { ...file, blocked: 'busy' as const } : file,
  )
  const space = { ...measured, files }
  const { segmentBytes } = planner
  // What only a reader sees counts as living: nobody can give it back, so nobody waits for it.
  const keptBytes = space.liveBytes + space.pinnedBytes
  const pressure = pressureOf(keptBytes, { ...planner, putLimitBytes })
  if (space.diskBytes <= pressure.startBytes) {
    const isEmptied = isTreeEmptied(space) && space.tableGarbageBytes >= segmentBytes * EXPOSE_SHARE
    const exposes = isEmptied && isQuiet && hasRoom && !isCompacting && running.count === 0
    return { pressure, step: freeStep(space, state), exposes, flushes: false }
  }
  const step = bestStep(space, pressure, state)
  const least = isQuiet ? 1 : segmentBytes * EXPOSE_SHARE
  const pays = (bytes: number): boolean =>
    step === undefined && running.count === 0 && bytes >= least
  const mergesTree =
    !isCompacting && isTreeWorthMerging(space, targetWithin(pressure, space, planner))
  const exposable = space.hiddenGarbageBytes + (mergesTree ? space.tableGarbageBytes : 0)
  const isMuchHidden = isWorthExposing({ ...space, hiddenGarbageBytes: exposable }, planner)
  const exposes = hasRoom && (isMuchHidden || pays(exposable))
  const isMuch = unflushedBytes >= segmentBytes * FLUSH_SHARE
  const flushes =
    space.unflushedShadowBytes > 0 && (isMuch || (!exposes && pays(space.unflushedShadowBytes)))
  return { pressure, step, exposes, flushes }
}

/** What costs nothing but an edit. The active segment is not sealed for it. */
function freeStep(space: Space, { planner }: LookState): CollectionStep | undefined {
  const sealed = space.files.filter(({ needsSeal }) => !needsSeal)
  const isDead = sealed.some(
    ({ referencedRecords, blocked }) => referencedRecords === 0 && blocked === undefined,
  )
  if (!isDead) return undefined
  const goalDiskBytes = space.diskBytes
  const { steps } = planCollectionSteps(sealed, space, { ...planner, goalDiskBytes })
  return steps.find(({ action }) => action === 'drop' || action === 'forget')
}

/** Under maxBytesOnDisk a tighter target may be needed than the one that was asked for. */
function targetWithin(
  { limitBytes }: Pressure,
  { liveBytes }: Space,
  { targetSpaceAmplification }: LookState['planner'],
): number {
  return Math.min(targetSpaceAmplification, Math.max(1, limitBytes / Math.max(1, liveBytes)))
}

function bestStep(
  space: Space,
  pressure: Pressure,
  { planner, hasRoom, running }: LookState,
): CollectionStep | undefined {
  const diskBytes = running.diskBytesAfter(space.diskBytes)
  const { steps } = planCollectionSteps(
    space.files,
    { ...space, diskBytes },
    {
      ...planner,
      targetSpaceAmplification: targetWithin(pressure, space, planner),
      // The best way alone: the smaller a step, the less room it needs, and the better is the choice of the next.
      goalDiskBytes: Math.max(pressure.startBytes, diskBytes - 1),
      ...(!hasRoom && { maxCopyBytes: 0 }),
    },
  )
  return steps[0]
}
