/** `wisc explain`: why a file of the value log is still there. */
import { type SegmentFacts, segmentFacts } from '../../lib/inspect/collection/segment-facts.ts'
import { type Aged, formatAge, withAges } from '../terminal/ages.ts'
import { parseSegment } from '../terminal/amounts.ts'
import { escapeBytes } from '../terminal/escape.ts'
import { EXIT_CODE } from '../terminal/exit-code.ts'
import type { Output } from '../terminal/output.ts'
import { formatFields, formatTable } from '../terminal/table.ts'
import { fitText } from '../terminal/text-width.ts'
import { formatBytes, formatCount, formatUnits } from '../terminal/units.ts'
import { formatSentence } from '../terminal/wrap.ts'
import { EXACT_BYTES, SEGMENT, STORE_PATH } from '../verb/arguments.ts'
import { jsonBytes } from '../verb/entries.ts'
import { deadAndPunched, renderEvictions, withUnknownPins } from '../verb/gc-text.ts'
import { openReaders } from '../verb/owner.ts'
import { defineVerb, type Verb } from '../verb/verb.ts'
import { inspectAgain } from '../verb/with-store.ts'
import { contentBar, contentLegend } from './segments.ts'

/** Tables that are listed; the rest is counted. */
const TABLES_SHOWN = 8

type Facts = SegmentFacts & { readonly segment: Aged }

/** For people: why the collector leaves a file alone. */
const REASONS: Readonly<Record<string, string>> = {
  unsealed: 'it is still written to',
  unflushed: 'records of it are in no table yet: a flush will change that',
  corrupt: 'a record of it failed its check: see wisc verify',
  'no garbage': 'everything in it lives',
  'would free less than it costs': 'too little of it is garbage to be worth the copying',
  'pinned by a reader': 'snapshots or iterators still see what would be garbage: close them',
  'hidden until a compaction': 'its garbage is known only when the tree is compacted',
  'goal reached': 'it is worth collecting, but the store is within its target without that',
  'over the copy limit': 'it is worth collecting, but not within the limit of copied bytes',
}

export const explain: Verb = defineVerb({
  usage: 'explain <path> <segment>',
  summary: 'Say why a file of the value log is still there',
  details:
    'Which tables point into it, with samples of the keys; which snapshots and iterators of the process that has the ' +
    'store open keep something of it; what the collector thinks of it, and what it would cost to collect it now. ' +
    'The tree and the heads of the file are walked. Needs no lock and writes nothing; the store may be in use.',
  examples: [
    ['wisc explain photos.db 2', 'The file 000002.vlog'],
    ['wisc explain photos.db 2 --json | jq .pins', 'What pins it'],
  ],
  options: (command) =>
    command
      .positional('path', STORE_PATH)
      .positional('segment', SEGMENT)
      .option('bytes', EXACT_BYTES),
  run: async ({ path, segment, bytes, json }, context) => {
    const { output, progress, signal } = context
    const number = parseSegment(segment)
    progress.note('walking tree and file')
    const facts = await inspectAgain(path, context, async (store): Promise<Facts> => {
      const readers = await openReaders(path, context)
      const found = await segmentFacts(store, number, { readers, signal })
      return { ...found, segment: withAges(path, [found.segment])[0]! }
    })
    if (json) await output.json(toReport(facts))
    else await output.write(render(facts, number, bytes, output))
    return EXIT_CODE.fine
  },
})

/** See tools/schema/explain.json. */
function toReport({ samples, ...facts }: Facts): object {
  return {
    ...facts,
    plan: facts.pins ? facts.plan : withUnknownPins(facts.plan),
    samples: samples.map(({ key, ...sample }) => ({ ...jsonBytes('key', key, false), ...sample })),
  }
}

function render(facts: Facts, asked: number, bytes: boolean, output: Output): string {
  const { columns } = output
  const parts = [
    renderFigures(facts, asked, bytes, output),
    renderTables(facts, bytes, columns),
    renderSamples(facts, bytes, columns),
    renderPins(facts, bytes, columns),
    renderCost(facts, bytes, columns),
    renderEvictions(facts.evictedBelow, columns),
  ]
  return parts.filter((part) => part !== '').join('\n')
}

/** All that tables may point to by its own number is of no segment any more. */
function relocationText({ number, segments }: Facts['segment']): string {
  const others = segments.filter((segment) => segment !== number)
  return others.length === 0 ? 'relocation' : `relocation of ${others.join(', ')}`
}

function stateText(row: Facts['segment']): string {
  if (row.kind === 'relocation') return relocationText(row)
  return row.kind === 'stream' ? 'stream: one value' : row.state
}

function renderFigures(
  { segment: row }: Facts,
  asked: number,
  bytes: boolean,
  output: Output,
): string {
  const { columns } = output
  const size = (amount: number): string => formatBytes(amount, bytes)
  const { dead, punched } = deadAndPunched(row)
  const moved = asked === row.number ? '' : `Segment ${asked} was moved into this file.\n`
  const fields = [
    ['file', output.style('bold', row.file)],
    ['state', stateText(row)],
    ['size', size(row.totalBytes)],
    ['on disk', size(row.diskBytes)],
    ['referenced', `${size(row.referencedBytes)}, ${formatUnits(row.referencedRecords, 'record')}`],
    ['pinned', row.pinnedBytes === null ? 'unknown' : size(row.pinnedBytes)],
    ['hidden', size(row.hiddenBytes ?? 0)],
    ['dead', size(dead)],
    ['punched', size(punched)],
    ['age', formatAge(row)],
    ['content', (columns: number) => contentBar(row, columns, output)],
  ] as const
  const why = row.reason === null ? undefined : (REASONS[row.reason] ?? row.reason)
  const verdict = why
    ? `It stays because ${why}.`
    : `The collector would ${row.action} it to come to its target.`
  return (
    moved +
    formatFields(fields, columns) +
    `${contentLegend(true, columns)}\n${formatSentence(verdict, columns)}`
  )
}

function renderTables({ tables }: SegmentFacts, bytes: boolean, columns: number): string {
  if (tables.length === 0) return formatSentence('No table points into it.', columns)
  const rows = tables
    .slice(0, TABLES_SHOWN)
    .map(({ file, level, records, bytes: amount }) => [
      file,
      `${level}`,
      formatCount(records),
      formatBytes(amount, bytes),
    ])
  const more = tables.length - rows.length
  return (
    formatTable(
      [
        { title: 'table', align: 'left' },
        { title: 'level' },
        { title: 'records' },
        { title: 'bytes' },
      ],
      rows,
      columns,
    ) + (more > 0 ? `and ${formatUnits(more, 'more table')}\n` : '')
  )
}

function renderSamples({ samples }: SegmentFacts, bytes: boolean, columns: number): string {
  if (samples.length === 0) return ''
  const rows = samples.map(({ key, sequence, offset, bytes: amount }) => [
    formatBytes(amount, bytes),
    formatCount(offset),
    formatCount(sequence),
    fitText(escapeBytes(key), columns),
  ])
  return formatTable(
    [
      { title: 'record' },
      { title: 'offset' },
      { title: 'sequence' },
      { title: 'of the key', align: 'left', columnsMin: 8 },
    ],
    rows,
    columns,
  )
}

function renderPins({ pins }: SegmentFacts, bytes: boolean, columns: number): string {
  if (pins === null) {
    return formatSentence('Which snapshots and iterators keep something of it is unknown.', columns)
  }
  if (pins.length === 0) {
    return formatSentence('No open snapshot or iterator keeps anything of it.', columns)
  }
  const rows = pins.map(({ sequence, count, bytes: amount }) => [
    formatCount(sequence),
    formatCount(count),
    formatBytes(amount, bytes),
  ])
  return formatTable(
    [{ title: 'pinned at' }, { title: 'readers' }, { title: 'keep' }],
    rows,
    columns,
  )
}

function renderCost({ plan }: SegmentFacts, bytes: boolean, columns: number): string {
  const size = (amount: number): string => formatBytes(amount, bytes)
  const step = plan.steps.find(({ action }) => action !== 'forget')
  if (!step) {
    const skipped = plan.skipped.find(({ reason }) => reason !== 'not asked for')
    const why = skipped ? (REASONS[skipped.reason] ?? skipped.reason) : 'it holds nothing'
    return formatSentence(`Collecting it now would change nothing: ${why}.`, columns)
  }
  const fields = [
    ['way', step.action],
    ['frees', size(plan.bytesFreed)],
    ['copies', size(plan.bytesCopied)],
    ['peak extra', size(plan.peakExtraBytes)],
  ] as const
  return `If it were collected now:\n${formatFields(fields, columns)}`
}
