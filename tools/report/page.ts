/** The page of `wisc report`: one file, no scripts, nothing from elsewhere. Pure. */
import type { LevelStats, Stats } from '../../lib/index.ts'
import type { SizeBucket } from '../../lib/inspect/size-histogram.ts'
import { type AgedRow, formatAge } from '../terminal/ages.ts'
import { formatBytes, formatCount, formatUnits } from '../terminal/units.ts'
import { amplification } from '../verb/gc-text.ts'
import { barChart, CONTENTS, contentOf, type Share, sample, segmentTanks } from './charts.ts'
import { Html, html } from './html.ts'
import { STYLE } from './style.ts'

export interface ReportData {
  readonly path: string
  /** When the store was looked at. */
  readonly at: Date
  readonly stats: Stats
  /** After a walk. */
  readonly segments: readonly AgedRow[]
  readonly sizes: readonly SizeBucket[]
}

/** Files that get a row; the map shows all of them. */
const ROWS_MAX = 2000
const POLICY = "default-src 'none'; style-src 'unsafe-inline'"

const MEANINGS: Readonly<Record<(typeof CONTENTS)[number], string>> = {
  live: 'live',
  pinned: 'pinned by snapshots',
  hidden: 'hidden until a compaction',
  dead: 'dead',
  hole: 'holes, not on disk',
  other: 'tree and the rest',
}

export function reportPage(data: ReportData): string {
  const { path, at, stats, segments, sizes } = data
  const when = at.toISOString().slice(0, 16).replace('T', ' ')
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${path} - wisc report</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<header><h1>${path}</h1><p class="faint">wisc report, ${when} UTC</p></header>
<main>
${figures(data)}
${space(stats, segments)}
${fileMap(segments)}
${levels(stats.levels)}
${histogram(sizes)}
${fileTable(segments)}
</main>
</body>
</html>
`
  return page.text
}

function size(bytes: number): string {
  return formatBytes(bytes, false)
}

function figures({ stats, sizes }: ReportData): Html {
  const keys = sizes.reduce((sum, bucket) => sum + bucket.keys, 0)
  const shown: readonly (readonly [string, string])[] = [
    ['on disk', size(stats.diskBytes)],
    ['live, estimated', size(stats.liveBytes)],
    [
      'disk / live, estimated',
      amplification(stats.liveBytes > 0 ? stats.spaceAmplification : null),
    ],
    ['keys in tables', formatCount(keys)],
    ['segments', formatCount(stats.segments)],
    ['relocations', formatCount(stats.relocations)],
    ['streams', formatCount(stats.streams)],
    ['tables', formatCount(stats.tables)],
    ['only in the log', `${formatCount(stats.recovery.replayedRecords)} records`],
    ['last sequence', formatCount(stats.lastSequence)],
  ]
  const items = shown.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)
  return html`<dl class="figures">${items}</dl>`
}

function legend(shares: readonly Share[]): Html {
  const items = shares
    .filter(({ amount }) => amount > 0)
    .map(
      ({ content, amount }) =>
        html`<li>${sample(content)}${MEANINGS[content]} ${size(amount)}</li>`,
    )
  return html`<ul class="legend">${items}</ul>`
}

function sums(segments: readonly AgedRow[]): Share[] {
  const all = segments.flatMap(contentOf)
  return CONTENTS.map((content) => ({
    content,
    amount: all.reduce((sum, share) => sum + (share.content === content ? share.amount : 0), 0),
  }))
}

/** What the disk is used for. */
function space(stats: Stats, segments: readonly AgedRow[]): Html {
  const inFiles = segments.reduce((sum, { diskBytes }) => sum + diskBytes, 0)
  const shares = sums(segments)
    .filter(({ content }) => content !== 'hole')
    .map((share) =>
      share.content === 'other' ? { ...share, amount: stats.diskBytes - inFiles } : share,
    )
  return html`<section>
<h2>Bytes on disk</h2>
${barChart('What the bytes on disk are used for', shares)}
${legend(shares)}
</section>`
}

function fileMap(segments: readonly AgedRow[]): Html {
  const titles = segments.map(
    (row) => `${row.file}: ${size(row.totalBytes)}, ${describe(row)}; ${planText(row)}`,
  )
  const shares = sums(segments)
  return html`<section>
<h2>Files of the value log</h2>
<p class="faint">One for each file, oldest first, filled from the bottom with what is in it.</p>
${segmentTanks(segments, titles)}
${legend(shares)}
</section>`
}

function describe(row: AgedRow): string {
  return contentOf(row)
    .filter(({ amount }) => amount > 0)
    .map(({ content, amount }) => `${size(amount)} ${MEANINGS[content]}`)
    .join(', ')
}

function planText({ action, reason }: AgedRow): string {
  return action ? `a collection would ${action} it` : (reason ?? '')
}

function levels(all: readonly LevelStats[]): Html {
  const largest = Math.max(1, ...all.map(({ bytes }) => bytes))
  const rows = all.map((level, index) => {
    const name = `Level ${index}`
    const shares: Share[] = [{ content: 'other', amount: level.bytes }]
    const note = [
      size(level.bytes),
      formatUnits(level.runs, 'run'),
      formatUnits(level.tables, 'table'),
      `${formatCount(level.entries)} entries`,
      `${formatUnits(level.tombstones, 'tombstone')}`,
      `points to ${size(level.pointedBytes)}`,
    ].join(', ')
    return html`<span class="label">${name}</span>${barChart(name, shares, level.bytes / largest)}
<span class="note">${note}</span>`
  })
  const picture =
    rows.length === 0 ? html`<p>No tables yet.</p>` : html`<div class="rows">${rows}</div>`
  return html`<section><h2>Levels of the tree</h2>${picture}</section>`
}

function histogram(buckets: readonly SizeBucket[]): Html {
  if (buckets.length === 0) {
    return html`<section><h2>Sizes of values</h2><p>No values in tables.</p></section>`
  }
  const keys = bucketBars(
    buckets,
    (bucket) => bucket.keys,
    (count) => formatUnits(count, 'key'),
  )
  const bytes = bucketBars(buckets, ({ valueBytes }) => valueBytes, size)
  return html`<section>
<h2>Sizes of values: how many</h2>
<div class="rows three">${keys}</div>
<h2>Sizes of values: how many bytes</h2>
<div class="rows three">${bytes}</div>
</section>`
}

/** What is there at all is seen. */
const BAR_SHARE_MIN = 0.004

function bucketBars(
  buckets: readonly SizeBucket[],
  of: (bucket: SizeBucket) => number,
  show: (value: number) => string,
): Html[] {
  const most = Math.max(1, ...buckets.map(of))
  return buckets.map((bucket) => {
    const value = of(bucket)
    const name = bucketName(bucket)
    const bar = barChart(
      `${name}: ${show(value)}`,
      [{ content: 'live', amount: value }],
      Math.max(BAR_SHARE_MIN, value / most),
    )
    return html`<span class="label">${name}</span>${bar}<span class="value">${show(value)}</span>`
  })
}

function bucketName({ from, to }: SizeBucket): string {
  return to === 0 ? 'empty' : `${shortSize(from)} to ${shortSize(to + 1)}`
}

/** Of a power of two. */
function shortSize(bytes: number): string {
  return size(bytes).replace('.0', '')
}

function fileTable(segments: readonly AgedRow[]): Html {
  const shown = segments.slice(0, ROWS_MAX)
  const rows = shown.map((row) => {
    const amounts = contentOf(row).map(({ content, amount }) => {
      const isUnknown = content === 'pinned' && row.pinnedBytes === null
      return html`<td>${isUnknown ? 'unknown' : size(amount)}</td>`
    })
    const state = row.kind === 'segment' ? row.state : row.kind
    return html`<tr><td class="text">${row.file}</td><td class="text">${state}</td><td>${size(row.totalBytes)}</td>
${amounts}<td>${formatAge(row)}</td>
<td class="text">${row.action?.toUpperCase() ?? row.reason ?? ''}</td></tr>
`
  })
  const more = segments.length - shown.length
  const rest = more > 0 ? html`<p class="faint">and ${formatUnits(more, 'more file')}</p>` : html``
  return html`<section>
<h2>Figures of the files</h2>
<div class="scroll" tabindex="0"><table>
<thead><tr><th class="text">file</th><th class="text">state</th><th>size</th>
<th>live</th><th>pinned</th><th>hidden</th><th>dead</th><th>holes</th><th>age</th>
<th class="text">plan</th></tr></thead>
<tbody>
${rows}</tbody>
</table></div>
${rest}
<p class="faint">Age: time since the file was last written, or punched. Plan: in capitals what a collection to the
target would do, else why nothing.
${unknownPins(segments)}</p>
</section>`
}

function unknownPins(segments: readonly AgedRow[]): string {
  const isUnknown = segments.some(({ pinnedBytes }) => pinnedBytes === null)
  return isUnknown
    ? 'The process that has the store open did not answer: its snapshots may pin what is hidden.'
    : ''
}
