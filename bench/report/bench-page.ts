/**
 * The parts of bench/README.md that are made of figures: they stand around a text by hand.
 */

import { ENGINE_NAMES } from '../engines/engine.ts'
import { ENGINES, SETTINGS } from '../engines/settings.ts'
import { formatBytes } from '../harness/byte-sizes.ts'
import { formatRate, renderTable, renderVerdicts } from '../harness/markdown.ts'
import { median } from '../harness/statistics.ts'
import { PACED, WORKLOAD_TEXT, WORKLOADS } from '../harness/workload-names.ts'
import { renderSpecials } from '../special/figures.ts'
import { SPECIAL_TEXT } from '../special/specials.ts'
import { crossoverRange, sizeOrNever } from './crossover.ts'
import { type Cell, type Figures, type RunFacts, sizesOf } from './figures.ts'
import { type GoalRows, judgeRows, reasonOf } from './goals.ts'
import { crossoverPictures, type Picture, ratePictures } from './pictures.ts'
import { roundsText } from './results.ts'
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
    missed: missed(cells),
    goals: figures.goals.length === 0 ? NOTHING : renderVerdicts(figures.goals),
    specials: specials(figures),
    engines: engines(),
    workloads: workloads(),
    'special-list': specialList(),
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

function runText(run: RunFacts): string {
  const { date, machine, versions, command, warm, totalBytes, rounds } = run
  const store = `stores of ${formatBytes(totalBytes)} of values`
  const how = `${roundsText(rounds)}, memory ${warm ? 'kept warm' : 'as it was'}`
  const facts = [`${date.slice(0, 16).replace('T', ' ')} UTC`, machine, ...versions, store, how]
  const fewer = run.leftOut.flatMap((name) => {
    const [, round, part] = /^round (\d+) of (.+)$/.exec(name) ?? []
    return Number(round) === rounds ? [part!] : []
  })
  const rest = fewer.length === 0 ? '' : ` Fewer rounds of ${fewer.join(', ')}.`
  return `${wrap(`${facts.join(', ')}.${rest}`)}\n\n    ${command}`
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
  const text = `wisc is ahead of all of them in ${ahead} of ${standings.length} rows; of each alone:`
  const table = renderTable(['', ...sizes.map(formatBytes)], lines)
  return [text, besideEach(cells), 'Row by row:', table].join('\n\n')
}

/** Peer by peer: in how many of the rows that both have wisc is ahead, and by how much in the middle of them. */
function besideEach(cells: readonly Cell[]): string {
  const lines = enginesOf(cells).flatMap((peer) => {
    const ratios = standingsOf(cells.filter(({ engine }) => engine === 'wisc' || engine === peer))
    if (ratios.length === 0) return []
    const ahead = ratios.filter(({ ratio }) => ratio >= 1).length
    const middle = median(ratios.map(({ ratio }) => ratio))
    return [[peer, `${ahead} of ${ratios.length}`, middle.toFixed(2)]]
  })
  return renderTable(
    ['', 'rows in which wisc is ahead', 'rate over its, median of all rows'],
    lines,
  )
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
    const lines = namesOf(of).map((workload) => {
      const found = of.filter((each) => each.workload === workload)
      const best = Math.max(...found.filter(isStore).map(({ rate }) => rate))
      return [
        workload,
        ...engines.map((engine) => {
          const cell = found.find((each) => each.engine === engine)
          if (cell === undefined) return '-'
          return cell.rate === best ? `**${rateOf(cell)}**` : rateOf(cell)
        }),
      ]
    })
    return `### Values of ${formatBytes(size)}\n\n${renderTable(['', ...engines], lines)}`
  })
  return tables.length === 0 ? NOTHING : tables.join('\n\n')
}

/** What may be the fastest of a row: not the floor, nor what goes at a pace that was set. */
function isStore({ engine, workload }: Cell): boolean {
  return engine !== 'raw' && !PACED.includes(workload)
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
      line('event loop late, p99 / max, ms', ({ loopP99Ms, loopMaxMs }) =>
        [loopP99Ms, loopMaxMs].map((ms) => show(ms, 0)).join(' / '),
      ),
      line('memory, MiB', ({ memoryMiB }) => show(memoryMiB, 0)),
    ]
  })
  if (size === undefined || lines.length === 0) return NOTHING
  return renderTable([formatBytes(size), ...engines], lines)
}

/** How many rows of each kind meet its goal; then each that does not. */
function missed(cells: readonly Cell[]): string {
  const kinds = judgeRows(cells).filter(({ rows }) => rows.length > 0)
  if (kinds.length === 0) return NOTHING
  const lines = kinds.map(({ text, rows }) => {
    const met = rows.filter((row) => row.met)
    return [text, `${met.length} of ${rows.length}`]
  })
  const tables = kinds.map(missedRows).filter((table) => table !== '')
  return [renderTable(['every row of a kind', 'met'], lines), ...tables].join('\n\n')
}

/** The rows of a kind that were missed, by how much, and why. */
function missedRows({ text, rows }: GoalRows): string {
  const behind = rows.filter(({ met }) => !met)
  if (behind.length === 0) return ''
  const sizes = [...new Set(rows.map(({ valueBytes }) => valueBytes))].toSorted((a, b) => a - b)
  const lines = namesOf(behind).map((workload) => {
    const of = rows.filter((row) => row.workload === workload)
    const reasons = of.filter(({ met }) => !met).map((row) => reasonOf(row) ?? '?')
    return [
      workload,
      ...sizes.map((size) => {
        const row = of.find(({ valueBytes }) => valueBytes === size)
        return row === undefined ? '' : row.met ? 'met' : `${row.ratio.toFixed(2)} ${row.beside}`
      }),
      [...new Set(reasons)].join(', '),
    ]
  })
  return `Missed of _${text}_:\n\n${renderTable(['', ...sizes.map(formatBytes), 'why'], lines)}`
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

function specialList(): string {
  const lines = Object.entries(SPECIAL_TEXT).map(([name, text]) => [`\`${name}\``, text])
  return renderTable(['`--special`', 'what is measured'], lines)
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
