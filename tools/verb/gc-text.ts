/** Garbage, plans and reports of collections for people, and plans as JSON. */
import type {
  CollectionFigures,
  CollectionPlan,
  CollectionReport,
  SegmentInfo,
} from '../../lib/index.ts'
import type { CollectionForecast } from '../../lib/inspect/collection/forecast.ts'
import { escapeText } from '../terminal/escape.ts'
import type { Output } from '../terminal/output.ts'
import { type Column, formatFields, formatTable } from '../terminal/table.ts'
import { formatBytes, formatCount, formatUnits } from '../terminal/units.ts'
import { formatSentence } from '../terminal/wrap.ts'

const COMPACTS =
  'gc compacts the tree first: what is hidden now is dead then, and counted so above.'
/** Skipped files that are listed; a plan of a large store has thousands. */
const SKIPPED_SHOWN = 20

const STEP_COLUMNS: readonly Column[] = [
  { title: 'step', align: 'left' },
  { title: 'frees' },
  { title: 'copies' },
  { title: 'files', align: 'left', columnsMin: 8 },
]

/** @param knowsPins whether it is known what readers of another process pin */
export function renderPlan(
  plan: CollectionForecast,
  knowsPins: boolean,
  bytes: boolean,
  columns: number,
): string {
  const size = (amount: number): string => formatBytes(amount, bytes)
  const rows = plan.steps.map((step) => [
    step.action,
    size(step.bytesFreed),
    size(step.bytesCopied),
    numbersOf(step).join(' '),
  ])
  for (const [round, steps] of plan.laterRounds.entries()) {
    for (const step of steps) {
      const files = step.files.map((number) => number ?? 'new')
      rows.push([
        `${step.action} (round ${round + 2})`,
        size(step.bytesFreed),
        size(step.bytesCopied),
        files.join(' '),
      ])
    }
  }
  const steps = rows.length === 0 ? 'Nothing to do.\n' : formatTable(STEP_COLUMNS, rows, columns)
  const { before, after } = plan
  const fields: [string, string][] = [
    ['target', amplification(plan.targetSpaceAmplification)],
    ['frees', size(plan.bytesFreed)],
    ['copies', size(plan.bytesCopied)],
    ['peak extra', size(plan.peakExtraBytes)],
    ['on disk', `${size(before.diskBytes)} -> ${size(after.diskBytes)}`],
    [
      'amplification',
      `${amplification(before.spaceAmplification)} -> ${amplification(after.spaceAmplification)}`,
    ],
    ['live', size(before.liveBytes)],
    ['dead', size(deadAndPunched(before).dead)],
    ['punched', size(before.punchedBytes)],
    ['hidden', size(before.hiddenGarbageBytes)],
    ['pinned', knowsPins ? size(before.pinnedBytes) : 'unknown'],
  ]
  const more = plan.compacts ? `\n${formatSentence(COMPACTS, columns)}` : ''
  return `${steps}\n${renderSkipped(plan, bytes, columns)}${formatFields(fields, columns)}${more}`
}

function renderSkipped({ skipped }: CollectionPlan, bytes: boolean, columns: number): string {
  const shown = skipped.filter(({ reason }) => reason !== 'not asked for')
  if (shown.length === 0) return ''
  const size = (amount: number): string => formatBytes(amount, bytes)
  const rows = shown
    .slice(0, SKIPPED_SHOWN)
    .map((file) => [
      `${file.number}`,
      size(deadAndPunched(file).dead),
      size(file.hiddenBytes),
      size(file.pinnedBytes),
      file.reason,
    ])
  const titles: Column[] = [
    { title: 'kept' },
    { title: 'dead' },
    { title: 'hidden' },
    { title: 'pinned' },
    { title: 'because', align: 'left', columnsMin: 12 },
  ]
  const more = shown.length - rows.length
  const rest = more > 0 ? `and ${formatUnits(more, 'more file')} (see --json)\n` : ''
  return `${formatTable(titles, rows, columns)}${rest}\n`
}

function numbersOf(step: CollectionPlan['steps'][number]): readonly number[] {
  if (step.action === 'forget') return step.segments
  const files = step.action === 'punch' ? [step.file] : step.files
  return files.map(({ number }) => number)
}

export function renderReport(report: CollectionReport, bytes: boolean, output: Output): string {
  const { columns } = output
  const size = (amount: number): string => formatBytes(amount, bytes)
  const rows = report.steps.map((step) => [
    step.action,
    size(step.bytesFreed),
    size(step.bytesCopied),
    step.files.join(' '),
  ])
  const steps = rows.length === 0 ? '' : `${formatTable(STEP_COLUMNS, rows, columns)}\n`
  const failed = report.failed.map(
    ({ action, files, error }) =>
      `${output.style('red', 'FAILED')} ${action} ${files.join(' ')}: ` +
      `${escapeText(error.message)} (${error.code})\n`,
  )
  const { before, after } = report
  const row = (name: string, of: (figures: CollectionFigures) => string): string[] => [
    name,
    of(before),
    of(after),
  ]
  const figures = formatTable(
    [{ title: '', align: 'left' }, { title: 'before' }, { title: 'after' }],
    [
      row('on disk', ({ diskBytes }) => size(diskBytes)),
      row('live', ({ liveBytes }) => size(liveBytes)),
      row('amplification', ({ spaceAmplification }) => amplification(spaceAmplification)),
      row('dead', (figures) => size(deadAndPunched(figures).dead)),
      row('punched', ({ punchedBytes }) => size(punchedBytes)),
      row('hidden, about', ({ hiddenGarbageBytes }) => size(hiddenGarbageBytes)),
      row('pinned', ({ pinnedBytes }) => size(pinnedBytes)),
    ],
    columns,
  )
  const totals = `${size(report.bytesFreed)} freed, ${size(report.bytesCopied)} copied\n`
  return `${steps}${failed.join('')}${totals}\n${figures}`
}

/** Bytes on disk for a live byte. */
export function amplification(value: number | null): string {
  return value === null || !Number.isFinite(value) ? '-' : value.toFixed(2)
}

/**
 * The plan as JSON, with null for what is unknown: what the snapshots and iterators of an owner still see that does not
 * answer.
 */
export function withUnknownPins(plan: CollectionPlan): object {
  return { ...plan, before: { ...plan.before, pinnedBytes: null } }
}

/** What no entry points to, and that part of it which has been given back as holes. Bytes. */
export function deadAndPunched({
  exposedGarbageBytes,
  punchedBytes,
}: Pick<SegmentInfo, 'exposedGarbageBytes' | 'punchedBytes'>): {
  readonly dead: number
  readonly punched: number
} {
  const punched = Math.min(punchedBytes, exposedGarbageBytes)
  return { dead: exposedGarbageBytes - punched, punched }
}

/** Of a store that was opened as a cache, and has been full; of any other one nothing. */
export function renderEvictions(evictedBelow: number, columns: number): string {
  if (evictedBelow === 0) return ''
  const below = formatCount(evictedBelow)
  return formatSentence(
    `This store has evicted all that is older than sequence ${below}. While it is open as a cache nothing of it is ` +
      'collected: when it is full the oldest files go, whatever lives in them.',
    columns,
  )
}
