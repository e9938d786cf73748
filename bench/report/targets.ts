/**
 * The figures that wisc has set itself, judged by the results of one run.
 */
import type { EngineName } from '../engines/engine.ts'
import type { Verdict } from '../harness/markdown.ts'
import type { SpecialFigure } from '../special/figures.ts'
import { medianRate, type Row, seriesOf } from '../throughput/results.ts'

const KIB = 1024
const MIB = 1024 * KIB
const ALL_SIZES = [256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, MIB]
/** Megabytes of resident memory, page cache not counted, that no load may exceed. */
const MEMORY_MB_MAX = 300

/** Judges every figure; those that the run did not measure have no value. */
export function judge(rows: readonly Row[], specials: readonly SpecialFigure[]): Verdict[] {
  const verdicts: Verdict[] = []
  const series = seriesOf(rows)
  const add = (text: string, limit: number, atLeast: boolean, measured: number | null): void => {
    const met = measured !== null && (atLeast ? measured >= limit : measured <= limit)
    verdicts.push({ text, limit, atLeast, measured, met })
  }
  const over = (workload: string, valueBytes: number, peer: EngineName): number | null =>
    quotient(
      medianRate(series, 'wisc', valueBytes, workload),
      medianRate(series, peer, valueBytes, workload),
    )
  const addOver = (
    workload: string,
    peer: EngineName,
    sizes: readonly number[],
    limit: number,
  ): void => {
    for (const size of sizes) {
      const title = `${workload} of ${size} B over ${peer}`
      add(title, limit, true, over(workload, size, peer))
    }
  }

  addOver('fillrandom', 'lmdb-nosync', [KIB], 2)
  addOver('fillrandom', 'lmdb-nosync', [4 * KIB, 16 * KIB, 64 * KIB, MIB], 1.2)
  addOver('fillrandom', 'classic-level', ALL_SIZES, 3)
  addOver('fillrandom', 'raw', [4 * KIB], 0.4)
  addOver('fillrandom', 'raw', [64 * KIB, MIB], 0.6)
  addOver('readrandom-sync', 'classic-level', [4 * KIB], 0.8)
  addOver('readrandom', 'classic-level', [4 * KIB], 4)
  addOver('readrandom', 'lmdb-nosync', [4 * KIB], 0.5)
  addOver('ranges', 'classic-level', [4 * KIB], 1)
  addOver('scan', 'lmdb-nosync', [4 * KIB], 0.6)
  addOver('scan-keys', 'classic-level', [4 * KIB], 1)
  addOver('cold-get-16', 'classic-level', [4 * KIB], 1.2)
  addOver('cold-ranges', 'raw', [4 * KIB, 16 * KIB], 0.7)
  addOver('cold-scan', 'raw', [4 * KIB, 16 * KIB], 0.7)
  addOver('ranges', 'lmdb-nosync', [4 * KIB, KIB], 1)
  addOver('ranges', 'classic-level', [KIB], 1)
  addOver('scan', 'classic-level', [4 * KIB, KIB], 1)
  addOver('readrandom-sync', 'lmdb-nosync', [4 * KIB], 0.9)
  addOver('ycsb-b', 'lmdb-nosync', [4 * KIB], 1)
  addOver('fillsync-1', 'raw', [4 * KIB], 0.7)
  add(
    'fillsync of 4096 B, 64 writers over one writer',
    10,
    true,
    quotient(
      medianRate(series, 'wisc', 4 * KIB, 'fillsync-64'),
      medianRate(series, 'wisc', 4 * KIB, 'fillsync-1'),
    ),
  )
  const special = (name: string): number | null =>
    specials.find((figure) => figure.name === name)?.value ?? null
  add('load of 1 GiB, bytes written per user byte', 1.05, false, special('load-1GiB written'))
  add('memory of any load, MB', MEMORY_MB_MAX, false, memoryPeak(rows))
  add('open, 1 million keys, ms', 100, false, special('open-clean open'))
  add('wisc stat, 1 million keys, ms', 250, false, special('open-clean wisc stat'))
  add('open after kill -9, 300 MiB of log, ms', 1500, false, openAfterKill(special))
  add('open and first get behind the import, ms', 15, false, special('first wisc open and get'))
  for (const call of ['put', 'getSync', 'overwrite']) {
    const first = special(`first wisc ${call}, 20,000`)
    const warm = special(`first wisc ${call}, 20,000 warm`)
    const share = first === null || warm === null ? null : warm / first
    add(`the first 20,000 ${call}s over warm ones`, 0.6, true, share)
  }
  addSingleCalls(add, special)
  return verdicts
}

/** Each p50 and p99 beside those of the peers, and p99 beside p50. */
function addSingleCalls(
  add: (text: string, limit: number, atLeast: boolean, measured: number | null) => void,
  special: (name: string) => number | null,
): void {
  const ratio = (left: string, right: string): number | null => {
    const [own, other] = [special(left), special(right)]
    return own === null || other === null ? null : own / other
  }
  for (const call of ['put', 'getSync', 'delete']) {
    const own = `single wisc ${call}`
    for (const part of ['p50', 'p99']) {
      for (const peer of ['classic-level', 'lmdb-nosync']) {
        const measured = ratio(`${own} ${part}`, `single ${peer} ${call} ${part}`)
        add(`${call} of 100 B, ${part} over ${peer}`, 1, false, measured)
      }
    }
    add(`${call} of 100 B, p99 over p50`, 3, false, ratio(`${own} p99`, `${own} p50`))
  }
}

function quotient(left: number | null, right: number | null): number | null {
  return left === null || right === null ? null : left / right
}

/** Harness included: its own share stands in the tables as the memory before. */
function memoryPeak(rows: readonly Row[]): number | null {
  const peaks = rows
    .filter((row) => row.engine === 'wisc')
    .map((row) => row.memoryPeakBytes)
    .filter((peak) => peak !== null)
  return peaks.length === 0 ? null : Math.max(...peaks) / 1e6
}

/** Without the copy and the sync of the unproved tail, which are reported apart. */
function openAfterKill(special: (name: string) => number | null): number | null {
  const open = special('open-crash open')
  return open === null ? null : open - (special('open-crash recovery tailCopyMs') ?? 0)
}
