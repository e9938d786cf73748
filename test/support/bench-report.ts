/** Results of a benchmark that nobody has run. */
import type { Report } from '#dist/bench/report/results.js'
import type { Row } from '#dist/bench/throughput/results.js'

/** Rows of one engine with these rates, a round each. */
export function rowsOf(
  engine: Row['engine'],
  valueBytes: number,
  rates: readonly number[],
  workload: string = 'readrandom',
): Row[] {
  return rates.map((rate, i) => ({
    engine,
    valueBytes,
    round: i + 1,
    workload,
    operations: rate * 2,
    seconds: 2,
    userBytes: rate * 2 * valueBytes,
    memoryPeakBytes: null,
    memoryBaseBytes: null,
    highWaterBytes: null,
    writtenBytes: null,
    loopDelayMs: { p50: 0, p99: 0, p999: 0, max: 0 },
    cpuSeconds: 1,
    deviceBytes: null,
    otherCores: null,
  }))
}

export function reportOf(rows: readonly Row[]): Report {
  return {
    date: '2026-01-02T03:04:05.006Z',
    machine: 'a machine',
    versions: ['lmdb 1.2.3'],
    command: 'npm run bench -- --rounds 5',
    warm: false,
    totalBytes: 1024 ** 2,
    rounds: 5,
    seed: 1,
    missing: {},
    steps: [],
    rows,
    specials: [],
    steadyBytes: 0,
    steadyFactor: 0,
    steadyRows: [],
    steady: [],
    grow: { steps: [], files: [] },
  }
}
