/** The arithmetic of grow: its keys and values, its table, what it judges. */
import { expect, test } from 'vitest'
import { GrownKeys } from '#dist/bench/grow/grown-keys.js'
import { middleFiles, middlePhase } from '#dist/bench/grow/middle.js'
import type { FilesReport, GrowStep, OperationCost, PhaseReport } from '#dist/bench/grow/results.js'
import { judgeGrow, renderGrow } from '#dist/bench/grow/table.js'

test('keys are the same whatever the size of the store, all different, and in no order', () => {
  const keys = new GrownKeys(64, 1)
  const names = Array.from({ length: 20_000 }, (_, number) => keys.key(number).toString('latin1'))
  expect(new Set(names).size).toBe(names.length)
  expect(names.every((name) => name.length === 16)).toBe(true)
  expect(names.filter((name, i) => i > 0 && name > names[i - 1]!).length).toBeCloseTo(10_000, -3)
  expect(keys.key(7)).toEqual(new GrownKeys(2048, 9).key(7))
  expect(names).not.toContain(keys.missingKey(7).toString('latin1'))
})

test('a value is told from that of another key', () => {
  const keys = new GrownKeys(64, 1)
  const value = keys.value(7, 3)
  expect(value).not.toEqual(keys.value(7, 4))
  expect(() => keys.check(7, value)).not.toThrow()
  for (const wrong of [undefined, keys.value(8, 3), value.subarray(1)]) {
    expect(() => keys.check(7, wrong)).toThrow('wrong value')
  }
})

test('a cost is judged by the processor, by its dearest step over its cheapest', () => {
  const verdicts = judgeGrow([stepOf(1000, 10), stepOf(10_000, 12), stepOf(100_000, 13)])
  expect(verdicts.find(({ text }) => text.startsWith('grow: put,'))).toMatchObject({
    measured: 1.3,
    limit: 1.25,
    met: false,
  })
  expect(verdicts.find(({ text }) => text.startsWith('grow: memory, fill'))).toMatchObject({
    measured: 1,
    met: true,
  })
  expect(judgeGrow([stepOf(1000, 10)])).toEqual([])
})

test('the table has a column for each size', () => {
  const table = renderGrow({ steps: [stepOf(1000, 10), stepOf(10_000, 12)], files: [] })
  expect(table).toMatch(/\| cost +\| 1,000 keys +\| 10,000 keys +\| dearest \/ cheapest +\|/)
  expect(table).toMatch(/\| put, processor, us +\| 10 +\| 12 +\| 1.20 +\|/)
})

test('rounds are one by their medians, and by the highest of their memory', () => {
  const rounds = [10, 90, 30].map((cpuUs, i): PhaseReport => {
    const { read } = stepOf(1000, cpuUs)
    return { ...read, openMs: [5, 1, 2][i]!, openCpuMs: [7, 8, 90][i]!, memoryPeakBytes: i }
  })
  const one = middlePhase(rounds)
  expect(one).toMatchObject({ openMs: 2, openCpuMs: 8, memoryPeakBytes: 2, segments: 1 })
  expect(one.costs['getSync, hot']).toEqual({ operations: 1, wallUs: 1, cpuUs: 30 })
  const filesOf = (ms: number): FilesReport => ({
    kind: 'log',
    valueLogFiles: 1000,
    tables: 1,
    openMs: ms,
    openCpuMs: 2 * ms,
    firstStatsCpuMs: 3 * ms,
    laterStatsCpuMs: 4 * ms,
    memoryBytes: 5 * ms,
    manifestBytes: 6,
  })
  expect(middleFiles([3, 1, 2].map(filesOf))).toEqual(filesOf(2))
})

function stepOf(keys: number, cpuUs: number): GrowStep {
  const cost: OperationCost = { operations: 1, wallUs: 1, cpuUs }
  const names = ['put', 'overwrite', 'first get', 'getSync, hot, few tables', 'get, any']
  const reads = ['getSync, hot', 'getSync, missing', 'getSync, any']
  const phase: PhaseReport = {
    openMs: 1,
    openCpuMs: 1,
    memoryPeakBytes: 1e6,
    costs: Object.fromEntries([...names, ...reads].map((name) => [name, cost])),
    written: 1,
    tableBytesWritten: 1,
    compactions: 1,
    levels: [{ runs: 1, tables: 1, bytes: 1, entries: 1 }],
    segments: 1,
    relocations: 0,
    openFiles: 1,
    files: { diskBytes: 1, valueLogFiles: 1, tables: 1, tableBytes: 1, manifestBytes: 1 },
  }
  return {
    keys,
    keysBefore: 0,
    valueBytes: 2048,
    fill: phase,
    read: phase,
    fewTables: phase,
    overwrite: phase,
  }
}
