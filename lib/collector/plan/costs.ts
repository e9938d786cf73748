/**
 * The cost of taking space back from value-log files, and the bytes that it frees. Pure.
 *
 * A rewrite costs the bytes that it copies and is known exactly, to the byte. A punch costs a call
 * for each hole; unless the file was marked, both holes and bytes are a guess.
 */

import { relocationFileBytes } from '../../../vlog/relocation/relocation-format.ts'
import { RECORD_HEADER_BYTES } from '../../base/record-size.ts'
import {
  type CollectibleFile,
  inBlocks,
  type MarkedHoles,
  punchedBytes,
} from '../../space/figures.ts'
import type { PlannerOptions } from './planning-rules.ts'

/**
 * What a punch costs whatever it finds, as a share of the file: its heads are walked and looked up. So the file with
 * the most garbage goes first, and one that was just punched waits until it pays again.
 */
const MARK_COST_SHARE = 1 / 16
/** However low the target, a rewrite frees this share of what it copies. */
const FREED_SHARE_MIN = 1 / 32

/** A punch that frees less than this share of the file's disk bytes is none. */
const PUNCHED_SHARE_MIN = 0.01
/** What a record holds besides its value, by guess: header and a short key. */
const RECORD_OVERHEAD_BYTES: number = RECORD_HEADER_BYTES + 24

/** What a rewrite must free for each byte that it copies, so that the store comes to this target. */
export function freedShare(targetSpaceAmplification: number): number {
  return Math.max(targetSpaceAmplification - 1, FREED_SHARE_MIN)
}

/** Files whose survivors go to one output, summed up. */
export interface RewriteSums {
  readonly diskBytes: number
  /** Lengths of the files: all their records are held in memory while they are marked. */
  readonly totalBytes: number
  readonly records: number
  /** Of the survivors: what is copied. */
  readonly copiedBytes: number
  /** Logical segments that have survivors. */
  readonly parts: number
  readonly blockBytes: number
}

/** A punch of one file. */
export interface PunchEstimate {
  readonly holes: number
  readonly bytesFreed: number
}

export function rewriteSums(file: CollectibleFile): RewriteSums {
  return {
    diskBytes: file.diskBytes,
    totalBytes: file.totalBytes,
    records: file.referencedRecords,
    copiedBytes: file.referencedBytes,
    parts: file.parts.length + 1 - file.deadSegments.length,
    blockBytes: file.blockBytes,
  }
}

export function addRewriteSums(left: RewriteSums, right: RewriteSums): RewriteSums {
  return {
    diskBytes: left.diskBytes + right.diskBytes,
    totalBytes: left.totalBytes + right.totalBytes,
    records: left.records + right.records,
    copiedBytes: left.copiedBytes + right.copiedBytes,
    parts: left.parts + right.parts,
    blockBytes: Math.max(left.blockBytes, right.blockBytes),
  }
}

/** Length of the relocation that a rewrite writes. */
export function outputBytes(input: RewriteSums): number {
  return relocationFileBytes(input.records, input.copiedBytes, input.parts)
}

/** Below 0 if the output would be larger than the files. */
export function rewriteBytesFreed(input: RewriteSums): number {
  return input.diskBytes - inBlocks(outputBytes(input), input.blockBytes)
}

/**
 * Whether a rewrite frees a block at least, and enough for what it copies. Two rewrites that are
 * worth it are so as one, too: an output of both is no longer than two outputs.
 */
export function isRewriteWorthIt(input: RewriteSums, options: PlannerOptions): boolean {
  const share = freedShare(options.targetSpaceAmplification)
  const freed = rewriteBytesFreed(input)
  return freed >= input.blockBytes && freed >= share * input.copiedBytes
}

/** What a punch of a file would do; undefined if it would do too little. */
export function estimatePunch(
  file: CollectibleFile,
  options: PlannerOptions,
): PunchEstimate | undefined {
  if (!options.punchHoles || file.hasOtherNames) return undefined
  const { holes, holeBytes: bytesFreed } = file.marked ?? guessHoles(file)
  if (holes === 0 || bytesFreed < holes * options.minimumHoleBytes) return undefined
  return bytesFreed >= PUNCHED_SHARE_MIN * file.diskBytes ? { holes, bytesFreed } : undefined
}

/** Bytes freed for each byte of cost: of what is copied ... */
export function rewriteRate(input: RewriteSums): number {
  return rewriteBytesFreed(input) / Math.max(1, input.copiedBytes)
}

/** ... or of what could have been copied instead. */
export function punchRate(
  file: CollectibleFile,
  { holes, bytesFreed }: PunchEstimate,
  { holeCostBytes }: Pick<PlannerOptions, 'holeCostBytes'>,
): number {
  return bytesFreed / (holes * holeCostBytes + file.totalBytes * MARK_COST_SHARE)
}

export function isReferenced(file: CollectibleFile): boolean {
  return file.referencedRecords > 0 || file.referencedBytes > 0
}

/**
 * Nothing refers to it, so it costs an edit. A segment that is sealed for this has a successor, which takes a block as
 * soon as anything is written; so a drop of less would go on for ever and free nothing.
 */
export function isDroppable(file: CollectibleFile): boolean {
  if (file.blocked !== undefined || isReferenced(file)) return false
  return !file.needsSeal || file.diskBytes > file.blockBytes
}

/** A stream is one value: it goes as a whole, or stays as it is. */
export function isMovable(file: CollectibleFile): boolean {
  return file.blocked === undefined && isReferenced(file) && file.kind !== 'stream'
}

/** Without what the index of a relocation needs. */
function garbageBesideIndex(file: CollectibleFile): number {
  const neededBytes =
    file.kind !== 'relocation' ? file.referencedBytes : outputBytes(rewriteSums(file))
  return Math.max(0, file.totalBytes - neededBytes)
}

/**
 * Takes the dead values to be as long as the live ones. A value that begins anywhere covers, on
 * average, whole blocks of its length less one block. If that was wrong a punch gives less, or nothing: so
 * what was dead when the file was last punched does not count again.
 */
function guessHoles(file: CollectibleFile): MarkedHoles {
  const recordBytes = file.referencedBytes / Math.max(1, file.referencedRecords)
  const bytesPerHole = recordBytes - RECORD_OVERHEAD_BYTES - file.blockBytes
  if (bytesPerHole <= 0) return { holes: 0, holeBytes: 0 }
  const { referencedBytesAtPunch: before } = file
  const deadBytes =
    before === undefined ? garbageBesideIndex(file) : Math.max(0, before - file.referencedBytes)
  const holesBefore = before === undefined ? punchedBytes(file) : 0
  const freeBlocks = Math.floor(
    ((deadBytes / recordBytes) * bytesPerHole - holesBefore) / file.blockBytes,
  )
  if (freeBlocks <= 0) return { holes: 0, holeBytes: 0 }
  const holeBytes = freeBlocks * file.blockBytes
  return { holes: Math.ceil(holeBytes / bytesPerHole), holeBytes }
}
