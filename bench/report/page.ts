/**
 * The report as one HTML page without scripts: pictures, tables, and how they were made. It reads in light and in dark,
 * and on a phone: pictures shrink, tables scroll.
 */
import { formatBytes } from '../harness/byte-sizes.ts'
import { formatRate } from '../harness/markdown.ts'
import { median, spreadOf } from '../harness/statistics.ts'
import { overwritesPerSecond, type SteadyRun } from '../steady/results.ts'
import { summarize } from '../steady/summary.ts'
import { type Series, seriesOf } from '../throughput/results.ts'
import { Charts, type LinePoint } from './charts.ts'
import { type Crossover, crossovers } from './crossover.ts'
import { enginesIn, type Report } from './results.ts'
import { settingsOf } from './text.ts'

/** Told apart by those who do not see all colors, too: [in light, in dark]. */
const COLORS: Readonly<Record<string, readonly [string, string]>> = {
  raw: ['#777777', '#999999'],
  wisc: ['#0b62c4', '#5aa9ff'],
  'wisc-inline': ['#5b2aa8', '#b08cff'],
  'wisc-separated': ['#007a87', '#37c5d4'],
  'wisc-off': ['#777777', '#999999'],
  'classic-level': ['#b35900', '#ff9e4a'],
  'lmdb-nosync': ['#a8123e', '#ff6f91'],
  lmdb: ['#d9648a', '#ffb3c6'],
  rocksdb: ['#5d6b00', '#c4d600'],
  'rocksdb-blob': ['#2e7d32', '#7ad67f'],
}

const STYLE = `
:root { color-scheme: light dark; ${colors(0)} }
@media (prefers-color-scheme: dark) { :root { ${colors(1)} } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 1rem; }
h1, h2, h3 { line-height: 1.2; }
h2 { margin-top: 2.5rem; }
figure { margin: 0; }
figcaption { font-weight: 600; }
.charts { display: grid; gap: 1.5rem; margin-top: 1rem; }
.charts { grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); }
svg { height: auto; max-width: 100%; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); padding: .25rem .6rem; }
th, td { text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
td.best { font-weight: 700; }
code, pre { font-size: .9em; }
pre { overflow-x: auto; }
`

/** A percentile of the curves, by its name in a result. */
const PERCENTILES = [
  ['p50', 'p50'],
  ['p99', 'p99'],
  ['p99.9', 'p999'],
] as const

/** @throws Error if the packages that draw are not installed */
export function renderPage(report: Report): string {
  const series = seriesOf(report.rows)
  const charts = new Charts()
  const parts = [
    header(report),
    ratios(series),
    throughput(series, charts),
    crossing(crossovers(series, report.seed), charts),
    steady(report, charts),
    latencies(series, charts),
    rates(series),
    settings(report),
  ]
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>wisc: benchmark of ${escaped(report.date.slice(0, 10))}</title>
<style>${STYLE}</style>
</head>
<body>
${parts.filter((part) => part !== '').join('\n')}
</body>
</html>
`
}

function header(report: Report): string {
  const { date, machine, versions, totalBytes, rounds, warm, command } = report
  const missing = Object.entries(report.missing).map(
    ([name, why]) => `<li>${escaped(name)}: ${escaped(why)}</li>`,
  )
  const when = escaped(date.slice(0, 16).replace('T', ' '))
  const notMeasured = `\n<p>Not measured:</p>\n<ul>${missing.join('')}</ul>`
  return `<h1>wisc beside its peers</h1>
<p>${when} UTC. ${escaped([machine, ...versions].join(', '))}. Stores of ${formatBytes(totalBytes)} of values,
${rounds} interleaved rounds, memory ${warm ? 'kept warm' : 'as it was'}; each engine in a process of its own.
Figures are medians, bands go from the lowest reading to the highest.</p>
<pre><code>${escaped(command)}</code></pre>${missing.length > 0 ? notMeasured : ''}`
}

/** wisc over the best of its peers, cell by cell, and who that is. */
function ratios(series: readonly Series[]): string {
  const sizes = [...new Set(series.map(({ valueBytes }) => valueBytes))]
  const workloads = [...new Set(series.map(({ workload }) => workload))]
  const lines = workloads.flatMap((workload): string[] => {
    const cells = sizes.map((size) => {
      const of = series.filter((each) => each.workload === workload && each.valueBytes === size)
      const own = of.find(({ engine }) => engine === 'wisc')
      const peers = of.filter(({ engine }) => engine !== 'raw' && !engine.startsWith('wisc'))
      if (!own || peers.length === 0) return '<td>-</td>'
      const best = peers.reduce((first, each) =>
        median(each.rates) > median(first.rates) ? each : first,
      )
      const ratio = median(own.rates) / median(best.rates)
      const who = ratio >= 1 ? 'wisc' : best.engine
      const mark = ratio >= 1 ? ' class="best"' : ''
      const name = `<small style="color:var(--${who})">${who}</small>`
      return `<td${mark}>${ratio.toFixed(2)} ${name}</td>`
    })
    return cells.every((cell) => cell === '<td>-</td>')
      ? []
      : [`<tr><td>${escaped(workload)}</td>${cells.join('')}</tr>`]
  })
  if (lines.length === 0) return ''
  return `<h2>Who wins</h2>
<p>The rate of wisc over that of the fastest peer in the row, and who is ahead.</p>
${table(['workload', ...sizes.map(formatBytes)], lines)}`
}

function throughput(series: readonly Series[], charts: Charts): string {
  const figures = groupsOf(series).flatMap(([workload, of]) => {
    const points = of.map(pointOf)
    if (new Set(points.map(({ x }) => x)).size < 2) return []
    return [figure(workload, charts.bySize(points, 'operations a second'))]
  })
  if (figures.length === 0) return ''
  return `<h2>Operations a second over the size of values</h2>\n<div class="charts">\n${figures.join('\n')}\n</div>`
}

function crossing(found: readonly Crossover[], charts: Charts): string {
  if (found.length === 0) return ''
  const figures = found.map(({ workload, points }) => {
    const line = points.map(({ valueBytes, ratio, low, high }): LinePoint => {
      return {
        engine: 'wisc-separated',
        x: valueBytes,
        y: ratio,
        low: low ?? ratio,
        high: high ?? ratio,
      }
    })
    return figure(workload, charts.ratios(line, 'separated over inline'))
  })
  const lines = found.map(({ workload, aheadFrom, earliest, latest }) => {
    const range =
      earliest === null && latest === null
        ? '-'
        : `${sizeOrNever(earliest)} to ${sizeOrNever(latest)}`
    return `<tr><td>${escaped(workload)}</td><td>${sizeOrNever(aheadFrom)}</td><td>${range}</td></tr>`
  })
  return `<h2>From which size on separating values pays</h2>
<p>The same engine with all values in its value log, over the same with all values in its tables.
Above 1 separating is ahead.</p>
${table(['workload', 'ahead from', '95 %'], lines)}
<div class="charts">\n${figures.join('\n')}\n</div>`
}

function sizeOrNever(bytes: number | null): string {
  if (bytes === null) return 'nowhere'
  return bytes === 0 ? 'all sizes' : `${Math.round(bytes)} B`
}

function steady(report: Report, charts: Charts): string {
  if (report.steady.length === 0) return ''
  const summaries = summarize(report.steady)
  const engineOf = (engine: string | null, target: number | null): string =>
    engine ?? (target === null ? 'wisc-off' : 'wisc')
  const bars = (value: (summary: (typeof summaries)[number]) => number | null) =>
    summaries.flatMap((summary) => {
      const found = value(summary)
      const engine = engineOf(summary.engine, summary.target)
      return found === null ? [] : [{ name: summary.row, engine, value: found }]
    })
  const rate = summaries.map(({ row, ...summary }) => {
    const engine = engineOf(summary.engine, summary.target)
    return { name: row, engine, value: summary.overwritesPerSecond / 1000 }
  })
  const overTime = groupRuns(report.steady).map(([row, runs]) => {
    const points = runs.flatMap((run) =>
      run.samples.map(({ seconds, spaceAmplification }) => ({
        engine: engineOf(run.engine, run.target),
        seconds,
        amplification: Math.max(0, spaceAmplification),
      })),
    )
    const own = runs.find(({ engine, target }) => engine === null && target !== null)
    return figure(row, charts.space(points, own ? collectorSteps(own) : [], own?.target ?? null))
  })
  return `<h2>Overwriting for ever</h2>
<p>Stores of ${formatBytes(report.steadyBytes)}, overwritten ${report.steadyFactor} times, at a bound of space.</p>
<div class="charts">
${figure('thousand overwrites a second', charts.bars(rate, 'thousand a second'))}
${figure(
  'bytes written for each byte put',
  charts.bars(
    bars(({ written }) => written),
    'bytes',
  ),
)}
${figure(
  'space: bytes on disk over live ones, at most',
  charts.bars(
    bars(({ spaceSteady }) => spaceSteady),
    'times',
  ),
)}
</div>
<h3>Space over time</h3>
<p>Vertical lines: the collector had freed or copied something since the sample before. Dashed: the target.</p>
<div class="charts">\n${overTime.join('\n')}\n</div>`
}

/** The moments at which the collector's counters had moved. */
function collectorSteps({ samples }: SteadyRun): number[] {
  let before = 0
  return samples.flatMap(({ seconds, figures }) => {
    const now =
      Number(figures?.['relocatedBytesWritten'] ?? 0) + Number(figures?.['reclaimedBytes'] ?? 0)
    if (figures === undefined || now === before) return []
    before = now
    return [seconds]
  })
}

/** The fastest round of each row, those of one load together. */
function groupRuns(runs: readonly SteadyRun[]): [string, SteadyRun[]][] {
  const fastest = new Map<string, SteadyRun>()
  for (const run of runs) {
    const other = fastest.get(run.row)
    if (!other || overwritesPerSecond(run) > overwritesPerSecond(other)) fastest.set(run.row, run)
  }
  const groups = new Map<string, SteadyRun[]>()
  for (const run of fastest.values()) {
    if (run.target === null && run.engine === null) continue
    const name = run.engine === null ? run.row : run.row.slice(0, -run.engine.length - 1)
    groups.set(name, [...(groups.get(name) ?? []), run])
  }
  return [...groups]
}

function latencies(series: readonly Series[], charts: Charts): string {
  const figures = groupsOf(series).flatMap(([workload, of]) =>
    [...new Set(of.map(({ valueBytes }) => valueBytes))].flatMap((size) => {
      const curves = of
        .filter(({ valueBytes }) => valueBytes === size)
        .flatMap(({ engine, rows }) => {
          const readings = rows.flatMap(({ latenciesUs }) => (latenciesUs ? [latenciesUs] : []))
          if (readings.length === 0) return []
          return PERCENTILES.map(([label, name]) => {
            return { engine, label, microseconds: median(readings.map((reading) => reading[name])) }
          })
        })
      return curves.length === 0
        ? []
        : [figure(`${workload}, ${formatBytes(size)}`, charts.latencies(curves))]
    }),
  )
  if (figures.length === 0) return ''
  return `<h2>Latencies of single calls</h2>\n<div class="charts">\n${figures.join('\n')}\n</div>`
}

/** All medians with their range, and what they cost. */
function rates(series: readonly Series[]): string {
  const lines = series.map(({ workload, valueBytes, engine, rates: readings, rows }) => {
    const { median: middle, low, high } = spreadOf(readings)
    const written = rows.flatMap((row) =>
      row.writtenBytes === null || row.userBytes === 0 ? [] : [row.writtenBytes / row.userBytes],
    )
    const peak = Math.max(...rows.map(({ memoryPeakBytes }) => memoryPeakBytes ?? 0))
    const cells = [
      workload,
      formatBytes(valueBytes),
      engine,
      formatRate(middle),
      `${formatRate(low)} to ${formatRate(high)}`,
      ((middle * valueBytes) / 1e6).toFixed(middle * valueBytes < 1e8 ? 1 : 0),
      written.length > 0 && workload.startsWith('fill') ? median(written).toFixed(2) : '-',
      (peak / 1024 ** 2).toFixed(0),
    ]
    return `<tr>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`
  })
  if (lines.length === 0) return ''
  const head = [
    'workload',
    'value',
    'engine',
    'ops/s',
    'lowest to highest',
    'MB/s',
    'written',
    'memory, MiB',
  ]
  return `<h2>All readings</h2>\n${table(head, lines)}`
}

function settings(report: Report): string {
  const lines = settingsOf(enginesIn(report)).map((line) => `<li>${escaped(line)}</li>`)
  return lines.length === 0 ? '' : `<h2>Settings</h2>\n<ul>\n${lines.join('\n')}\n</ul>`
}

function pointOf({ engine, valueBytes, rates: readings }: Series): LinePoint {
  const { median: y, low, high } = spreadOf(readings)
  return { engine, x: valueBytes, y, low, high }
}

function groupsOf(series: readonly Series[]): [string, Series[]][] {
  const workloads = [...new Set(series.map(({ workload }) => workload))]
  return workloads.map((name) => [name, series.filter(({ workload }) => workload === name)])
}

function figure(title: string, svg: string): string {
  return `<figure><figcaption>${escaped(title)}</figcaption>${svg}</figure>`
}

function table(head: readonly string[], lines: readonly string[]): string {
  const titles = head.map((title) => `<th>${escaped(title)}</th>`).join('')
  const body = `<tbody>\n${lines.join('\n')}\n</tbody>`
  return `<div class="table"><table><thead><tr>${titles}</tr></thead>${body}</table></div>`
}

function colors(which: 0 | 1): string {
  return Object.entries(COLORS)
    .map(([engine, pair]) => `--${engine}: ${pair[which]};`)
    .join(' ')
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)
}
