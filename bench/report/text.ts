/**
 * The results of a run as Markdown: what is printed at its end.
 */
import type { EngineName } from '../engines/engine.ts'
import { SETTINGS } from '../engines/settings.ts'
import { judgeGrow, renderGrow } from '../grow/table.ts'
import { formatBytes } from '../harness/byte-sizes.ts'
import { renderVerdicts } from '../harness/markdown.ts'
import { renderSpecials } from '../special/figures.ts'
import { judgeSteady } from '../steady/goals.ts'
import { summarize } from '../steady/summary.ts'
import { renderSteady } from '../steady/table.ts'
import { renderSize } from '../throughput/table.ts'
import { enginesIn, type Report, roundsMade, roundsText } from './results.ts'
import { judge } from './targets.ts'

/** Tables, settings, and the figures to reach. */
export function renderText(report: Report): string {
  const { rows, specials, grow } = report
  const summaries = summarize(report.steady)
  const store = `${formatBytes(report.steadyBytes)} of values, overwritten ${report.steadyFactor} times`
  const sizes = [...new Set(rows.map(({ valueBytes }) => valueBytes))].sort((a, b) => a - b)
  const verdicts = judge(rows, specials)
    .filter((verdict) => verdict.measured !== null)
    .concat(judgeSteady(report.steadyRows, summaries), judgeGrow(grow.steps))
  const parts = [
    renderCircumstances(report),
    renderList('Settings', settingsOf(enginesIn(report))),
    renderList(
      'Not measured',
      Object.entries(report.missing).map(([name, why]) => `${name}: ${why}`),
    ),
    renderList('Left out: the time did not suffice', report.leftOut ?? []),
    ...sizes.map((valueBytes) => renderSize(rows, valueBytes)),
    specials.length > 0 ? `### Special\n\n${renderSpecials(specials)}` : '',
    summaries.length > 0 ? renderSteady(store, summaries) : '',
    grow.steps.length + grow.files.length > 0 ? renderGrow(grow) : '',
    verdicts.length > 0 ? `### Figures to reach\n\n${renderVerdicts(verdicts)}` : '',
  ]
  return parts.filter((part) => part !== '').join('\n\n')
}

/** When, where, of what, and how it was started. */
function renderCircumstances(report: Report): string {
  const { date, machine, versions, totalBytes, warm, command } = report
  const memory = warm ? 'warm' : 'as it was'
  return (
    `${[date, machine, ...versions].join(', ')}\n` +
    `${formatBytes(totalBytes)} of values, ${roundsText(roundsMade(report))}, memory ${memory}\n\n    ${command}`
  )
}

/** What engines have that is not their default, and why. */
export function settingsOf(engines: readonly EngineName[]): string[] {
  return engines.flatMap((name) => {
    const text = SETTINGS[name]
    return text === undefined ? [] : [`${name}: ${text}`]
  })
}

function renderList(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `### ${title}\n\n${lines.map((line) => `- ${line}`).join('\n')}`
}
