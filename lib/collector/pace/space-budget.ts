/**
 * The budget of space: how many bytes writers may still write before the store passes its bound. A pure state machine,
 * without clock and I/O: what it promises holds whatever the speed of workers, disk and looks. Its test goes through
 * all interleavings of a small store.
 *
 *     room = what the last look found, less what was taken since, and given back since
 *
 * - Writers take what they write before they write it; a rewrite takes its output before it begins. Only what has come
 *   back is given back. Looks put the figures right: what was taken and given after a look had measured still counts.
 * - While no rewrite runs the room for the output of the next one is kept from writers: a job never waits for room.
 * - Writers wait while there is no room and something may come back. A look at the present position of the log (nothing
 *   was taken since it measured) that finds that nothing can lets go: an eighth of a segment each time.
 * - While a rewrite runs writers may use half of the room that there was at once, and the other half as it gets on,
 *   byte for byte: they walk instead of running and standing.
 *
 * Nobody waits for ever: what may come back ends with an event, after each event all who wait ask again, and a look
 * follows, which finds either room, or something else that may come back, or that nothing can.
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
  /** Kept from writers at the moment for the output of the next rewrite ... */
  readonly keptBytes: number
  /** ... and to be kept whenever none runs. */
  readonly rewriteBytes: number
  readonly rewrites: number
  /** Writers may take so much although there is no room: nothing can come back. */
  readonly letGoBytes: number
  /** Room that writers may use only as the rewrite that runs gets on. */
  readonly paceBytes: number
  /** The share of it that is still to be written. */
  readonly paceLeft: number
}

/** Of the room that there is when a rewrite begins, what writers may use only as it gets on. */
const PACE_SHARE = 1 / 2

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
  /** A rewrite is going to write so many bytes at most. */
  | { readonly kind: 'rewriting'; readonly bytes: number }
  /** It has ended, and has not written so many of them. Its victims go, unless it has failed. */
  | { readonly kind: 'rewritten'; readonly unusedBytes: number; readonly hasFailed: boolean }
  /** Of the output of the rewrite that runs this share is still to be written. */
  | { readonly kind: 'progress'; readonly left: number }
  | { readonly kind: 'released' }

/** Before the first look. */
export const RELEASED: Budget = {
  isReleased: true,
  takenBytes: 0,
  writingBytes: 0,
  endBytes: 0,
  keptBytes: 0,
  rewriteBytes: 0,
  rewrites: 0,
  letGoBytes: 0,
  paceBytes: 0,
  paceLeft: 0,
}

/** Bytes that writers may take. Below 0: so much has to come back first. */
export function roomOf({ takenBytes, endBytes, keptBytes }: Budget): number {
  return endBytes - keptBytes - takenBytes
}

/** What whoever measures the disk sees of what was taken. */
export function takenOnDisk({ takenBytes, writingBytes }: Budget): number {
  return takenBytes - writingBytes
}

/** A group that takes so many bytes may be written now. */
export function mayGo(budget: Budget, bytes: number): boolean {
  return budget.letGoBytes > 0 || mayGrow(budget, bytes)
}

/** A group that may be written may take so many bytes as a whole. */
export function mayGrow(budget: Budget, bytes: number): boolean {
  const { isReleased, paceBytes, paceLeft, letGoBytes } = budget
  return isReleased || bytes <= Math.max(roomOf(budget) - paceBytes * paceLeft, letGoBytes)
}

export function budgetAfter(budget: Budget, event: BudgetEvent): Budget {
  const { takenBytes, rewrites } = budget
  switch (event.kind) {
    case 'looked':
      return afterLook(budget, event)
    case 'admitted': {
      const letGoBytes = budget.letGoBytes - (event.bytes > roomOf(budget) ? event.bytes : 0)
      return {
        ...budget,
        takenBytes: takenBytes + event.bytes,
        writingBytes: event.bytes,
        letGoBytes: Math.max(0, letGoBytes),
      }
    }
    case 'written':
      return { ...budget, writingBytes: 0 }
    case 'reclaimed':
      // The next rewrite may begin: its room comes first.
      return keep({ ...budget, takenBytes: takenBytes - event.bytes })
    case 'rewriting': {
      const begun = { ...budget, takenBytes: takenBytes + event.bytes, keptBytes: 0 }
      const paceBytes = Math.max(0, roomOf(begun)) * PACE_SHARE
      return { ...begun, rewrites: rewrites + 1, paceBytes, paceLeft: 1 }
    }
    case 'rewritten': {
      const ended = {
        ...budget,
        takenBytes: takenBytes - event.unusedBytes,
        rewrites: rewrites - 1,
        paceBytes: 0,
      }
      // Victims that go leave more than what is kept for the next one.
      return event.hasFailed ? keep(ended) : ended
    }
    case 'progress':
      return rewrites > 0 ? { ...budget, paceLeft: event.left } : budget
    case 'released':
      return { ...budget, isReleased: true, letGoBytes: 0 }
  }
}

function afterLook(budget: Budget, look: Looked): Budget {
  const isPresent = look.takenBytes === budget.takenBytes
  const looked: Budget = {
    ...budget,
    isReleased: false,
    endBytes: look.takenBytes + look.roomBytes,
    rewriteBytes: look.rewriteBytes,
    letGoBytes: isPresent && !look.mayComeBack ? look.letGoBytes : 0,
  }
  return look.isUnlinking ? looked : keep(looked)
}

function keep(budget: Budget): Budget {
  return budget.rewrites > 0 ? budget : { ...budget, keptBytes: budget.rewriteBytes }
}
