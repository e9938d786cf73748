/**
 * The budget of space: how many bytes writers may still write before the store passes its bound. A pure state machine,
 * without clock and I/O: what it promises holds whatever the speed of workers, disk and looks. Its test goes through
 * all interleavings of a small store.
 *
 *     room = what the last look found, less what was taken since, and given back since
 *
 * - Writers take what they write before they write it; a rewrite takes its output before it begins. Only what has come
 *   back is given back. Looks put the figures right: what was taken and given after a look had measured still counts.
 * - What is left, with what is about to come back, is always enough for the output of the next rewrite: that much is
 *   kept from writers. So a job never waits for room, however little its forerunner gives back.
 * - Writers wait while there is no room and something may come back. A look at the present position of the log (nothing
 *   was taken since it measured) that finds that nothing can lets go: an eighth of a segment each time.
 *
 * Nobody waits for ever: what may come back ends with an event, after each event all who wait ask again, and a look
 * follows, which finds either room, or something else that may come back, or that nothing can. How fast writers use the
 * room that there is does not matter here: throttle.ts spreads it.
 */

/** Bytes. */
export interface Budget {
  /** Nobody waits: the collector is paused or off, the store closes, or there are no figures. */
  readonly isReleased: boolean
  /** Taken so far, less what was given back. It says nothing by itself: only its changes do. */
  readonly takenBytes: number
  /** Of that, what is being written at the moment: it may not be on disk yet. */
  readonly writingBytes: number
  /** How far writers and jobs together may take. */
  readonly endBytes: number
  /** The next rewrite may write so much. */
  readonly rewriteBytes: number
  /** Files with so much go when the rewrites that run have ended, or are going. */
  readonly returningBytes: number
  readonly rewrites: number
  /** Writers may take so much although there is no room: nothing can come back. */
  readonly letGoBytes: number
}

/** What a look has found. */
export interface Looked {
  readonly kind: 'looked'
  /** What `takenOnDisk` said when it measured. */
  readonly takenBytes: number
  /** Between the limit, and what is on disk or will be when the running rewrites have ended. */
  readonly roomBytes: number
  readonly rewriteBytes: number
  /** Files that are no longer needed have not gone yet. */
  readonly isUnlinking: boolean
  readonly mayComeBack: boolean
  /** What writers are let go with if nothing may come back. */
  readonly letGoBytes: number
}

export type BudgetEvent =
  | Looked
  /** A group is going to be written. */
  | { readonly kind: 'admitted'; readonly bytes: number }
  /** It is on disk, or has failed. Groups are written one after the other. */
  | { readonly kind: 'written' }
  /** Bytes have come back: files have gone, or holes were made. */
  | { readonly kind: 'reclaimed'; readonly bytes: number }
  | Rewriting
  | Rewritten
  /** Nobody waits any more. */
  | { readonly kind: 'released' }
  /** It is not known yet what there is: up to the first look writers have so much, and wait for the look then. */
  | { readonly kind: 'begun'; readonly roomBytes: number }

/** A rewrite begins. */
export interface Rewriting {
  readonly kind: 'rewriting'
  /** It writes so many at most ... */
  readonly bytes: number
  /** ... and then files with so many go. */
  readonly returningBytes: number
}

/** A rewrite has ended. */
export interface Rewritten {
  readonly kind: 'rewritten'
  /** Of what it was going to write. */
  readonly unusedBytes: number
  /** What it was going to give back; its victims go now, unless it has failed. */
  readonly returningBytes: number
  readonly hasFailed: boolean
}

/** Before anything has begun. */
export const RELEASED: Budget = {
  isReleased: true,
  takenBytes: 0,
  writingBytes: 0,
  endBytes: 0,
  rewriteBytes: 0,
  returningBytes: 0,
  rewrites: 0,
  letGoBytes: 0,
}

/** Bytes that writers may take. Below 0: so much has to come back first. */
export function roomOf(budget: Budget): number {
  const { takenBytes, endBytes, rewriteBytes, returningBytes } = budget
  return endBytes - takenBytes - Math.max(0, rewriteBytes - returningBytes)
}

/** What whoever measures the disk sees of what was taken. */
export function takenOnDisk({ takenBytes, writingBytes }: Budget): number {
  return takenBytes - writingBytes
}

/** A group that needs so much room may be written now: below 0 it may even pass what there is by so much. */
export function mayGo(budget: Budget, bytes: number): boolean {
  return budget.letGoBytes > 0 || mayGrow(budget, bytes)
}

/** A group that may be written may take so many bytes as a whole. */
export function mayGrow(budget: Budget, bytes: number): boolean {
  const { isReleased, letGoBytes } = budget
  return isReleased || bytes <= roomOf(budget) || (letGoBytes > 0 && bytes <= letGoBytes)
}

/** For each group, twice: to copy an object by `...` takes 0.5 us, by its names 0.02. */
function withGroup(
  { isReleased, endBytes, rewriteBytes, returningBytes, rewrites }: Budget,
  takenBytes: number,
  writingBytes: number,
  letGoBytes: number,
): Budget {
  return {
    isReleased,
    takenBytes,
    writingBytes,
    endBytes,
    rewriteBytes,
    returningBytes,
    rewrites,
    letGoBytes,
  }
}

export function budgetAfter(budget: Budget, event: BudgetEvent): Budget {
  const { takenBytes, returningBytes, rewrites } = budget
  switch (event.kind) {
    case 'looked':
      return afterLook(budget, event)
    case 'admitted':
      return withGroup(
        budget,
        takenBytes + event.bytes,
        event.bytes,
        // Of what had room, too: it may have made something that can come back.
        Math.max(0, budget.letGoBytes - event.bytes),
      )
    case 'written':
      return withGroup(budget, takenBytes, 0, budget.letGoBytes)
    case 'reclaimed':
      // Of holes, too, perhaps: to expect less than what will come back is safe.
      return {
        ...budget,
        takenBytes: takenBytes - event.bytes,
        returningBytes: Math.max(0, returningBytes - event.bytes),
      }
    case 'rewriting':
      return {
        ...budget,
        takenBytes: takenBytes + event.bytes,
        returningBytes: returningBytes + event.returningBytes,
        rewrites: rewrites + 1,
      }
    case 'rewritten': {
      const lost = event.hasFailed ? event.returningBytes : 0
      return {
        ...budget,
        takenBytes: takenBytes - event.unusedBytes,
        returningBytes: Math.max(0, returningBytes - lost),
        rewrites: rewrites - 1,
      }
    }
    case 'released':
      return { ...budget, isReleased: true, letGoBytes: 0 }
    case 'begun': {
      const endBytes = takenBytes + event.roomBytes
      return { ...budget, isReleased: false, endBytes, rewriteBytes: 0, letGoBytes: 0 }
    }
  }
}

function afterLook(budget: Budget, look: Looked): Budget {
  const isPresent = look.takenBytes === budget.takenBytes
  const isAnyReturning = budget.rewrites > 0 || look.isUnlinking
  return {
    ...budget,
    isReleased: false,
    endBytes: look.takenBytes + look.roomBytes,
    rewriteBytes: look.rewriteBytes,
    returningBytes: isAnyReturning ? budget.returningBytes : 0,
    letGoBytes: isPresent && !look.mayComeBack ? look.letGoBytes : 0,
  }
}
