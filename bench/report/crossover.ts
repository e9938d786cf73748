/**
 * From which value size on it pays to keep values apart: the same engine with all values in its log, and with all in
 * its tables.
 *
 *   ratio    2 |                    ..o
 *   apart /    |              ..o''           between two measured sizes the ratio is taken to follow a straight
 *   inline   1 |--------.,o'---------         line over the logarithms of both; where it passes 1 is the crossover
 *              |  o..,''
 *              '----------------------> size of a value
 */

import { median, ratioInterval } from '../harness/statistics.ts'
import { PACED } from '../harness/workload-names.ts'
import type { Series } from '../throughput/results.ts'

const APART = 'wisc-separated'
const INLINE = 'wisc-inline'

/** One measured size. */
export interface CrossoverPoint {
  readonly valueBytes: number
  /** Operations a second, medians, and separated over inline. */
  readonly separated: number
  readonly inline: number
  readonly ratio: number
  /** Null where one round was made. */
  readonly low: number | null
  readonly high: number | null
}

/** One workload. */
export interface Crossover {
  readonly workload: string
  readonly points: readonly CrossoverPoint[]
  /** From this size on separated is ahead, up to the largest that was measured: 0 if it is from the smallest on. */
  readonly aheadFrom: number | null
  /** The same by the upper and by the lower ends of the intervals; null as above, or where there are none. */
  readonly earliest: number | null
  readonly latest: number | null
}

/** Of the workloads that were run both ways, at two sizes at least. */
export function crossovers(series: readonly Series[], seed: number): Crossover[] {
  const workloads = [...new Set(series.map(({ workload }) => workload))].filter(
    (name) => !PACED.includes(name),
  )
  return workloads.flatMap((workload) => {
    const of = (engine: string): Series[] =>
      series.filter((each) => each.workload === workload && each.engine === engine)
    const points = of(APART).flatMap((apart): CrossoverPoint[] => {
      const inline = of(INLINE).find(({ valueBytes }) => valueBytes === apart.valueBytes)
      if (!inline) return []
      const interval = ratioInterval(inline.rates, apart.rates, seed)
      const rates = { separated: median(apart.rates), inline: median(inline.rates) }
      const ratio = rates.separated / rates.inline
      const { low, high } = interval ?? { low: null, high: null }
      return [{ valueBytes: apart.valueBytes, ...rates, ratio, low, high }]
    })
    if (points.length < 2) return []
    return [
      {
        workload,
        points,
        aheadFrom: passesOne(points.map(({ valueBytes, ratio }) => [valueBytes, ratio])),
        earliest: passesOne(points.map(({ valueBytes, high }) => [valueBytes, high])),
        latest: passesOne(points.map(({ valueBytes, low }) => [valueBytes, low])),
      },
    ]
  })
}

/** Where the crossover lies by the ends of the intervals, as text. */
export function crossoverRange({ earliest, latest }: Crossover): string {
  if (earliest === null && latest === null) return '-'
  return `${sizeOrNever(earliest)} to ${sizeOrNever(latest)}`
}

/** A size from which on separated is ahead, as text. */
export function sizeOrNever(bytes: number | null): string {
  if (bytes === null) return 'nowhere'
  return bytes === 0 ? 'all sizes' : shortSize(bytes)
}

/** To two digits: a crossover is not known better. */
function shortSize(bytes: number): string {
  const [value, unit] = bytes < 1024 ? [bytes, 'B'] : [bytes / 1024, 'KiB']
  return `${Number(value.toPrecision(2))} ${unit}`
}

/**
 * The size from which on the ratio stays above 1.
 * @returns 0 if it is so at all sizes, null if it is not at the largest
 */
function passesOne(points: readonly (readonly [number, number | null])[]): number | null {
  let at = points.length
  while (at > 0 && (points[at - 1]![1] ?? 0) >= 1) at--
  if (at === points.length) return null
  if (at === 0) return 0
  const [size, ratio] = points[at - 1]!
  const [nextSize, nextRatio] = points[at]!
  if (ratio === null || nextRatio === null) return null
  const share = Math.log(1 / ratio) / Math.log(nextRatio / ratio)
  return Math.round(size * (nextSize / size) ** share)
}
