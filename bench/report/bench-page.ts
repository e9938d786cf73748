/**
 * The parts of bench/README.md that are made of figures: they stand around a text by hand.
 */

import { ENGINE_NAMES } from '../engines/engine.ts'
import { ENGINES, SETTINGS } from '../engines/settings.ts'
import { formatBytes } from '../harness/byte-sizes.ts'
import { formatRate, renderTable, renderVerdicts } from '../harness/markdown.ts'
import { WORKLOAD_TEXT, WORKLOADS } from '../harness/workload-names.ts'
import { renderSpecials } from '../special/figures.ts'
import { crossoverRange, sizeOrNever } from './crossover.ts'
import { type Cell, type Figures, type RunFacts, sizesOf } from './figures.ts'
import { type GoalRow, judgeRows } from './goals.ts'
import { crossoverPictures, type Picture, ratePictures } from './pictures.ts'
import { wrap } from './sections.ts'
import { standingsOf } from './standings.ts'

const KIB = 1024
/** Of these sizes there are tables with all engines: what a user has, and both sides of the crossover. */
const SHOWN_SIZES = [256, KIB, 4 * KIB, 64 * KIB, KIB ** 2]
/** What it costs is shown of these. */
const COSTLY = ['fillrandom', 'overwrite', 'fillsync-64', 'readrandom', 'readrandom-sync', 'scan']

/** By the names of the parts. */
export function benchPage(figures: Figures): Record<string, string> {
  const { cells } = figures
  return {
    circumstances: circumstances(figures),
    winners: winners(cells),
    'rate-pictures': shown(ratePictures(figures)),
    'crossover-pictures': shown(crossoverPictures(figures)),
    crossover: crossover(figures),
    steady: steady(figures),
    rates: rates(cells),
    costs: costs(cells),
    goals: goals(figures),
    specials: specials(figures),
    engines: engines(),
    workloads: workloads(),
  }
}

function circumstances({ runs, missing, cells }: Figures): string {
  const disturbed = cells.filter((cell) => cell.disturbed > 0).length
  const absent = Object.entries(missing).map(([name, why]) => `- ${name}: ${why.split('\n')[0]}`)
  const parts = [
    ...runs.map(runText),
    disturbed === 0
      ? ''
      : wrap(
          `Beside ${disturbed} of ${cells.length} rows other programs took a tenth of a core or more, twice.`,
        ),
    absent.length === 0 ? '' : `Not measured:\n\n${absent.join('\n')}`,
  ]
  return parts.filter((part) => part !== '').join('\n\n')
}

function runText({ date, machine, versions, command, warm, totalBytes, rounds }: RunFacts): string {
  const store = `stores of ${formatBytes(totalBytes)} of values`
  const how = `${rounds === 1 ? 'one round' : `${rounds} rounds`}, memory ${warm ? 'kept warm' : 'as it was'}`
  const facts = [`${date.slice(0, 16).replace('T', ' ')} UTC`, machine, ...versions, store, how]
  return `${wrap(`${facts.join(', ')}.`)}\n\n    ${command}`
}

/** wisc over the fastest peer, cell by cell. */
function winners(cells: readonly Cell[]): string {
  const standings = standingsOf(cells)
  if (standings.length === 0) return NOTHING
  const sizes = [...new Set(standings.map(({ valueBytes }) => valueBytes))].toSorted(
    (left, right) => left - right,
  )
  const lines = namesOf(standings).map((workload) => [
    workload,
    ...sizes.map((size) => {
      const found = standings.find((each) => each.workload === workload && each.valueBytes === size)
      if (!found) return '-'
      const { ratio, peer } = found
      return ratio >= 1 ? `**${ratio.toFixed(2)}** ${peer}` : `${ratio.toFixed(2)} ${peer}`
    }),
  ])
  const ahead = standings.filter(({ ratio }) => ratio >= 1).length
  const text = `wisc is ahead of all of them in ${ahead} of ${standings.length} rows.`
  return `${text}\n\n${renderTable(['', ...sizes.map(formatBytes)], lines)}`
}

function crossover({ crossovers: found }: Figures): string {
  if (found.length === 0) return NOTHING
  const sizes = [...new Set(found.flatMap(({ points }) => points.map((point) => point.valueBytes)))]
  sizes.sort((left, right) => left - right)
  const lines = found.map((each) => [
    each.workload,
    sizeOrNever(each.aheadFrom),
    crossoverRange(each),
    ...sizes.map(
      (size) => each.points.find(({ valueBytes }) => valueBytes === size)?.ratio.toFixed(2) ?? '-',
    ),
  ])
  return renderTable(['', 'ahead from', '95 %', ...sizes.map(formatBytes)], lines)
}

function steady({ steady: rows }: Figures): string {
  if (rows.length === 0) return NOTHING
  const lines = rows.map((row) => [
    row.row,
    formatRate(row.overwritesPerSecond),
    show(row.ofOff),
    show(row.space),
    show(row.spaceAtRest),
    show(row.written),
    show(row.relocated),
    milliseconds(row.p99Us),
    milliseconds(row.p999Us),
    row.loopDelayMs.toFixed(0),
    show(row.memoryMiB, 0),
  ])
  const head = ['', 'overwrites/s', 'of off', 'space', 'space, at rest', 'written', 'relocated']
  const rest = ['put p99, ms', 'p99.9, ms', 'loop, ms', 'memory, MiB']
  return renderTable([...head, ...rest], lines)
}

/** A table for each size that is shown, with all engines. */
function rates(cells: readonly Cell[]): string {
  const sizes = sizesOf(cells)
  const shown = sizes.filter((size) => SHOWN_SIZES.includes(size))
  const tables = (shown.length > 0 ? shown : sizes).map((size) => {
    const of = cells.filter(({ valueBytes }) => valueBytes === size)
    const engines = enginesOf(of)
    const lines = namesOf(of).map((workload) => [
      workload,
      ...engines.map((engine) => {
        const cell = of.find((each) => each.workload === workload && each.engine === engine)
        return cell ? rateOf(cell) : '-'
      }),
    ])
    return `### Values of ${formatBytes(size)}\n\n${renderTable(['', ...engines], lines)}`
  })
  return tables.length === 0 ? NOTHING : tables.join('\n\n')
}

/** The median, and how far the farthest round lies from it. */
function rateOf({ rate, low, high, disturbed }: Cell): string {
  const spread = Math.round((100 * Math.max(high - rate, rate - low)) / rate)
  const mark = disturbed > 0 ? ' (disturbed)' : ''
  return `${formatRate(rate)}${spread === 0 ? '' : ` ±${spread} %`}${mark}`
}

/** Of the size that most users have: what an operation takes of the processor, the disk and memory. */
function costs(cells: readonly Cell[]): string {
  const sizes = sizesOf(cells)
  const size = sizes.includes(4 * KIB) ? 4 * KIB : sizes.at(-1)
  const of = cells.filter(({ valueBytes }) => valueBytes === size)
  const engines = enginesOf(of)
  const lines = namesOf(of).flatMap((workload) => {
    if (!COSTLY.includes(workload)) return []
    const line = (title: string, text: (cell: Cell) => string): string[] => [
      `${workload}: ${title}`,
      ...engines.map((engine) => {
        const cell = of.find((each) => each.workload === workload && each.engine === engine)
        return cell ? text(cell) : '-'
      }),
    ]
    const isWrite = of.some((cell) => cell.workload === workload && cell.written !== null)
    const isTimed = of.some((cell) => cell.workload === workload && cell.p50Us !== null)
    return [
      line('us of the processor', ({ cpuUs }) => show(cpuUs, 1)),
      ...(isWrite && !workload.startsWith('read') && workload !== 'scan'
        ? [line('bytes written for each', ({ written }) => show(written))]
        : []),
      ...(isTimed
        ? [
            line('p50 / p99 / p99.9, us', ({ p50Us, p99Us, p999Us }) =>
              p50Us === null ? '-' : [p50Us, p99Us, p999Us].map((us) => show(us, 1)).join(' / '),
            ),
          ]
        : []),
      line('memory, MiB', ({ memoryMiB }) => show(memoryMiB, 0)),
    ]
  })
  if (size === undefined || lines.length === 0) return NOTHING
  return renderTable([formatBytes(size), ...engines], lines)
}

/** Kinds of rows first, with all that are missed; then single figures. */
function goals({ cells, goals: single }: Figures): string {
  const lines = judgeRows(cells)
    .filter(({ rows }) => rows.length > 0)
    .map(({ text, rows }) => {
      const missed = rows.filter(({ met }) => !met)
      const met = `${rows.length - missed.length} of ${rows.length}`
      return [text, met, missed.length === 0 ? 'none' : missed.map(missText).join('; ')]
    })
  const kinds =
    lines.length === 0 ? '' : renderTable(['every row of a kind', 'met', 'missed'], lines)
  const figures = single.length === 0 ? '' : renderVerdicts(single)
  return [kinds, figures].filter((part) => part !== '').join('\n\n') || NOTHING
}

function missText({ workload, valueBytes, ratio, beside }: GoalRow): string {
  return `${workload} ${formatBytes(valueBytes)} ${ratio.toFixed(2)} of ${beside}`
}

function specials({ specials: figures }: Figures): string {
  return figures.length === 0 ? NOTHING : renderSpecials(figures)
}

function engines(): string {
  const lines = ENGINE_NAMES.map((name) => [
    `\`${name}\``,
    ENGINES[name],
    SETTINGS[name] ?? (name === 'raw' ? '-' : 'its defaults'),
  ])
  return renderTable(['engine', 'what it is', 'set to'], lines)
}

function workloads(): string {
  const lines = WORKLOADS.map((name) => [`\`${name}\``, WORKLOAD_TEXT[name] ?? ''])
  return renderTable(['workload', 'one operation'], lines)
}

function shown(pictures: readonly Picture[]): string {
  return pictures.map(({ file, title }) => `![${title}](figures/${file})`).join('\n') || NOTHING
}

const NOTHING = 'The run has not measured it.'

/** In the order of the list of workloads, in which the figures are. */
function namesOf(of: readonly { readonly workload: string }[]): string[] {
  return [...new Set(of.map(({ workload }) => workload))]
}

function enginesOf(cells: readonly Cell[]): string[] {
  return ENGINE_NAMES.filter((name) => cells.some(({ engine }) => engine === name))
}

function show(value: number | null, digits: number = 2): string {
  return value === null ? '-' : value.toFixed(digits)
}

function milliseconds(us: number | null): string {
  return us === null ? '-' : (us / 1000).toFixed(us < 10_000 ? 1 : 0)
}
