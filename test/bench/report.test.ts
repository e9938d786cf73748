/**
 * The arithmetic of reports: rounds made one, the crossover of separated and inline values, two runs compared.
 */
import { describe, expect, test } from 'vitest'
import { median, ratioInterval, spreadOf } from '#dist/bench/harness/statistics.js'
import { compareReports, failures, renderComparison } from '#dist/bench/report/compare.js'
import { crossovers } from '#dist/bench/report/crossover.js'
import { renderText } from '#dist/bench/report/text.js'
import { seriesOf } from '#dist/bench/throughput/results.js'
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
  const before = reportOf([
    ...rowsOf('wisc', 1024, [100, 101, 99, 100, 102]),
    ...rowsOf('wisc', 4096, [100, 101, 99, 100, 102]),
    ...rowsOf('lmdb', 4096, [100, 101, 99, 100, 102]),
    ...rowsOf('raw', 4096, [100]),
  ])
  const after = reportOf([
    ...rowsOf('wisc', 1024, [101, 99, 100, 103, 98]),
    ...rowsOf('wisc', 4096, [80, 81, 79, 80, 82]),
    ...rowsOf('lmdb', 4096, [70, 71, 69, 70, 72]),
    ...rowsOf('raw', 4096, [50]),
  ])
  const changes = compareReports(before, after)

  test('tells noise from change', () => {
    expect(
      Object.fromEntries(
        changes.map(({ engine, valueBytes, verdict }) => [`${engine} ${valueBytes}`, verdict]),
      ),
    ).toEqual({
      'wisc 1024': 'noise',
      'wisc 4096': 'slower',
      'lmdb 4096': 'slower',
      'raw 4096': 'unknown',
    })
  })

  test("fails for wisc's rows alone, beyond the share", () => {
    expect(failures(changes, 0.1)).toMatchObject([{ engine: 'wisc', valueBytes: 4096 }])
    expect(failures(changes, 0.3)).toEqual([])
  })

  test('says what else differs between the runs', () => {
    const text = renderComparison(before, { ...after, warm: true }, changes)
    expect(text).toContain('The runs differ in warm: false and true.')
    expect(renderComparison(before, reportOf([]), [])).toContain('Nothing was measured by both.')
  })
})
