/**
 * The rows of `overwrite-steady`: what is overwritten, at which target, and the goals that wisc has set itself.
 */
import { formatBytes, parseBytes } from '../byte-sizes.ts'
import { DISTRIBUTIONS, type Distribution } from './choose-key.ts'

/** What is stored and which keys are overwritten. Rows with the same load share the runs without a collector. */
export interface SteadyLoad {
  readonly valueBytes: number
  readonly distribution: Distribution
}

export interface SteadyRow extends SteadyLoad {
  /** `targetSpaceAmplification`; undefined: the collector is off, and there is nothing to compare. */
  readonly target: number | undefined
}

/** Limits of one row. */
export interface SteadyGoal {
  readonly row: string
  readonly spaceMax: number
  readonly writtenMax: number
  /** Overwrites a second over those of the same load without a collector. */
  readonly throughputMin: number
}

export const STEADY_GOALS: readonly SteadyGoal[] = [
  { row: '1MiB-uniform-1.3', spaceMax: 1.35, writtenMax: 1.15, throughputMin: 0.8 },
  { row: '64KiB-uniform-1.3', spaceMax: 1.35, writtenMax: 1.15, throughputMin: 0.8 },
  { row: '16KiB-uniform-1.3', spaceMax: 1.35, writtenMax: 1.6, throughputMin: 0.7 },
  { row: '4KiB-uniform-1.3', spaceMax: 1.35, writtenMax: 2.6, throughputMin: 0.5 },
  { row: '4KiB-uniform-1.6', spaceMax: 1.65, writtenMax: 1.8, throughputMin: 0.65 },
  { row: '4KiB-zipf-1.3', spaceMax: 1.35, writtenMax: 1.8, throughputMin: 0.65 },
  { row: '1KiB-uniform-1.6', spaceMax: 1.65, writtenMax: 2.2, throughputMin: 0.5 },
]

/** What `--steady-rows` runs when it is not given. */
export const STEADY_ROWS: readonly string[] = STEADY_GOALS.map((goal) => goal.row)

/** What `--steady-curve` adds: space against written bytes. */
export const CURVE_ROWS: readonly string[] = [1.1, 1.2, 1.3, 1.6, 2].map((target) =>
  nameRow({ valueBytes: 4096, distribution: 'uniform', target }),
)

/** `4KiB-uniform-1.3`, or `4KiB-uniform-off`. */
export function nameRow(row: SteadyRow): string {
  const target = row.target === undefined ? 'off' : formatTarget(row.target)
  return `${nameLoad(row)}-${target}`
}

/** `4KiB-uniform`. */
function nameLoad(load: SteadyLoad): string {
  return `${formatBytes(load.valueBytes).replace(' ', '')}-${load.distribution}`
}

/** @throws Error for what is no name of a row */
export function parseRow(name: string): SteadyRow {
  const [size = '', word, targetText = '', ...rest] = name.split('-')
  const distribution = DISTRIBUTIONS.find((known) => known === word)
  const target = targetText === 'off' ? undefined : Number(targetText)
  if (distribution === undefined || rest.length > 0 || (target !== undefined && !(target > 1))) {
    throw new Error(
      `not a row: ${name} (examples: ${STEADY_ROWS[0]}, 4KiB-zipf-1.3, 64KiB-uniform-off)`,
    )
  }
  return { valueBytes: parseBytes(size), distribution, target }
}

/** Rows with the same load, in the order of their first mention; no target twice. */
export function groupByLoad(
  rows: readonly SteadyRow[],
): { readonly load: SteadyLoad; readonly targets: readonly number[] }[] {
  const groups = new Map<string, { readonly load: SteadyLoad; readonly targets: number[] }>()
  for (const { target, ...load } of rows) {
    const name = nameLoad(load)
    const group = groups.get(name) ?? { load, targets: [] }
    groups.set(name, group)
    if (target !== undefined && !group.targets.includes(target)) group.targets.push(target)
  }
  return [...groups.values()]
}

function formatTarget(target: number): string {
  return Number.isInteger(target) ? target.toFixed(1) : String(target)
}
