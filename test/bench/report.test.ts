/**
 * The arithmetic of reports: rounds made one, the crossover of separated and inline values, two runs compared.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { median, ratioInterval, spreadOf } from '#dist/bench/harness/statistics.js'
import { compareReports, failures, RULE, renderComparison } from '#dist/bench/report/compare.js'
import { crossovers } from '#dist/bench/report/crossover.js'
import { type Report, readReport } from '#dist/bench/report/results.js'
import { renderText } from '#dist/bench/report/text.js'
import { type Row, seriesOf } from '#dist/bench/throughput/results.js'
import { reportOf, rowsOf } from '../support/bench-report.ts'

describe('rounds', () => {
  test('the median is the middle one, or half way between two', () => {
    expect(median([5, 1, 3])).toBe(3)
    expect(median([4, 1, 2, 100])).toBe(3)
    expect(spreadOf([5, 1, 3])).toEqual({ median: 3, low: 1, high: 5 })
  })

  test('the interval of a ratio holds 1 if the rounds overlap, and not if they lie apart', () => {
    const before = [100, 103, 97, 101, 99]
    const same = ratioInterval(before, [102, 98, 100, 96, 104], 7)!
    expect(same.low).toBeLessThan(1)
    expect(same.high).toBeGreaterThan(1)
    const slower = ratioInterval(before, [80, 82, 79, 81, 78], 7)!
    expect(slower.high).toBeLessThan(0.9)
    expect(slower.low).toBeGreaterThan(0.7)
    expect(ratioInterval(before, [80], 7)).toBeNull()
  })

  test('of a load only the rounds in the way that won count', () => {
    const [first, second] = rowsOf('wisc', 1024, [100, 300], 'fillrandom')
    const rows = [
      { ...first!, way: 'writers' },
      { ...second!, way: 'batches' },
      { ...rowsOf('wisc', 1024, [280], 'fillrandom')[0]!, way: 'batches' },
    ]
    expect(seriesOf(rows).map(({ rates }) => rates)).toEqual([[300, 280]])
  })

  test('tables say the median and how far the rounds lie from it', () => {
    const rows = [...rowsOf('wisc', 1024, [90, 100, 105]), ...rowsOf('lmdb-nosync', 1024, [50])]
    const text = renderText(reportOf(rows))
    expect(text).toMatch(/\| readrandom +\| 100 ±10 % \| 50 +\| - +\| - +\| 2.00 /)
    expect(text).toContain('    npm run bench -- --rounds 5')
  })
})

test('results of before have the longest delay of the event loop alone, under another name', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'wisc-bench-'))
  const file = path.join(directory, 'old.json')
  const { loopDelayMs: _delay, ...old } = rowsOf('wisc', 1024, [100])[0]!
  writeFileSync(file, JSON.stringify({ ...reportOf([]), rows: [{ ...old, longestPauseMs: 7 }] }))
  const [row] = readReport(file).rows
  expect(row).toEqual({ ...old, loopDelayMs: { max: 7 } })
  expect(() => readReport(path.join(directory, 'none.json'))).toThrow('ENOENT')
  rmSync(directory, { recursive: true })
})

describe('crossover', () => {
  const sizes = [256, 1024, 4096]
  const series = (ratios: readonly number[]) =>
    seriesOf(
      sizes.flatMap((size, i) => [
        ...rowsOf('wisc-inline', size, [100, 100]),
        ...rowsOf('wisc-separated', size, [100 * ratios[i]!, 100 * ratios[i]!]),
      ]),
    )

  test('lies where the line between two sizes passes 1', () => {
    const [found] = crossovers(series([0.25, 0.5, 2]), 1)
    // Half way between 1024 and 4096 in logarithms.
    expect(found).toMatchObject({ workload: 'readrandom', aheadFrom: 2048 })
    expect(found!.points.map(({ ratio }) => ratio)).toEqual([0.25, 0.5, 2])
  })

  test('all sizes, or none, and what is ahead in the middle alone does not count', () => {
    expect(crossovers(series([1, 2, 3]), 1)[0]!.aheadFrom).toBe(0)
    expect(crossovers(series([2, 2, 0.9]), 1)[0]!.aheadFrom).toBeNull()
    expect(crossovers(series([2, 0.5, 2]), 1)[0]!.aheadFrom).toBe(2048)
  })

  test('needs both ways at two sizes', () => {
    expect(crossovers(seriesOf(rowsOf('wisc-inline', 256, [1, 1])), 1)).toEqual([])
  })
})

describe('comparing two runs', () => {
  const SAME = [100, 101, 99, 100, 102]
  const SLOWER = [80, 81, 79, 80, 82]
  type Rates = Readonly<Partial<Record<Row['engine'], readonly number[]>>>
  const runOf = (rates: Rates, change: Partial<Row> = {}): Report => {
    const rows = Object.entries(rates).flatMap(([engine, all]) =>
      rowsOf(engine as Row['engine'], 4096, all),
    )
    return reportOf(rows.map((row) => ({ ...row, ...change })))
  }
  const verdicts = (before: Report, after: Report): Record<string, string> =>
    Object.fromEntries(
      compareReports(before, after).map(({ engine, verdict }) => [engine, verdict]),
    )

  test('what raw and peers did not do is a change; what they did, too, is drift', () => {
    const before = runOf({ raw: SAME, wisc: SAME, 'classic-level': SAME })
    const alone = runOf({ raw: SAME, wisc: SLOWER, 'classic-level': SAME })
    expect(verdicts(before, alone)).toEqual({
      raw: 'noise',
      wisc: 'slower',
      'classic-level': 'noise',
    })
    expect(verdicts(alone, before)).toMatchObject({ wisc: 'faster' })
    const together = runOf({ raw: SAME, wisc: SLOWER, 'classic-level': SLOWER })
    expect(verdicts(before, together)).toEqual({
      raw: 'noise',
      wisc: 'drift',
      'classic-level': 'drift',
    })
    expect(verdicts(together, before)).toMatchObject({ wisc: 'drift' })
    // Slower by far more than they.
    const farther = runOf({ raw: SLOWER, wisc: [40, 41, 39, 40, 42], 'classic-level': SAME })
    expect(verdicts(before, farther)).toMatchObject({ raw: 'drift', wisc: 'slower' })
    // Against them.
    expect(verdicts(before, runOf({ raw: [120, 121, 122], wisc: SLOWER }))).toMatchObject({
      wisc: 'slower',
    })
  })

  test('only the same workload at the same size says what the machine did', () => {
    const at = (size: number, own: readonly number[], floor: readonly number[]): Row[] => [
      ...rowsOf('wisc', size, own),
      ...rowsOf('raw', size, floor),
    ]
    const changes = compareReports(
      reportOf([...at(1024, SAME, SAME), ...at(4096, SAME, SAME)]),
      reportOf([...at(1024, SLOWER, SAME), ...at(4096, SLOWER, SLOWER)]),
    )
    const own = changes.filter(({ engine }) => engine === 'wisc').map(({ verdict }) => verdict)
    expect(own).toEqual(['slower', 'drift'])
  })

  test('a peer of another version is judged like wisc, and says nothing of the machine', () => {
    const before = runOf({ wisc: SAME, lmdb: SAME })
    const after = { ...runOf({ wisc: SLOWER, lmdb: SLOWER }), versions: ['lmdb 9.9.9'] }
    expect(verdicts(before, after)).toEqual({ wisc: 'slower', lmdb: 'slower' })
    expect(verdicts(before, { ...after, versions: before.versions })).toMatchObject({
      wisc: 'drift',
    })
  })

  test('fewer than three rounds are too few, and disturbed ones do not count', () => {
    const before = runOf({ raw: SAME, wisc: SAME })
    const few = runOf({ raw: SAME, wisc: [80, 81] })
    expect(verdicts(before, few)).toEqual({ raw: 'noise', wisc: 'too few rounds' })
    const disturbed = runOf({ raw: SAME, wisc: SLOWER }, { otherCores: 0.5 })
    expect(verdicts(before, disturbed)).toEqual({ raw: 'too few rounds', wisc: 'too few rounds' })
    // A few of many are left out.
    const rows = rowsOf('wisc', 4096, [...SAME, 20, 21]).map((row) =>
      row.operations / row.seconds < 50 ? { ...row, otherCores: 1 } : row,
    )
    const [change] = compareReports(before, reportOf(rows))
    expect(change).toMatchObject({ engine: 'wisc', rounds: [5, 5], ratio: 1, verdict: 'noise' })
  })

  test("fails for wisc's rows alone, by what is beyond the drift", () => {
    const before = runOf({ wisc: SAME, raw: SAME, lmdb: SAME })
    const failed = (after: Report, share: number): string[] =>
      failures(compareReports(before, after), share).map(({ engine }) => engine)
    const after = runOf({ wisc: SLOWER, raw: SAME, lmdb: SAME })
    expect(failed(after, 0.1)).toEqual(['wisc'])
    expect(failed(after, 0.3)).toEqual([])
    expect(failed(runOf({ wisc: SAME, raw: SAME, lmdb: SLOWER }), 0.1)).toEqual([])
    expect(failed(runOf({ wisc: SLOWER, raw: SLOWER, lmdb: SAME }), 0.1)).toEqual([])
    // By a quarter of what was there, but by a twentieth of what the machine had left.
    const drifted = runOf({ wisc: [72, 72, 72], raw: [78, 78, 78], lmdb: SAME })
    expect(verdicts(before, drifted)).toMatchObject({ wisc: 'slower' })
    expect(failed(drifted, 0.1)).toEqual([])
    expect(failed(drifted, 0.02)).toEqual(['wisc'])
  })

  test('overwrite-steady: a peer in the same row says what the machine did', () => {
    const beside = steadyReportOf([100, 101, 99], [60, 61, 59])
    const slower = steadyReportOf([80, 81, 79], [60, 61, 59])
    const drifted = steadyReportOf([80, 81, 79], [45, 46, 47])
    const own = (after: Report) => compareReports(beside, after)[0]
    expect(own(slower)).toMatchObject({
      workload: 'overwrite-steady 4KiB-uniform-1.3',
      engine: 'wisc',
      verdict: 'slower',
    })
    expect(own(drifted)).toMatchObject({ verdict: 'drift' })
  })

  test('says the rule, what else differs between the runs, and how many rows changed', () => {
    const before = runOf({ wisc: SAME, raw: SAME })
    const after = { ...runOf({ wisc: SLOWER, raw: SAME }), warm: true }
    const text = renderComparison(before, after, compareReports(before, after))
    expect(text).toContain('The runs differ in warm: false and true.')
    expect(text).toContain(RULE)
    expect(text.replaceAll(/ +/g, ' ')).toMatch(
      /\| wisc \| 100 \| 80 \| 5, 5 \| 0.80 \| 0.7\d to 0.8\d \| 0.9\d to 1.0\d \| slower \|/,
    )
    expect(text).toContain('Rows of wisc: 1 slower.\nRows of the others: 1 noise.')
    expect(renderComparison(before, reportOf([]), [])).toContain('Nothing was measured by both.')
  })
})

/** Three rounds of one row, wisc and RocksDB with blob files beside it, with these overwrites a second. */
function steadyReportOf(own: readonly number[], peer: readonly number[]): Report {
  const load = { valueBytes: 4096, distribution: 'uniform' }
  const runsOf = (row: string, engine: string | null, rates: readonly number[]) =>
    rates.map((rate) => ({ row, load, engine, acknowledged: rate, seconds: 1 }))
  const row = '4KiB-uniform-1.3'
  const steady = [...runsOf(row, null, own), ...runsOf(`${row}-rocksdb-blob`, 'rocksdb-blob', peer)]
  // A comparison asks for nothing else of a run.
  return { ...reportOf([]), steady: steady as unknown as Report['steady'] }
}
