/**
 * What wisc wants to be ahead in, whole kinds of workloads at a time: each row of a run that belongs to a goal meets or
 * misses it, and has a reason then. (`targets.ts` has figures for single rows.)
 */
import { COLD_READS, LOADS, PACED, READS, SYNCED } from '../harness/workload-names.ts'
import { type Cell, sizesOf } from './figures.ts'
import { ratioTo, standingsOf } from './standings.ts'

const KIB = 1024

/** A goal with the rows of a run that it speaks of. */
export interface GoalRows {
  readonly text: string
  readonly rows: readonly GoalRow[]
}

export interface GoalRow {
  readonly workload: string
  readonly valueBytes: number
  /** Rate of wisc over that of `beside`. */
  readonly ratio: number
  readonly beside: string
  readonly met: boolean
}

const WRITES: readonly string[] = [...LOADS, 'fillbatch', 'deletehalf', ...Object.keys(SYNCED)]
const WARM_READS: readonly string[] = READS.filter(
  (name) => !name.startsWith('ycsb') && !PACED.includes(name),
)
const FILLS: readonly string[] = ['fillrandom', 'fillseq', 'fillbatch']

/** All goals, those without a row in the run, too. */
export function judgeRows(cells: readonly Cell[]): GoalRows[] {
  const beside = (
    engine: string,
    workloads: readonly string[],
    limit: number,
    fromBytes: number = 0,
  ): GoalRow[] =>
    workloads.flatMap((workload) =>
      sizesOf(cells).flatMap((valueBytes): GoalRow[] => {
        const ratio = ratioTo(cells, engine, workload, valueBytes)
        if (ratio === null || valueBytes < fromBytes) return []
        return [{ workload, valueBytes, ratio, beside: engine, met: ratio >= limit }]
      }),
    )
  const writes = standingsOf(cells)
    .filter(({ workload, valueBytes }) => WRITES.includes(workload) && valueBytes >= KIB)
    .map(({ peer, ...standing }) => ({ ...standing, beside: peer, met: standing.ratio >= 1 }))
  return [
    { text: 'ahead of every peer in every write from 1 KiB on', rows: writes },
    {
      text: 'ahead of classic-level in every read',
      rows: beside('classic-level', [...WARM_READS, ...COLD_READS], 1),
    },
    {
      text: 'within 10 % of lmdb in reads from the page cache',
      rows: beside('lmdb-nosync', WARM_READS, 0.9),
    },
    {
      text: 'within 15 % of the raw floor in fills from 4 KiB on',
      rows: beside('raw', FILLS, 0.85, 4 * KIB),
    },
  ]
}

type Missed = Pick<GoalRow, 'workload' | 'valueBytes' | 'beside'>

const WRITES_OF_NEW_KEYS: readonly string[] = [...LOADS, 'fillbatch', 'deletehalf'].filter(
  (name) => name !== 'overwrite',
)
const COLD: readonly string[] = COLD_READS
const IN_ORDER: readonly string[] = ['scan', 'scan-overwritten', 'ranges', 'ycsb-e']

/**
 * Why wisc is behind in a row: the names of the paragraphs of bench/README.md that say it, under "Where others win, and
 * why". The first that fits counts.
 */
const REASONS: readonly (readonly [name: string, fits: (row: Missed) => boolean])[] = [
  ['The bound of space', ({ workload }) => workload === 'overwrite'],
  ['Durable puts', ({ workload }) => workload in SYNCED],
  ['Syncs of the log', (row) => isWrite(row) && row.valueBytes >= 4 * KIB && !isDelete(row)],
  ['Small records', isWrite],
  ['Cold reads', ({ workload }) => COLD.includes(workload)],
  ['Small values', ({ valueBytes }) => valueBytes < KIB],
  ['Values in order', (row) => IN_ORDER.includes(row.workload) && row.beside !== 'lmdb-nosync'],
  ['Mapped files', ({ workload }) => READS.includes(workload) || IN_ORDER.includes(workload)],
]

function isWrite({ workload }: Missed): boolean {
  return WRITES_OF_NEW_KEYS.includes(workload)
}

function isDelete({ workload }: Missed): boolean {
  return workload === 'deletehalf'
}

/** All of these names. */
export const REASON_NAMES: readonly string[] = REASONS.map(([name]) => name)

/** @returns null for what nobody has found out */
export function reasonOf(row: Missed): string | null {
  return REASONS.find(([, fits]) => fits(row))?.[0] ?? null
}
