/**
 * Renders `overwrite-steady` as Markdown: space and writing, speed and pauses, and the curve of one load.
 */
import { DELAYS, showDelays } from '../harness/loop-delay.ts'
import { formatRate, renderTable } from '../harness/markdown.ts'
import { DISTURBED } from '../harness/other-load.ts'
import { CURVE_ROWS } from './rows.ts'
import type { PutLatencies } from './samples.ts'
import { type SteadySummary, withoutCollector } from './summary.ts'

const MIB = 1024 * 1024

/** Two tables, and a third one if the curve was measured. `store` says what was overwritten. */
export function renderSteady(store: string, summaries: readonly SteadySummary[]): string {
  const curve = summaries.filter(({ row }) => CURVE_ROWS.includes(row))
  const parts = [
    `### Overwriting for ever: space and writing (${store})\n`,
    renderSpace(summaries),
    '\n### Overwriting for ever: speed and pauses\n',
    renderSpeed(summaries),
    ...(summaries.some(({ disturbed }) => disturbed)
      ? [`\n\\* a round of it was ${DISTURBED}`]
      : []),
  ]
  if (curve.length > 2) {
    parts.push('\n### Overwriting for ever: space against writing\n', renderCurve(curve))
  }
  return parts.join('\n')
}

function renderSpace(summaries: readonly SteadySummary[]): string {
  const lines = summaries.map((summary) => [
    summary.row,
    show(summary.spaceSteady),
    show(summary.spaceOverall),
    `${show(summary.spaceSettled)}${summary.neverAtRest ? ' (not at rest)' : ''}`,
    summary.diskOverLive.toFixed(2),
    show(summary.written),
    show(summary.writtenSettled),
    show(summary.relocated),
    show(summary.wcharOverWritten),
    (summary.ballastBytes / MIB).toFixed(0),
  ])
  const head = ['row', 'space', 'space, all', 'space, at rest', 'disk/live', 'written']
  const rest = ['written, at rest', 'relocated', 'wchar/written', 'BALLAST, MiB']
  return renderTable([...head, ...rest], lines)
}

function renderSpeed(summaries: readonly SteadySummary[]): string {
  const lines = summaries.map((summary) => {
    const off = withoutCollector(summaries, summary.load)
    const { loopDelayMs, memoryPeakBytes } = summary
    return [
      summary.row,
      showRate(summary),
      off === undefined ? '-' : show(summary.overwritesPerSecond / off.overwritesPerSecond),
      showLatencies(summary.latenciesUs),
      summary.steadyLatenciesUs === null ? '-' : showTime(summary.steadyLatenciesUs.p999),
      showDelays(loopDelayMs),
      summary.stallMs === null ? '-' : `${summary.stalls} (${summary.stallMs.toFixed(0)})`,
      `${summary.rejected}${summary.leftOut === 0 ? '' : ` (${summary.leftOut} left out)`}`,
      memoryPeakBytes === null ? '-' : (memoryPeakBytes / MIB).toFixed(0),
    ]
  })
  const head = [
    'row',
    'overwrites/s',
    'of off',
    'put p50 / p99 / p99.9 / max, us',
    'steady p99.9, us',
  ]
  return renderTable(
    [...head, `loop late, ${DELAYS}`, 'stalls (ms)', 'rejected', 'memory, MiB'],
    lines,
  )
}

/** The median, and how far from it the rounds lie. */
function showRate({ rates, overwritesPerSecond: middle, disturbed }: SteadySummary): string {
  const spread = Math.max(...rates.map((rate) => Math.abs(rate - middle))) / middle
  const share = rates.length > 1 ? ` ±${(100 * spread).toFixed(0)} %` : ''
  return `${formatRate(middle)}${share}${disturbed ? ' *' : ''}`
}

function renderCurve(curve: readonly SteadySummary[]): string {
  const lines = curve
    .toSorted((left, right) => (left.target ?? 0) - (right.target ?? 0))
    .map((summary) => [
      show(summary.target),
      show(summary.spaceSteady),
      show(summary.written),
      formatRate(summary.overwritesPerSecond),
    ])
  return renderTable(['target', 'space', 'written', 'overwrites/s'], lines)
}

function show(value: number | null): string {
  return value === null ? '-' : value.toFixed(2)
}

function showLatencies(latencies: PutLatencies | null): string {
  if (latencies === null) return '-'
  return [latencies.p50, latencies.p99, latencies.p999, latencies.max].map(showTime).join(' / ')
}

function showTime(us: number): string {
  return us.toFixed(us < 100 ? 1 : 0)
}
