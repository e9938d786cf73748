/**
 * The report as one HTML page without scripts: answers first, then pictures, tables, and how they were made. It reads
 * in light and in dark, and on a phone: pictures shrink, tables scroll.
 */
import { formatBytes } from '../harness/byte-sizes.ts'
import { formatRate } from '../harness/markdown.ts'
import { Charts } from './charts.ts'
import { colorRules } from './colors.ts'
import { crossoverRange, sizeOrNever } from './crossover.ts'
import { type Cell, type Figures, figuresOf, sizesOf } from './figures.ts'
import { escaped, table } from './html.ts'
import { crossing, latencies, steady, throughput, written } from './page-charts.ts'
import { enginesIn, type Report, roundsMade, roundsText } from './results.ts'
import { standingsOf } from './standings.ts'
import { settingsOf } from './text.ts'

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 76rem; padding: 1rem; }
h1, h2, h3 { line-height: 1.2; }
h2 { margin-top: 3rem; }
figure { margin: 0; }
figcaption { font-weight: 600; }
.answers { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); }
.answers div { border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: .5rem; }
.answers div { padding: .8rem 1rem; }
.answers b { display: block; font-size: 1.6rem; line-height: 1.3; }
.charts { display: grid; gap: 1.5rem; margin-top: 1rem; }
.charts { grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); }
svg { height: auto; max-width: 100%; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); padding: .25rem .6rem; }
th, td { text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
td small { display: block; line-height: 1.1; }
td.best { background: color-mix(in srgb, var(--wisc) 14%, transparent); font-weight: 700; }
details { margin-top: 1.5rem; }
summary { cursor: pointer; font-size: 1.1rem; font-weight: 700; }
code, pre { font-size: .9em; }
pre { overflow-x: auto; }
`

/** @throws Error if the packages that draw are not installed */
export function renderPage(report: Report): string {
  const figures = figuresOf([report])
  const { cells } = figures
  const charts = new Charts()
  const parts = [
    header(report),
    answers(figures),
    crossing(figures.crossovers, charts),
    winners(cells),
    steady(report, charts),
    written(cells, charts),
    throughput(cells, charts),
    latencies(cells, charts),
    readings(cells),
    settings(report),
  ]
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>wisc: benchmark of ${escaped(report.date.slice(0, 10))}</title>
<style>${colorRules(enginesIn(report))}${STYLE}</style>
</head>
<body>
${parts.filter((part) => part !== '').join('\n')}
</body>
</html>
`
}

function header(report: Report): string {
  const { date, machine, versions, totalBytes, warm, command } = report
  const missing = Object.entries(report.missing).map(
    ([name, why]) => `<li>${escaped(name)}: ${escaped(why)}</li>`,
  )
  const when = escaped(date.slice(0, 16).replace('T', ' '))
  const notMeasured = `\n<p>Not measured:</p>\n<ul>${missing.join('')}</ul>`
  return `<h1>wisc beside its peers</h1>
<p>${when} UTC. ${escaped([machine, ...versions].join(', '))}. Stores of ${formatBytes(totalBytes)} of values,
${roundsText(roundsMade(report))}, interleaved, memory ${warm ? 'kept warm' : 'as it was'};
each engine in a process of its own.
Figures are medians, bands go from the lowest reading to the highest.</p>
<pre><code>${escaped(command)}</code></pre>${missing.length > 0 ? notMeasured : ''}`
}

/** What a reader has come for, in a line each. */
function answers({ cells, crossovers, steady: rows }: Figures): string {
  const standings = standingsOf(cells)
  const ahead = standings.filter(({ ratio }) => ratio >= 1).length
  const boxes =
    standings.length === 0
      ? []
      : [box(`${ahead} of ${standings.length}`, 'rows in which wisc is ahead of every peer')]
  for (const name of ['fillrandom', 'overwrite', 'readrandom-sync', 'ranges', 'scan']) {
    const found = crossovers.find(({ workload }) => workload === name)
    if (!found) continue
    const range = crossoverRange(found)
    const spread = range === '-' ? '' : ` (95 %: ${range})`
    const from = sizeOrNever(found.aheadFrom)
    boxes.push(box(from, `from this size on separating values pays in ${name}${spread}`))
  }
  const row =
    rows.find((each) => each.row === '4KiB-uniform-1.3') ?? rows.find(({ ofOff }) => ofOff !== 1)
  if (row?.space && row.written !== null) {
    const text = `bytes on disk and bytes written for each byte of ${row.row}, overwritten for ever`
    boxes.push(box(`${row.space.toFixed(2)}, ${row.written.toFixed(2)}`, text))
  }
  return boxes.length === 0 ? '' : `<div class="answers">\n${boxes.join('\n')}\n</div>`
}

function box(answer: string, question: string): string {
  return `<div><b>${escaped(answer)}</b>${escaped(question)}</div>`
}

/** wisc over the best of its peers, cell by cell, and who that is. */
function winners(cells: readonly Cell[]): string {
  const standings = standingsOf(cells)
  if (standings.length === 0) return ''
  const sizes = sizesOf(cells)
  const workloads = [...new Set(standings.map(({ workload }) => workload))]
  const lines = workloads.map((workload) => {
    const row = sizes.map((size) => {
      const found = standings.find((each) => each.workload === workload && each.valueBytes === size)
      if (!found) return '<td>-</td>'
      const { ratio, peer } = found
      const mark = ratio >= 1 ? ' class="best"' : ''
      return `<td${mark}>${ratio.toFixed(2)} <small style="color:var(--${peer})">${peer}</small></td>`
    })
    return `<tr><td>${escaped(workload)}</td>${row.join('')}</tr>`
  })
  return `<h2>Who wins</h2>
<p>The rate of wisc over that of the fastest peer, whose name stands below. Colored: wisc is ahead.</p>
${table(['', ...sizes.map(formatBytes)], lines)}`
}

/** All medians with their range, and what they cost. */
function readings(cells: readonly Cell[]): string {
  if (cells.length === 0) return ''
  const lines = cells.map((cell) => {
    const { workload, valueBytes, engine, rate, low, high } = cell
    const megabytes = (rate * valueBytes) / 1e6
    const texts = [
      workload,
      formatBytes(valueBytes),
      engine,
      `${formatRate(rate)}${cell.disturbed > 0 ? ' (disturbed)' : ''}`,
      `${formatRate(low)} to ${formatRate(high)}`,
      megabytes.toFixed(megabytes < 100 ? 1 : 0),
      cell.written?.toFixed(2) ?? '-',
      cell.cpuUs?.toFixed(1) ?? '-',
      cell.memoryMiB?.toFixed(0) ?? '-',
    ]
    return `<tr>${texts.map((text) => `<td>${escaped(text)}</td>`).join('')}</tr>`
  })
  const head = ['workload', 'value', 'engine', 'ops/s', 'lowest to highest', 'MB/s', 'written']
  const all = table([...head, 'CPU, us', 'memory, MiB'], lines)
  return `<details><summary>All readings</summary>\n${all}\n</details>`
}

function settings(report: Report): string {
  const lines = settingsOf(enginesIn(report)).map((line) => `<li>${escaped(line)}</li>`)
  return lines.length === 0 ? '' : `<h2>Settings</h2>\n<ul>\n${lines.join('\n')}\n</ul>`
}
