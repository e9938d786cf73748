/** Renders `grow` as a Markdown table, a column for each size, and judges how much each cost grows on the way. */
import { formatBytes } from '../harness/byte-sizes.ts'
import { renderTable, type Verdict } from '../harness/markdown.ts'
import type { FilesReport, GrowResults, GrowStep, OperationCost } from './results.ts'

const MIB = 1024 * 1024
/** The dearest step over the cheapest. */
const GROWTH_MAX = 1.25

/** One cost of a step; null where the platform does not tell. */
interface Line {
  readonly name: string
  readonly unit: string
  readonly of: (step: GrowStep) => number | null
  /** By the clock it is shown, and judged by the processor's time: other work on the machine is not in that. */
  readonly isJudged: boolean
}

const READS = ['getSync, hot', 'getSync, missing', 'getSync, any', 'get, any']

const LINES: readonly Line[] = [
  ...operation('put', (step) => step.fill.costs['put']!),
  ...READS.flatMap((name) => operation(name, (step) => step.read.costs[name]!)),
  ...operation(
    'getSync, hot, few tables',
    (step) => step.fewTables.costs['getSync, hot, few tables']!,
  ),
  ...operation('overwrite', (step) => step.overwrite.costs['overwrite']!),
  shown('written per byte put', '', (step) => step.fill.written),
  shown('written per byte overwritten', '', (step) => step.overwrite.written),
  shown('open', 'ms', (step) => step.read.openMs),
  judged('open, processor', 'ms', (step) => step.read.openCpuMs),
  shown('first get', 'us', (step) => step.read.costs['first get']!.wallUs),
  judged('memory, fill', 'MiB', (step) => inMib(step.fill.memoryPeakBytes)),
  judged('memory, reads', 'MiB', (step) => inMib(step.read.memoryPeakBytes)),
  judged('memory, overwrites', 'MiB', (step) => inMib(step.overwrite.memoryPeakBytes)),
  shown('on disk', 'MiB', (step) => inMib(step.overwrite.files.diskBytes)),
  shown('tables', 'MiB', (step) => inMib(step.overwrite.files.tableBytes)),
  shown('levels with tables', '', (step) => levelsOf(step)),
  shown('files of the value log', '', (step) => step.overwrite.files.valueLogFiles),
  shown('manifest', 'KiB', (step) => step.overwrite.files.manifestBytes / 1024),
]

function operation(name: string, of: (step: GrowStep) => OperationCost): Line[] {
  return [
    shown(name, 'us', (step) => of(step).wallUs),
    judged(`${name}, processor`, 'us', (step) => of(step).cpuUs),
  ]
}

function shown(name: string, unit: string, of: Line['of']): Line {
  return { name, unit, of, isJudged: false }
}

function judged(name: string, unit: string, of: Line['of']): Line {
  return { name, unit, of, isJudged: true }
}

function inMib(bytes: number | null): number | null {
  return bytes === null ? null : bytes / MIB
}

function levelsOf({ overwrite }: GrowStep): number {
  return overwrite.levels.filter(({ tables }) => tables > 0).length
}

/** The store that grows, and those of many files. */
export function renderGrow({ steps, files }: GrowResults): string {
  const parts = [
    ...(steps.length > 0 ? [renderSteps(steps)] : []),
    ...(files.length > 0 ? [renderFiles(files)] : []),
  ]
  return parts.join('\n\n')
}

function renderFiles(files: readonly FilesReport[]): string {
  const lines = files.map((report) => [
    String(report.valueLogFiles),
    String(report.tables),
    show(report.openMs),
    show(report.openCpuMs),
    show(report.firstStatsCpuMs),
    show(report.laterStatsCpuMs),
    show(report.memoryBytes / MIB),
    show(report.manifestBytes / 1024),
  ])
  const head = ['files of the log', 'tables', 'open, ms', 'open, processor, ms']
  const more = ['first stats(), ms', 'later stats(), ms', 'memory, MiB', 'manifest, KiB']
  return ['### Many files\n', renderTable([...head, ...more], lines)].join('\n')
}

function renderSteps(steps: readonly GrowStep[]): string {
  const head = steps.map(({ keys }) => `${keys.toLocaleString('en')} keys`)
  const lines = LINES.map(({ name, unit, of }) => [
    unit === '' ? name : `${name}, ${unit}`,
    ...steps.map((step) => show(of(step))),
    show(growthOf(steps, of)),
  ])
  const sizes = formatBytes(steps[0]!.valueBytes)
  return [
    `### A store that grows: values of ${sizes}\n`,
    renderTable(['cost', ...head, 'dearest / cheapest'], lines),
  ].join('\n')
}

/** Each cost by itself. */
export function judgeGrow(steps: readonly GrowStep[]): Verdict[] {
  if (steps.length < 2) return []
  return LINES.filter(({ isJudged, name }) => isJudged && !name.includes('few')).map(
    ({ name, of }) => {
      const measured = growthOf(steps, of)
      return {
        text: `grow: ${name}, dearest step over cheapest`,
        limit: GROWTH_MAX,
        atLeast: false,
        measured,
        met: measured !== null && measured <= GROWTH_MAX,
      }
    },
  )
}

function growthOf(steps: readonly GrowStep[], of: Line['of']): number | null {
  const values = steps.map(of).filter((value) => value !== null)
  return values.length === 0 ? null : Math.max(...values) / Math.min(...values)
}

function show(value: number | null): string {
  if (value === null) return '-'
  return value.toFixed(value < 100 && !Number.isInteger(value) ? 2 : 0)
}
