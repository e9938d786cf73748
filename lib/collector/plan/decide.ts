/**
 * The next action of the collector: a pure decision from the figures of a look.
 *
 * Garbage comes back in the order in which it costs least: what nothing refers to at any time; then, over the start of
 * pressure.ts, the best step of a plan; a compaction where much is hidden; an early flush where memtables may shadow
 * much. If no step is left, little is exposed, too, once writes have ceased (`isQuiet`).
 * A full disk is a bound like maxBytesOnDisk: what puts lack comes back, if it pays.
 * Below the start a tree of which next to nothing lives is given back as well, as it costs nothing but reading it.
 */
import type { CollectionStep } from '../../contract/collection-plan.ts'
import type { CollectibleFile } from '../../space/figures.ts'
import type { Space } from '../../space/space.ts'
import { Candidates } from './candidates.ts'
import { isReferenced } from './costs.ts'
import { type InTurns, visitInTurns } from './in-turns.ts'
import { firstStepOf, planFirstStep } from './planner.ts'
import type { PlannerOptions, PlanningRules } from './planning-rules.ts'
import { isWorthExposing, type Pressure, pressureOf } from './pressure.ts'
import { isTreeEmptied, isTreeWorthMerging } from './tree-garbage.ts'

/** Less garbage than this part of a segment is not exposed while writes go on. */
const EXPOSE_SHARE = 1 / 8
/** A memtable is flushed early when it covers this part of a segment. */
const FLUSH_SHARE = 1 / 2

/** A look follows when this part of a segment was written. */
const LOOK_SHARE = 1 / 16
/** What lives is not taken for less by more than this part of a segment. */
const DOUBT_SHARE = 1 / 2

/** With room for so many segments nobody waits for it. */
const FAR_SEGMENTS = 2

/** What a full disk lacks until puts go on, and what of its room may be used to give more back. Bytes. */
export interface DiskLack {
  readonly missingBytes: number
  readonly spareBytes: number
}

/** So many segments are worth an edit that forgets them. */
const FORGOTTEN_MIN = 16

export interface LookState {
  readonly rules: PlanningRules
  /** What `maxBytesOnDisk` leaves for puts; Infinity without one. */
  readonly putLimitBytes: number
  /** Set while the disk is full, and puts are refused. */
  readonly lack: DiskLack | undefined
  /** By so much BALLAST may still grow. */
  readonly ballastBytesToCome: number
  /** On disk, or about to be: what the room of the next rewrite is left from. */
  readonly usedBytes: number
  /** Files that are no longer needed have not gone yet. */
  readonly isUnlinking: boolean
  /** Bytes of log that the active memtable covers. */
  readonly unflushedBytes: number
  /** Steps that are being carried out: which files they work on, and the bytes on disk when they have ended. */
  readonly running: {
    readonly count: number
    readonly busyFiles: ReadonlySet<number>
    diskBytesAfter(diskBytes: number): number
  }
  /** No write has come for a while. */
  readonly isQuiet: boolean
  /** The disk has room for new files. */
  readonly hasRoom: boolean
  /** A compaction runs: it drops what it can, and what it writes counts on disk until it has ended. */
  readonly isCompacting: boolean
  /** A compaction of the whole tree has just shown that it gives nothing back. */
  readonly isTreeExposed: boolean
}

/** What the collector does by itself. Each kind fails for itself. */
export type CollectorWork = CollectionStep['action'] | 'expose' | 'evict'

export interface Decision {
  readonly pressure: Pressure
  readonly step: CollectionStep | undefined
  /** There is a step, but no room for what it writes before something that is under way has ended. */
  readonly isStepLate: boolean
  /** It may go beside another rewrite. */
  readonly pairsRewrites: boolean
  /** What the next rewrite will write, at most ... */
  readonly rewriteBytes: number
  /** ... and when the step has begun. */
  readonly laterBytes: number
  /** Compact the whole tree. */
  readonly exposes: boolean
  /** Flush the active memtable. */
  readonly flushes: boolean
}

/** What plans go by. */
type Measured = Pick<Space, 'diskBytes' | 'liveBytes'> & {
  readonly files: readonly CollectibleFile[]
}

/** The same whenever it is stepped: it goes by the figures and the state of its beginning. */
export function* decide(measured: Space, state: LookState): InTurns<Decision> {
  const { rules, running, isQuiet, isCompacting, unflushedBytes } = state
  const isIdle = running.count === 0
  const diskBytes = running.diskBytesAfter(measured.diskBytes)
  const space = { ...measured, files: yield* withBusy(measured.files, running.busyFiles) }
  const { segmentBytes } = rules
  // What only a reader sees counts as living: nobody can give it back, so nobody waits for it.
  const keptBytes = Math.max(0, space.liveBytes - doubtBytes(space, rules)) + space.pinnedBytes
  const putLimitBytes = putLimit(measured, state)
  const toComeBytes = state.ballastBytesToCome
  const pressure = pressureOf(keptBytes, { ...rules, putLimitBytes, toComeBytes })
  const hasRoom = hasRoomForTree(measured, state)
  if (space.diskBytes <= pressure.startBytes) {
    const isEmptied = isTreeEmptied(space) && space.tableGarbageBytes >= segmentBytes * EXPOSE_SHARE
    const mayExpose = hasRoom && !isCompacting && !state.isTreeExposed
    const exposes = isEmptied && isQuiet && mayExpose && isIdle
    const step = yield* freeStep(space, state)
    const { rewriteBytes } = pressure
    const outputs = { rewriteBytes, laterBytes: rewriteBytes }
    const common = { isStepLate: false, pairsRewrites: false, flushes: false }
    return { pressure, step, ...common, ...outputs, exposes }
  }
  const options = stepOptions({ ...space, diskBytes }, pressure, state)
  const candidates = yield* Candidates.of(space.files, options)
  const pairsRewrites = mayPairRewrites(diskBytes, pressure, state)
  const chosen = yield* bestStep(candidates, diskBytes, pressure, pairsRewrites, state)
  const dies = chosen.step !== undefined && diesSooner(chosen.step, space, pressure, state)
  const { best, step, isStepLate } = dies ? { ...chosen, step: undefined } : chosen
  const outputs = yield* nextOutputs(candidates, diskBytes, best, pressure, state)
  const least = isQuiet ? 1 : segmentBytes * EXPOSE_SHARE
  const pays = (bytes: number): boolean => step === undefined && isIdle && bytes >= least
  const mergesTree =
    !isCompacting && isTreeWorthMerging(space, targetWithin(pressure, space, state))
  const hiddenBytes = space.hiddenGarbageBytes + (mergesTree ? space.tableGarbageBytes : 0)
  const exposable = state.isTreeExposed ? 0 : hiddenBytes
  const isMuchHidden = isWorthExposing({ ...space, hiddenGarbageBytes: exposable }, rules)
  const exposes = hasRoom && (isMuchHidden || pays(exposable))
  const isMuch = unflushedBytes >= segmentBytes * FLUSH_SHARE
  const flushes =
    space.unflushedShadowBytes > 0 && (isMuch || (!exposes && pays(space.unflushedShadowBytes)))
  return { pressure, step, isStepLate, pairsRewrites, ...outputs, exposes, flushes }
}

/**
 * By so much `liveBytes` may be too high by the next look: what memtables replace is guessed of some keys, and of what
 * is written until then. Each guess is off by as much as the mean, about, and n of them by the root of n of these;
 * twice that is hardly ever passed. Of values that are longer than a segment bounds and batches know themselves.
 */
export function doubtBytes(
  { guessedKeys, meanBytes }: Pick<Space, 'guessedKeys' | 'meanBytes'>,
  { segmentBytes }: Pick<PlanningRules, 'segmentBytes'>,
): number {
  const toComeKeys = Math.ceil((segmentBytes * LOOK_SHARE) / Math.max(1, meanBytes))
  const doubt = 2 * Math.sqrt(guessedKeys + toComeKeys) * meanBytes
  return Math.round(Math.min(doubt, segmentBytes * DOUBT_SHARE))
}

function* withBusy(
  files: readonly CollectibleFile[],
  busy: ReadonlySet<number>,
): InTurns<readonly CollectibleFile[]> {
  if (busy.size === 0) return files
  const marked: CollectibleFile[] = []
  yield* visitInTurns(files, (file) => {
    marked.push(busy.has(file.number) ? { ...file, blocked: 'busy' } : file)
  })
  return marked
}

/** On a full disk so much must come back that puts go on, be the store within its bound or not. */
function putLimit({ diskBytes }: Space, { putLimitBytes, lack }: LookState): number {
  return lack ? Math.min(putLimitBytes, diskBytes - lack.missingBytes) : putLimitBytes
}

/** A compaction of the tree writes all of it anew. */
function hasRoomForTree({ tableBytes }: Space, { hasRoom, lack }: LookState): boolean {
  return hasRoom && (lack === undefined || tableBytes <= lack.spareBytes)
}

function copyLimit({ hasRoom, lack }: LookState): number {
  if (!hasRoom) return 0
  return lack ? lack.spareBytes : Number.POSITIVE_INFINITY
}

/** What costs nothing but an edit. The active segment is not sealed for it. */
export function* freeStep(
  { files, diskBytes }: Measured,
  { rules }: Pick<LookState, 'rules'>,
): InTurns<CollectionStep | undefined> {
  const sealed: CollectibleFile[] = []
  let isAnyDead = false
  let forgettable = 0
  yield* visitInTurns(files, (file) => {
    if (file.needsSeal) return
    sealed.push(file)
    if (file.blocked !== undefined) return
    isAnyDead ||= !isReferenced(file)
    forgettable += countForgettable(file)
  })
  if (!isAnyDead && forgettable < FORGOTTEN_MIN) return undefined
  const step = yield* planFirstStep(sealed, diskBytes, { ...rules, goalDiskBytes: diskBytes })
  return step?.action === 'drop' || step?.action === 'forget' ? step : undefined
}

/** Old segments to which nothing points: each file has one that it bears itself. */
function countForgettable({ number, deadSegments }: CollectibleFile): number {
  return deadSegments.length - (deadSegments.includes(number) ? 1 : 0)
}

/**
 * Under maxBytesOnDisk a tighter target may be needed than the one that was asked for. Where it is about to refuse puts
 * all that can come back does: what lives takes more than its bytes, in tables above all, so that a store at its limit
 * may well be below limit / live.
 */
function targetWithin(
  { limitBytes, boundBytes }: Pressure,
  { liveBytes }: Pick<Space, 'liveBytes'>,
  { rules, usedBytes, putLimitBytes }: LookState,
): number {
  const { targetSpaceAmplification, segmentBytes } = rules
  const isFull = usedBytes >= putLimitBytes - segmentBytes * EXPOSE_SHARE
  if (isFull && putLimitBytes < boundBytes) return 1
  return Math.min(targetSpaceAmplification, Math.max(1, limitBytes / Math.max(1, liveBytes)))
}

/**
 * The best way alone: the smaller a step, the less room it needs, and the better is the choice of the next. What it
 * writes has room below the bound. While something makes room a better rewrite is waited for: what fits at the moment
 * may be small files, again and again, or holes that cost more than it does. Only where nothing fits, and nothing is
 * under way, one begins without room.
 */
function* bestStep(
  candidates: Candidates,
  diskBytes: number,
  pressure: Pressure,
  pairsRewrites: boolean,
  state: LookState,
): InTurns<ChosenStep> {
  const { running, isCompacting, isUnlinking } = state
  const copyBytes = copyLimit(state)
  const roomBytes = roomOf(pressure, state)
  const maxCopyBytes = Math.min(copyBytes, roomBytes)
  const fitting = yield* firstStepOf(candidates, diskBytes, { maxCopyBytes })
  const isRoomShort = roomBytes < Math.min(copyBytes, candidates.options.segmentBytes)
  if (!isRoomShort) return { best: fitting, step: fitting, isStepLate: false }
  const best = yield* firstStepOf(candidates, diskBytes)
  const isBest = best === undefined || isSameChoice(fitting, best)
  // A compaction may take long, and make none: a rewrite that fits goes before it, holes do not.
  const mayMakeRoom = isCompacting && fitting?.action !== 'rewrite'
  const isToEnd = running.count > 0 && !pairsRewrites
  if (!isBest && (isToEnd || isUnlinking || mayMakeRoom))
    return { best, step: undefined, isStepLate: true }
  return { best, step: isBest ? fitting : (fitting ?? best), isStepLate: false }
}

/**
 * Beside writers two rewrites give less than they take: the second best victim is worse, and room is left for one
 * output. Far over the bound, as a range that was deleted or a snapshot that was closed leaves a store, all of them are
 * needed whatever is written, and nobody writes meanwhile: there two are sooner done.
 * @param diskBytes when what runs has ended
 */
function mayPairRewrites(
  diskBytes: number,
  { boundBytes }: Pressure,
  { rules, usedBytes, putLimitBytes, lack }: LookState,
): boolean {
  const { segmentBytes } = rules
  const isFarOver = diskBytes > boundBytes + segmentBytes
  return isFarOver && lack === undefined && usedBytes + segmentBytes <= putLimitBytes
}

/**
 * A step that copies or punches waits while as much expires within seconds as is over the start: where values live
 * about as long as each other, whole files are dead by then. It waits for nothing that writers would have to wait for.
 */
function diesSooner(
  step: CollectionStep,
  { expiry, diskBytes }: Pick<Space, 'expiry' | 'diskBytes'>,
  { startBytes, limitBytes }: Pressure,
  { usedBytes, rules }: LookState,
): boolean {
  if (step.action === 'drop' || step.action === 'forget') return false
  const outputBytes = step.action === 'rewrite' ? step.outputBytes : 0
  const isInTime = usedBytes + outputBytes + rules.segmentBytes * EXPOSE_SHARE <= limitBytes
  return isInTime && expiry.soonBytes >= diskBytes - startBytes
}

function stepOptions(space: Measured, pressure: Pressure, state: LookState): PlannerOptions {
  return {
    ...state.rules,
    targetSpaceAmplification: targetWithin(pressure, space, state),
    goalDiskBytes: Math.max(pressure.startBytes, space.diskBytes - 1),
    maxCopyBytes: copyLimit(state),
  }
}

/** What is left below the bound for what steps write. */
function roomOf({ boundBytes }: Pressure, { usedBytes }: LookState): number {
  return Math.max(0, boundBytes - usedBytes)
}

/**
 * What has to be left for the next rewrite, as long as the best one has not begun, and then. What lives in a file only
 * dies, so it will not write more than it would write now. Where none is known, or there is room enough, the largest is
 * taken.
 */
function* nextOutputs(
  candidates: Candidates,
  diskBytes: number,
  best: CollectionStep | undefined,
  pressure: Pressure,
  state: LookState,
): InTurns<Pick<Decision, 'rewriteBytes' | 'laterBytes'>> {
  const largest = pressure.rewriteBytes
  const isFar = roomOf(pressure, state) > FAR_SEGMENTS * state.rules.segmentBytes
  if (isFar || best?.action !== 'rewrite') return { rewriteBytes: largest, laterBytes: largest }
  const second = yield* firstStepOf(candidates, diskBytes, { besides: best })
  const secondBytes = second?.action === 'rewrite' ? second.outputBytes : largest
  return {
    rewriteBytes: Math.min(largest, best.outputBytes),
    laterBytes: Math.min(largest, secondBytes),
  }
}

interface ChosenStep extends Pick<Decision, 'step' | 'isStepLate'> {
  /** What would be chosen if there were room enough. */
  readonly best: CollectionStep | undefined
}

/** With more room another rewrite would take more files along, but be led by the same one. */
function isSameChoice(fitting: CollectionStep | undefined, best: CollectionStep): boolean {
  if (best.action !== 'rewrite') return true
  return fitting?.action === 'rewrite' && fitting.files[0]?.number === best.files[0]?.number
}
