/** Rounds of one phase of `grow` made one: of each figure the median, of memory the highest. */
import { median } from '../harness/statistics.ts'
import type { FilesReport, OperationCost, PhaseReport } from './results.ts'

/** @param reports one at least; what is no time is the same in all */
export function middlePhase(reports: readonly PhaseReport[]): PhaseReport {
  const [first] = reports
  const middle = (of: (report: PhaseReport) => number): number => median(reports.map(of))
  const names = Object.keys(first!.costs)
  const costOf = (name: string): OperationCost => ({
    operations: middle(({ costs }) => costs[name]!.operations),
    wallUs: middle(({ costs }) => costs[name]!.wallUs),
    cpuUs: middle(({ costs }) => costs[name]!.cpuUs),
  })
  const peaks = reports.flatMap(({ memoryPeakBytes }) => memoryPeakBytes ?? [])
  return {
    ...first!,
    openMs: middle(({ openMs }) => openMs),
    openCpuMs: middle(({ openCpuMs }) => openCpuMs),
    memoryPeakBytes: peaks.length === 0 ? null : Math.max(...peaks),
    costs: Object.fromEntries(names.map((name) => [name, costOf(name)])),
  }
}

/** @param reports one at least, of the same files */
export function middleFiles(reports: readonly FilesReport[]): FilesReport {
  const middle = (of: (report: FilesReport) => number): number => median(reports.map(of))
  return {
    ...reports[0]!,
    openMs: middle(({ openMs }) => openMs),
    openCpuMs: middle(({ openCpuMs }) => openCpuMs),
    firstStatsCpuMs: middle(({ firstStatsCpuMs }) => firstStatsCpuMs),
    laterStatsCpuMs: middle(({ laterStatsCpuMs }) => laterStatsCpuMs),
    memoryBytes: middle(({ memoryBytes }) => memoryBytes),
  }
}
