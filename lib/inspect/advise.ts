/**
 * The cost of a threshold for separated values. The model, for a store that keeps its size while keys are overwritten
 * evenly, one as often as the other:
 *
 *   log        every record is written once: key, value, 40 bytes
 *   tree       an entry is written by the flush, and at each level with the share of that level which is merged
 *              with it: 1 + sum over levels of (1 + r), r the size of the level by that of the one above (for level 1,
 *              four flushes); levels as lib/tree/version/tree-shape.ts makes them, with default options. An entry takes
 *              its key and 10 bytes, and its value if that is inline or 8 bytes if not
 *   collector  separated records are copied until the target of space (1.3) is met. Where files are cleaned oldest
 *              first, a share x of each still lives, with (1 - x) / -ln x = 1 / target, and for each byte written
 *              x / (1 - x) are copied (Desnoyers, SYSTOR 2012). Records of inline values are dead when they are
 *              flushed: nothing is copied
 *   space      the tree, a T-th more for what waits in upper levels; separated records times the target
 *
 * Real loads are kinder: writes cluster, holes are punched, whole files die. It tells thresholds apart; it does not
 * foretell a figure. Where only new keys are written, nothing is collected.
 *
 * Beside it stands what operations took in the benchmark (lib/inspect/costs.ts). Its stores are small and new: the
 * times hold what the tree of a large store and its collector write only in part, so they do not decide.
 */

import { NO_BYTES } from '../base/bytes.ts'
import { RECORD_HEADER_BYTES } from '../base/record-size.ts'
import { resolveOptions } from '../contract/options.ts'
import { measureTree, runCapacity, type TreeShapeOptions } from '../tree/version/tree-shape.ts'
import { type Costs, type MeasuredCall, meanCosts, OPERATIONS } from './costs.ts'
import { MEASURED_COSTS } from './measured-costs.ts'
import type { SizeBucket } from './size-histogram.ts'

const KIB = 1024
export const THRESHOLDS: readonly number[] = [
  256,
  512,
  KIB,
  2 * KIB,
  4 * KIB,
  8 * KIB,
  16 * KIB,
  32 * KIB,
  64 * KIB,
]
const ENTRY_OVERHEAD_BYTES = 10
const POINTER_BYTES = 8
/** Predictions this close to the best one are as good: the model is not better than that. */
const AS_GOOD = 1.05

export interface Prediction {
  readonly threshold: number
  readonly separatedKeys: number
  /** Of values. */
  readonly separatedBytes: number
  readonly levels: number
  /** Bytes written for each byte of keys and values, and what of it for log, tree and collector. */
  readonly written: number
  readonly writtenLog: number
  readonly writtenTree: number
  readonly writtenCollector: number
  /** Bytes on disk for each byte of keys and values. */
  readonly space: number
  /** For one value, as measured in the benchmark. */
  readonly microseconds: Costs
}

export interface Advice {
  readonly predictions: readonly Prediction[]
  /** The threshold to take; undefined if there are no values. */
  readonly recommended: number | undefined
  /** The largest threshold that takes about the least time, by operation; undefined if there are no values. */
  readonly fastest: Readonly<Record<MeasuredCall, number>> | undefined
}

/**
 * Of the thresholds that cost about the least writing, the largest: what stays in the tree is read with its key, and
 * needs no collector.
 */
export function advise(buckets: readonly SizeBucket[]): Advice {
  if (buckets.length === 0) return { predictions: [], recommended: undefined, fastest: undefined }
  const predictions = THRESHOLDS.map((threshold) => predict(buckets, threshold))
  const largestOfBest = (cost: (prediction: Prediction) => number): number => {
    const best = Math.min(...predictions.map(cost))
    return predictions.findLast((prediction) => cost(prediction) <= best * AS_GOOD)!.threshold
  }
  const fastest = Object.fromEntries(
    OPERATIONS.map((name) => [name, largestOfBest(({ microseconds }) => microseconds[name])]),
  ) as Record<MeasuredCall, number>
  return { predictions, recommended: largestOfBest(({ written }) => written), fastest }
}

function predict(buckets: readonly SizeBucket[], threshold: number): Prediction {
  const { tree: tuning, collector, ...sizes } = resolveOptions({})
  const options = { ...tuning, ...sizes }
  const target = collector.targetSpaceAmplification
  const isSeparated = ({ from }: SizeBucket): boolean => from >= threshold
  // What lies in the tree is not compressed, and neither is its record.
  const separated = sum(buckets.filter(isSeparated), ({ storedBytes }) => storedBytes)
  const inline = sum(buckets.filter((bucket) => !isSeparated(bucket)))
  const keys = separated.keys + inline.keys
  const keyBytes = separated.keyBytes + inline.keyBytes
  const userBytes = Math.max(1, keyBytes + separated.valueBytes + inline.valueBytes)
  const treeBytes =
    keyBytes + keys * ENTRY_OVERHEAD_BYTES + inline.valueBytes + separated.keys * POINTER_BYTES
  const { levels, rewrites } = shapeOf(treeBytes, separated.recordBytes, keys, options)
  const writtenLog = (separated.recordBytes + inline.recordBytes) / userBytes
  const writtenTree = (treeBytes * rewrites) / userBytes
  const writtenCollector = (separated.recordBytes * copiesAt(target)) / userBytes
  const treeSpace = treeBytes * (levels > 1 ? 1 + 1 / tuning.sizeRatio : 1)
  return {
    threshold,
    separatedKeys: separated.keys,
    separatedBytes: separated.valueBytes,
    levels,
    written: writtenLog + writtenTree + writtenCollector,
    writtenLog,
    writtenTree,
    writtenCollector,
    space: (treeSpace + separated.recordBytes * target) / userBytes,
    microseconds: meanCosts(MEASURED_COSTS, buckets, threshold),
  }
}

interface Sums {
  readonly keys: number
  readonly keyBytes: number
  readonly valueBytes: number
  readonly recordBytes: number
}

/** @param inRecord bytes of the values of a bucket in their records */
function sum(
  buckets: readonly SizeBucket[],
  inRecord: (bucket: SizeBucket) => number = ({ valueBytes }) => valueBytes,
): Sums {
  let [keys, keyBytes, valueBytes, recordBytes] = [0, 0, 0, 0]
  for (const bucket of buckets) {
    keys += bucket.keys
    keyBytes += bucket.keyBytes
    valueBytes += bucket.valueBytes
    recordBytes += bucket.keys * RECORD_HEADER_BYTES + bucket.keyBytes + inRecord(bucket)
  }
  return { keys, keyBytes, valueBytes, recordBytes }
}

/** Levels below level 0 that so many bytes need, and how often an entry is written on its way down. */
function shapeOf(
  treeBytes: number,
  pointedBytes: number,
  entries: number,
  options: TreeShapeOptions,
): { levels: number; rewrites: number } {
  const table = { number: 1, bytes: treeBytes, entries, tombstones: 0, pointedBytes }
  const keys = {
    smallestKey: NO_BYTES,
    largestKey: NO_BYTES,
    largestExclusive: false,
    fragments: 0,
  }
  const meta = { ...table, ...keys, smallestSequence: 1, largestSequence: 1 }
  const shape = measureTree([{ runs: [{ id: 1, tables: [meta] }] }], options)
  const total = treeBytes + pointedBytes
  let rewrites = 1
  let above = shape.baseBytes
  for (let level = 1; ; level++) {
    const capacity = runCapacity(level, shape, options)
    const size = Math.min(capacity, total)
    rewrites += 1 + size / above
    if (total <= capacity) return { levels: level, rewrites }
    above = capacity
  }
}

/** Bytes that are copied for each byte that is written, at a target of space. */
export function copiesAt(target: number): number {
  let [low, high] = [0, 1]
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if ((1 - middle) / -Math.log(middle) < 1 / target) low = middle
    else high = middle
  }
  return low / (1 - low)
}
