/** The model of SCALE.md: its formulas, by results that were made up. */
import { describe, expect, test } from 'vitest'
import {
  coefficientsOf,
  DEFAULTS,
  fitLine,
  levelsOf,
  predict,
  whatBreaks,
} from '#dist/bench/grow/model.js'
import type { FilesReport, GrowStep, PhaseReport } from '#dist/bench/grow/results.js'

const MIB = 1024 * 1024
const VALUE_BYTES = 2000
const RECORD_BYTES = VALUE_BYTES + 16

test('a line goes through points that lie on one, and never falls', () => {
  const line = fitLine([
    [1, 13],
    [2, 16],
    [5, 25],
  ])
  expect(line.base).toBeCloseTo(10)
  expect(line.slope).toBeCloseTo(3)
  expect(fitLine([[4, 7]])).toEqual({ base: 7, slope: 0 })
  expect(
    fitLine([
      [1, 9],
      [2, 3],
    ]),
  ).toEqual({ base: 6, slope: 0 })
})

test('a level more for each power of the size ratio', () => {
  expect([1, 512, 513, 5120, 5121].map((mib) => levelsOf(mib * MIB))).toEqual([1, 1, 2, 2, 3])
  expect(levelsOf(1e13)).toBe(6)
})

describe('coefficients', () => {
  const steps = [stepOf(1e5, 3), stepOf(1e6, 5), stepOf(4e6, 30), stepOf(1e7, 75)]
  const files = [
    filesOf('log', 1000, 1, 110),
    filesOf('log', 5000, 1, 510),
    filesOf('tables', 3, 1000, 210),
    filesOf('tables', 3, 5000, 1010),
  ]
  const measured = coefficientsOf({ steps, files })

  test('are of the last step, and of the slopes over files and tables', () => {
    expect(measured.entryBytes).toBe(30)
    expect(measured.openMs.perFile).toBeCloseTo(0.1)
    expect(measured.openMs.perTable).toBeCloseTo(0.2)
    expect(measured.openMs.base).toBeCloseTo(10)
    // 5 us more where 8 of some 49 files are open, 25 where it is 8 of 30 tables as well.
    const files = stepOf(1e6, 5).read.files.valueLogFiles
    expect(measured.fileOpenUs).toBeCloseTo(5 / (1 - 8 / files))
    const others = measured.fileOpenUs * (1 - 8 / stepOf(4e6, 30).read.files.valueLogFiles)
    expect(measured.tableOpenUs).toBeCloseTo((25 - others) / (1 - 8 / 30))
  })

  test('results without a store that has grown, or without many files, are refused', () => {
    expect(() => coefficientsOf({ steps: [], files })).toThrow('no grow')
    expect(() => coefficientsOf({ steps, files: [] })).toThrow('no grow')
    expect(() => coefficientsOf({ steps: [stepOf(1e5, 3)], files })).toThrow('no step tells')
  })

  test('give the measured store back', () => {
    const predicted = predict(1e7 * RECORD_BYTES, DEFAULTS, measured)
    expect(predicted.keys).toBe(1e7)
    expect(predicted.tables).toBe(75)
    expect(predicted.tablesOpenedPerGet).toBe(0)
    expect(predicted.getUs).toBeCloseTo(10 + predicted.filesOpenedPerGet * measured.fileOpenUs)
    expect(predicted.filesOpenedPerGet).toBeCloseTo(1 - 256 / predicted.files)
  })

  test('no more tables are open than may be, and the rest is opened for each get', () => {
    const predicted = predict(1e13, DEFAULTS, measured)
    expect(predicted.openTables).toBe(256)
    expect(predicted.tablesOpenedPerGet).toBeGreaterThan(1)
    expect(predicted.tablesOpenedPerGet).toBeLessThan(predicted.levels)
    const wide = predict(1e13, { ...DEFAULTS, maxOpenFiles: 1e6 }, measured)
    expect(wide.tablesOpenedPerGet).toBe(0)
    expect(wide.filterBytes).toBeCloseTo((wide.keys * 10) / 8, -1)
  })

  test('what breaks comes in the order of size, and holds at that size and not before', () => {
    const found = whatBreaks(DEFAULTS, measured)
    const sizes = found.map(({ liveBytes }) => liveBytes)
    expect(sizes).toEqual(sizes.toSorted((left, right) => left - right))
    const open = found.find(({ what }) => what.startsWith('an open'))!.liveBytes
    expect(predict(open, DEFAULTS, measured).openMs).toBeGreaterThan(1000)
    expect(predict(open / 1.03, DEFAULTS, measured).openMs).toBeLessThanOrEqual(1000)
  })
})

function filesOf(
  kind: FilesReport['kind'],
  valueLogFiles: number,
  tables: number,
  figure: number,
): FilesReport {
  return {
    kind,
    valueLogFiles,
    tables,
    openMs: figure,
    openCpuMs: figure,
    firstStatsCpuMs: figure,
    laterStatsCpuMs: figure,
    memoryBytes: figure,
    manifestBytes: figure,
  }
}

/** Entries of 30 bytes, each written 3 times; 10 us for a get, with few files 15, or 35 if there are many tables. */
function stepOf(keys: number, tables: number): GrowStep {
  const cost = (cpuUs: number) => ({ operations: 1, wallUs: cpuUs, cpuUs })
  const phase: PhaseReport = {
    openMs: 1,
    openCpuMs: 1,
    memoryPeakBytes: 1,
    costs: { 'getSync, hot': cost(10), 'getSync, hot, few tables': cost(tables < 16 ? 15 : 35) },
    written: 1,
    tableBytesWritten: 90 * keys,
    compactions: 1,
    levels: [{ runs: 1, tables, bytes: 30 * keys, entries: keys }],
    segments: 1,
    relocations: 0,
    openFiles: 1,
    files: {
      diskBytes: 1.3 * keys * RECORD_BYTES,
      valueLogFiles: Math.ceil((1.3 * keys * RECORD_BYTES) / (50 * MIB)),
      tables,
      tableBytes: 30 * keys,
      manifestBytes: 1,
    },
  }
  return {
    keys,
    keysBefore: 0,
    valueBytes: VALUE_BYTES,
    fill: phase,
    read: phase,
    fewTables: phase,
    overwrite: phase,
  }
}
