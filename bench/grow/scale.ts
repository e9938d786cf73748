/**
 * Prints the tables of bench/SCALE.md from the JSON of runs of `grow`: `npm run bench:scale -- RESULTS.json ...`.
 */
import fs from 'node:fs'
import { renderTable } from '../harness/markdown.ts'
import {
  type Coefficients,
  coefficientsOf,
  DEFAULTS,
  levelsOf,
  mergesMeasured,
  type Prediction,
  predict,
  type ScaleOptions,
  whatBreaks,
} from './model.ts'
import type { GrowResults } from './results.ts'

const MIB = 1024 * 1024
const SIZES = [1e9, 1e10, 1e11, 1e12, 1e13]
/** What the options allow, for a store of terabytes. */
const LARGE: ScaleOptions = {
  ...DEFAULTS,
  segmentBytes: 1024 * MIB,
  tableBytes: 64 * MIB,
  maxOpenFiles: 4096,
}

function renderCoefficients(measured: Coefficients): string {
  const { openMs, firstLookMs, laterLookMs, memoryBytes, manifestBytes } = measured
  const lines = [
    ['entry in a table', `${measured.entryBytes.toFixed(1)} bytes a key`],
    ['files of the value log', `${percent(measured.segmentFill)} of segmentBytes`],
    ['tables', `${percent(measured.tableFill)} of tableBytes`],
    ['disk over live bytes, after overwrites', measured.spaceAmplification.toFixed(2)],
    ['entries written to tables by a put', `${measured.flushed.toFixed(2)}`],
    ['... and for each level', measured.mergedPerLevel.toFixed(2)],
    ['getSync, everything in memory', `${measured.hotGetUs.toFixed(1)} us`],
    ['opening a file of the value log', `${measured.fileOpenUs.toFixed(0)} us`],
    ['opening a table', `${measured.tableOpenUs.toFixed(0)} us`],
    ...[
      ['open', openMs, 1000, 'us'] as const,
      ['first look', firstLookMs, 1000, 'us'] as const,
      ['later look', laterLookMs, 1000, 'us'] as const,
      ['memory', memoryBytes, 1, 'bytes'] as const,
      ['manifest', manifestBytes, 1, 'bytes'] as const,
    ].map(([name, share, factor, unit]) => [
      name,
      `${(share.perFile * factor).toFixed(2)} ${unit} a file, ` +
        `${(share.perTable * factor).toFixed(2)} ${unit} a table`,
    ]),
  ]
  return renderTable(['measured', ''], lines)
}

/** The measured points on the curves of the model. */
function renderMeasured({ steps, files }: GrowResults, measured: Coefficients): string {
  const steepness = steps.map((step) => {
    const liveBytes = step.keys * (step.valueBytes + 16)
    const { levels } = step.read
    const merged = measured.flushed + measured.mergedPerLevel * levelsOf(liveBytes)
    const modelled = predict(liveBytes, DEFAULTS, measured)
    const deepest = levels.findLastIndex(({ tables }) => tables > 0)
    return [
      step.keys.toLocaleString('en'),
      `${levelsOf(liveBytes)} / ${deepest}`,
      both(merged, mergesMeasured(step, measured.entryBytes)),
      `${modelled.tables} / ${step.read.files.tables}`,
      `${modelled.files} / ${step.overwrite.files.valueLogFiles}`,
    ]
  })
  const opens = files.map((report) => {
    const of = ({ base, perFile, perTable }: Coefficients['openMs']): number =>
      base + perFile * report.valueLogFiles + perTable * report.tables
    return [
      String(report.valueLogFiles),
      String(report.tables),
      both(of(measured.openMs), report.openCpuMs),
      both(of(measured.firstLookMs), report.firstStatsCpuMs),
      both(of(measured.laterLookMs), report.laterStatsCpuMs),
      both(of(measured.memoryBytes) / MIB, report.memoryBytes / MIB),
      both(of(measured.manifestBytes) / 1024, report.manifestBytes / 1024),
    ]
  })
  const head = ['keys', 'deepest level', 'entries written by a put', 'tables', 'files of the log']
  const more = ['open, ms', 'first look, ms', 'later look, ms', 'memory, MiB', 'manifest, KiB']
  return [renderTable(head, steepness), renderTable(['files', 'tables', ...more], opens)].join(
    '\n\n',
  )
}

function both(modelled: number, found: number): string {
  return `${modelled.toFixed(2)} / ${found.toFixed(2)}`
}

function renderSizes(options: ScaleOptions, measured: Coefficients): string {
  const predictions = SIZES.map((bytes) => predict(bytes, options, measured))
  const line = (name: string, of: (prediction: Prediction) => string): string[] => [
    name,
    ...predictions.map(of),
  ]
  const lines = [
    line('keys', ({ keys }) => short(keys)),
    line('levels below level 0', ({ levels }) => String(levels)),
    line('written per byte put', (p) => p.writtenPerBytePut.toFixed(3)),
    line('files of the value log', ({ files }) => short(files)),
    line('tables', ({ tables }) => short(tables)),
    line('open tables', ({ openTables }) => short(openTables)),
    line('tables opened by a get', (p) => p.tablesOpenedPerGet.toFixed(2)),
    line('files of the log opened by a get', (p) => p.filesOpenedPerGet.toFixed(2)),
    line('getSync of any key, processor, us', ({ getUs }) => short(getUs)),
    line('filters in memory, MiB', ({ filterBytes }) => short(filterBytes / MIB)),
    line('files and filters in memory, MiB', ({ memoryBytes }) => short(memoryBytes / MIB)),
    line('manifest, MiB', ({ manifestBytes }) => short(manifestBytes / MIB)),
    line('open, s of a core', ({ openMs }) => short(openMs / 1000)),
    line('first look, s of a core', ({ firstLookMs }) => short(firstLookMs / 1000)),
    line('later look, ms of a core', ({ laterLookMs }) => short(laterLookMs)),
  ]
  return renderTable(['live bytes', ...SIZES.map(size)], lines)
}

function renderBreaking(measured: Coefficients): string {
  const large = new Map(whatBreaks(LARGE, measured).map(({ what, liveBytes }) => [what, liveBytes]))
  const lines = whatBreaks(DEFAULTS, measured).map(({ what, liveBytes }) => [
    what,
    size(liveBytes),
    size(large.get(what)!),
  ])
  return renderTable(['what', 'by default', 'with the options of a large store'], lines)
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`
}

function size(bytes: number): string {
  if (bytes === Number.POSITIVE_INFINITY) return 'beyond 1 PB'
  const [unit, name] = bytes >= 1e12 ? ([1e12, 'TB'] as const) : ([1e9, 'GB'] as const)
  return `${short(bytes / unit)} ${name}`
}

/** Two digits that count, or a whole number. */
function short(value: number): string {
  if (value >= 1e9) return `${short(value / 1e9)} G`
  if (value >= 1e6) return `${short(value / 1e6)} M`
  return value >= 10 ? String(Math.round(value)) : String(Number(value.toPrecision(2)))
}

/** The store that has grown farthest, and the most stores of many files, of all that were measured. */
function most(runs: readonly GrowResults[]): GrowResults {
  const last = ({ steps }: GrowResults): number => steps.at(-1)?.keys ?? 0
  return {
    steps: runs.reduce((best, run) => (last(run) > last(best) ? run : best)).steps,
    files: runs.reduce((best, run) => (run.files.length > best.files.length ? run : best)).files,
  }
}

const names = process.argv.slice(2)
if (names.length === 0) {
  console.error('usage: npm run bench:scale -- RESULTS.json ... (what `--special grow` wrote)')
  process.exitCode = 2
} else {
  const reports = names.map((name) => JSON.parse(fs.readFileSync(name, 'utf8')))
  const grow = most(reports.map((report): GrowResults => report.grow))
  const measured = coefficientsOf(grow)
  const parts = [
    `${reports[0].date}, ${reports[0].machine}`,
    `### Coefficients\n\n${renderCoefficients(measured)}`,
    `### Model / measured\n\n${renderMeasured(grow, measured)}`,
    `### By default\n\n${renderSizes(DEFAULTS, measured)}`,
    `### segmentBytes 1 GiB, tree.tableBytes 64 MiB, maxOpenFiles 4096\n\n${renderSizes(LARGE, measured)}`,
    `### What breaks first\n\n${renderBreaking(measured)}`,
  ]
  console.log(parts.join('\n\n'))
}
