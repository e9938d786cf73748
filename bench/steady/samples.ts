/**
 * What is computed from the readings of a run. Nothing here looks at a clock or at a disk.
 */

/** What was seen at one moment of the overwrites. */
export interface SpaceSample {
  /** Since the first overwrite. */
  readonly seconds: number
  /** Overwrites acknowledged by then. */
  readonly acknowledged: number
  /** Allocated bytes of the directory, without BALLAST. */
  readonly diskBytes: number
  readonly ballastBytes: number
  readonly spaceAmplification: number
  /** What the store itself says; not with every sample. */
  readonly figures?: Readonly<Record<string, unknown>>
}

/** Highest space amplifications of a run. */
export interface SpaceMaxima {
  /** Of the samples after the warm-up; null if there are none. */
  readonly steady: number | null
  /** Of all samples. */
  readonly overall: number
}

/** Of single puts, microseconds. */
export interface PutLatencies {
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

/**
 * Disk bytes per live byte. Two segments are taken off: the one that is written and the one that is made ready
 * for it belong to the log, however little it holds. Small stores may therefore come out below 1, and below 0.
 */
export function spaceAmplification(
  diskBytes: number,
  segmentBytes: number,
  liveBytes: number,
): number {
  return (diskBytes - 2 * segmentBytes) / liveBytes
}

/** @param warmUp so many overwrites, the first pass over the data set, lead to the steady state */
export function spaceMaxima(
  samples: readonly Pick<SpaceSample, 'acknowledged' | 'spaceAmplification'>[],
  warmUp: number,
): SpaceMaxima {
  const highest = (of: typeof samples): number =>
    of.reduce((max, sample) => Math.max(max, sample.spaceAmplification), Number.NEGATIVE_INFINITY)
  const later = samples.filter((sample) => sample.acknowledged >= warmUp)
  return { steady: later.length === 0 ? null : highest(later), overall: highest(samples) }
}

/** Percentiles by nearest rank of times in milliseconds; null if there are none. */
export function latenciesOf(timesMs: Float32Array): PutLatencies | null {
  if (timesMs.length === 0) return null
  const sorted = timesMs.slice().sort()
  const at = (share: number): number => {
    const rank = Math.max(1, Math.ceil(sorted.length * share))
    return sorted[rank - 1]! * 1000
  }
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) }
}
