/**
 * Renders the results as Markdown tables, so that the figures of bench/README.md are a paste of them.
 */

import { ENGINE_NAMES, type EngineName } from '../engines/engine.ts'
import { formatBytes } from '../harness/byte-sizes.ts'
import { DELAYS, showDelays, worstDelays } from '../harness/loop-delay.ts'
import { formatRate, renderTable } from '../harness/markdown.ts'
import { DISTURBED, isDisturbed } from '../harness/other-load.ts'
import { median, spreadOf } from '../harness/statistics.ts'
import { LOADS, PACED, SYNCED, WORKLOADS } from '../harness/workload-names.ts'
import { type Row, rate, type Series, seriesOf, writtenPerUserByte } from './results.ts'

/** In these the durable lmdb is the peer, in all others the one with noSync. */
const DURABLE: readonly string[] = [...Object.keys(SYNCED), 'fillsync-main']
/** They block by themselves. */
const SYNCHRONOUS: readonly string[] = ['fillsync-main']
const MIB = 1024 * 1024

/** The tables of one value size: rates with ratios, then what they cost. */
export function renderSize(rows: readonly Row[], valueBytes: number): string {
  const ofSize = rows.filter((row) => row.valueBytes === valueBytes)
  const engines = ENGINE_NAMES.filter((name) => ofSize.some((row) => row.engine === name))
  const workloads = WORKLOADS.filter((name) => ofSize.some((row) => row.workload === name))
  const series = seriesOf(ofSize)
  const find = (engine: EngineName, workload: string): Series | undefined =>
    series.find((each) => each.engine === engine && each.workload === workload)
  const ratio = (workload: string, peer: EngineName): string => {
    if (PACED.includes(workload)) return '-'
    const own = find('wisc', workload)
    const other = find(peer, workload)
    return own && other ? (median(own.rates) / median(other.rates)).toFixed(2) : '-'
  }
  const rates = workloads.map((workload) => [
    workload,
    ...engines.map((engine) => cell(find(engine, workload), showRates)),
    ratio(workload, 'raw'),
    ratio(workload, 'classic-level'),
    ratio(workload, DURABLE.includes(workload) ? 'lmdb' : 'lmdb-nosync'),
  ])
  const isMarked = series.some(({ rows: counted }) => counted.some(wasDisturbed))
  const costs = workloads.flatMap((workload) => costRows(series, engines, workload))
  const title = formatBytes(valueBytes)
  return [
    `### Values of ${title}: operations per second (ranges: of 100 entries; scans: entries)\n`,
    renderTable([title, ...engines, 'wisc/raw', 'wisc/classic', 'wisc/lmdb'], rates),
    ...(isMarked ? [`\n\\* a round of it was ${DISTURBED}`] : []),
    `\n### Values of ${title}: what it costs\n`,
    renderTable([title, ...engines], costs),
  ].join('\n')
}

/** The lines of a workload: bytes written, memory, pauses, the way, latencies. */
function costRows(
  series: readonly Series[],
  engines: readonly EngineName[],
  workload: string,
): string[][] {
  // The round of the median, or the faster of the two in the middle.
  const line = (name: string, show: (row: Row, all: readonly Row[]) => string): string[] => [
    `${workload}: ${name}`,
    ...engines.map((engine) => {
      const found = series.find((each) => each.engine === engine && each.workload === workload)
      return cell(found, ({ rows }) => show(middleRow(rows), rows))
    }),
  ]
  const lines: string[][] = []
  if (workload.startsWith('fill') || workload === 'overwrite') {
    lines.push(line('written per user byte', (row) => writtenPerUserByte(row)?.toFixed(2) ?? '-'))
    lines.push(
      line('given to the disk per user byte', ({ deviceBytes, userBytes }) => {
        return typeof deviceBytes === 'number' ? (deviceBytes / userBytes).toFixed(2) : '-'
      }),
    )
  }
  if (LOADS.some((load) => load === workload)) {
    lines.push(line('way', (row) => row.way ?? '-'))
    lines.push(line('close, ms', (row) => row.closeMs?.toFixed(0) ?? '-'))
    lines.push(
      line('on disk at the end (at most), MiB', ({ diskBytes, diskBytesMax }) => {
        if (diskBytes === undefined || diskBytesMax === undefined) return '-'
        return `${(diskBytes / MIB).toFixed(0)} (${(diskBytesMax / MIB).toFixed(0)})`
      }),
    )
    lines.push(line('puts stood, ms', ({ stallMs }) => stallMs?.toFixed(0) ?? '-'))
  }
  // At a pace the harness itself waits for the next call with a busy loop.
  if (!PACED.includes(workload)) {
    lines.push(
      line('processor, us each', ({ cpuSeconds, operations }) => {
        const us = (cpuSeconds * 1e6) / operations
        return Number.isFinite(us) ? us.toFixed(us < 100 ? 1 : 0) : '-'
      }),
    )
  }
  // Of memory and pauses the worst round counts.
  lines.push(
    line('memory peak, MiB (before)', (row, all) => {
      const peak = Math.max(...all.map((each) => each.memoryPeakBytes ?? 0))
      return `${(peak / MIB).toFixed(0)} (${((row.memoryBaseBytes ?? 0) / MIB).toFixed(0)})`
    }),
  )
  if (!SYNCHRONOUS.includes(workload)) {
    lines.push(
      line(`event loop late, ${DELAYS}`, (_row, all) =>
        showDelays(worstDelays(all.map((each) => each.loopDelayMs))),
      ),
    )
  }
  const found = series.filter((each) => each.workload === workload)
  if (found.some(({ rows }) => rows.some(({ spaceBackMs }) => spaceBackMs !== undefined))) {
    lines.push(
      line('until nothing more came back, ms', ({ spaceBackMs }) => spaceBackMs?.toFixed(0) ?? '-'),
      line('disk over live then', ({ diskOverLive }) => diskOverLive?.toFixed(2) ?? '-'),
    )
  }
  if (found.some(({ rows }) => rows.some(({ latenciesUs }) => latenciesUs))) {
    lines.push(
      line('p50 / p99 / p99.9 / max, us', ({ latenciesUs }) =>
        latenciesUs === undefined
          ? '-'
          : [latenciesUs.p50, latenciesUs.p99, latenciesUs.p999, latenciesUs.max]
              .map((us) => us?.toFixed(us < 100 ? 1 : 0) ?? '-')
              .join(' / '),
      ),
    )
  }
  return lines
}

function middleRow(rows: readonly Row[]): Row {
  return rows.toSorted((left, right) => rate(left) - rate(right))[rows.length >> 1]!
}

/** The median, and how far from it the rounds lie. */
function showRates({ rates, rows }: Series): string {
  const { median: middle, low, high } = spreadOf(rates)
  const spread = Math.max(high - middle, middle - low) / middle
  const share = rates.length > 1 ? ` ±${(100 * spread).toFixed(0)} %` : ''
  return `${formatRate(middle)}${share}${rows.some(wasDisturbed) ? ' *' : ''}`
}

function wasDisturbed({ otherCores }: Row): boolean {
  return isDisturbed(otherCores)
}

function cell(series: Series | undefined, show: (series: Series) => string): string {
  return series === undefined ? '-' : show(series)
}
