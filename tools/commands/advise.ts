/** `wisc advise`: which values should be separated. */
import { type Advice, advise as adviseFor, type Prediction } from '../../lib/inspect/advise.ts'
import {
  type CompressionSample,
  sampleCompression,
} from '../../lib/inspect/collection/value-sample.ts'
import { type MeasuredCall, OPERATIONS } from '../../lib/inspect/costs.ts'
import { MEASURED_COSTS } from '../../lib/inspect/measured-costs.ts'
import { formatBar } from '../terminal/bar.ts'
import { EXIT_CODE } from '../terminal/exit-code.ts'
import type { Output } from '../terminal/output.ts'
import { formatTable } from '../terminal/table.ts'
import { formatBytes, formatCount, formatUnits } from '../terminal/units.ts'
import { wrapText } from '../terminal/wrap.ts'
import { EXACT_BYTES, STORE_PATH } from '../verb/arguments.ts'
import { type MeasuredSizes, valueSizes } from '../verb/value-sizes.ts'
import { defineVerb, type Verb } from '../verb/verb.ts'
import { inspectAgain } from '../verb/with-store.ts'

const LEGEND =
  'keys and bytes that would be separated; bytes written and on disk for each byte of keys and values'

/** Of the times: what they are, and what is to be made of them. */
const TIMES =
  `microseconds for one value, measured ${MEASURED_COSTS.date} on ${MEASURED_COSTS.machine}: ` +
  'compare lines of a column'
const NAMES: Readonly<Record<MeasuredCall, string>> = {
  put: 'put',
  overwrite: 'overwrite',
  get: 'get',
  rangeEntry: 'in a range',
  scanEntry: 'in a scan',
}

/** A store with less has one table or two: all thresholds cost about the same. */
const LITTLE_BYTES = 16 * 1024 * 1024

export const advise: Verb = defineVerb({
  usage: 'advise <path>',
  summary: 'Show the sizes of values, and which valueThreshold would suit them',
  details:
    'Goes through the tables; of values only samples are read, for how long compressed ones are and what compression ' +
    'would save. ' +
    'What lies only in the log is not counted (see wisc flush). The ' +
    'prediction is for a store that keeps its size while its keys are overwritten evenly, with default ' +
    'options: the log is written once; an entry of the tree by the flush and at each level, 1 + size of the ' +
    'level / size of the one above; separated records are copied by the collector at its target of 1.3, 1.4 ' +
    'bytes for each byte written. Space: the tree and a tenth, separated records times the target. Real loads ' +
    'are kinder; where only new keys are written nothing is collected. Of the thresholds within 5 % of the ' +
    'least writing the largest is recommended: what is kept in the tree is read with its key. The times are those ' +
    'of the benchmark, of one value each, in small stores of uncompressed values in the page cache.',
  examples: [
    ['wisc advise photos.db', 'Histogram, predictions, a recommendation'],
    ['wisc advise photos.db --json | jq .recommended', 'For programs'],
  ],
  options: (command) => command.positional('path', STORE_PATH).option('bytes', EXACT_BYTES),
  run: async ({ path, bytes: exact, json }, context) => {
    const sizes = await valueSizes(path, context)
    const sample = await inspectAgain(path, context, sampleCompression)
    const advice = adviseFor(sizes.buckets)
    const { output } = context
    if (json) await output.json(toReport(path, sizes, advice, sample))
    else await output.write(render(sizes, advice, sample, exact, output))
    return EXIT_CODE.fine
  },
})

/** See tools/schema/advise.json. */
function toReport(
  path: string,
  { buckets, entries, separatedKeys, unflushedLogBytes, samples }: MeasuredSizes,
  { predictions, recommended, fastest }: Advice,
  sample: CompressionSample | undefined,
): object {
  const { date, machine } = MEASURED_COSTS
  return {
    path,
    keys: buckets.reduce((total, { keys }) => total + keys, 0),
    keyBytes: buckets.reduce((total, { keyBytes }) => total + keyBytes, 0),
    valueBytes: buckets.reduce((total, { valueBytes }) => total + valueBytes, 0),
    entries,
    separatedKeys,
    unflushedLogBytes,
    sampledKeys: samples.length,
    histogram: buckets,
    predictions,
    recommended: recommended ?? null,
    fastest: fastest ?? null,
    measured: { date, machine },
    compression: sample ?? null,
  }
}

function render(
  sizes: MeasuredSizes,
  { predictions, recommended, fastest }: Advice,
  sample: CompressionSample | undefined,
  exact: boolean,
  output: Output,
): string {
  const size = (bytes: number): string => formatBytes(bytes, exact)
  const notCounted =
    sizes.unflushedLogBytes > 0
      ? [`not counted: ${size(sizes.unflushedLogBytes)} of log that no table has yet`]
      : []
  const lines = (texts: readonly string[]): string =>
    texts.map((text) => `${wrapText(text, output.columns)}\n`).join('')
  const { buckets } = sizes
  if (recommended === undefined || fastest === undefined) {
    return lines(['no values in the tables: nothing to advise', ...notCounted])
  }
  const keys = buckets.reduce((total, bucket) => total + bucket.keys, 0)
  const bytes = buckets.reduce((total, bucket) => total + bucket.valueBytes, 0)
  const histogram = formatTable(
    [
      { title: 'values of' },
      { title: 'keys' },
      { title: 'bytes' },
      { title: 'share of bytes', align: 'left' },
    ],
    buckets.map((bucket) => [
      bucket.to === 0 ? '0 B' : `< ${size(bucket.to + 1)}`,
      formatCount(bucket.keys),
      size(bucket.valueBytes),
      (cells: number) => share(bucket.valueBytes, bytes, cells, output),
    ]),
    output.columns,
  )
  const table = formatTable(
    ['threshold', 'keys', 'bytes', 'written', 'log', 'tree', 'collector', 'space'].map((title) => ({
      title,
    })),
    predictions.map((prediction) => predictionRow(prediction, keys, bytes, recommended, size)),
    output.columns,
  )
  const times = formatTable(
    ['threshold', ...OPERATIONS.map((name) => NAMES[name])].map((title) => ({ title })),
    predictions.map(({ threshold, microseconds }) => [
      size(threshold),
      ...OPERATIONS.map((name) => formatTime(microseconds[name])),
    ]),
    output.columns,
  )
  const now = percent(sizes.separatedKeys, keys)
  const isLittle = bytes < LITTLE_BYTES
  const little = `values of ${size(bytes)} say little of those to come: ask again when there are more`
  const advice = `recommended: valueThreshold ${recommended} (${size(recommended)}), for the least writing`
  const quickest = OPERATIONS.map((name) => `${NAMES[name]} ${size(fastest[name])}`).join(', ')
  const last = lines([
    ...notCounted,
    `separated now: ${now} of the keys`,
    ...(sample && sample.values > 0 ? [compressionText(sample)] : []),
    advice,
    `fastest: ${quickest}`,
    ...(isLittle ? [little] : []),
  ])
  return `${histogram}\n${lines([LEGEND])}\n${table}\n${lines([TIMES])}\n${times}\n${last}`
}

function formatTime(microseconds: number): string {
  return microseconds.toFixed(microseconds < 100 ? 1 : 0)
}

/** By the separated values that were sampled. */
function compressionText({
  values,
  compressed,
  rawBytes,
  storedBytes,
  compressedBytes,
}: CompressionSample): string {
  const all = `of ${formatUnits(values, 'sampled value')}`
  const now = `compressed now: ${formatCount(compressed)} ${all}, ${percent(storedBytes, rawBytes)} of the bytes`
  return `${now}; with compression 'zstd': ${percent(compressedBytes, rawBytes)}`
}

function share(part: number, whole: number, cells: number, output: Output): string {
  const parts = [
    { amount: part, sign: '#', paint: (text: string) => output.style('green', text) },
    { amount: whole - part, sign: '.' },
  ]
  return formatBar(parts, cells)
}

function predictionRow(
  prediction: Prediction,
  keys: number,
  bytes: number,
  recommended: number,
  size: (bytes: number) => string,
): string[] {
  const { threshold, written, writtenLog, writtenTree, writtenCollector, space } = prediction
  return [
    `${threshold === recommended ? '* ' : ''}${size(threshold)}`,
    percent(prediction.separatedKeys, keys),
    percent(prediction.separatedBytes, bytes),
    ...[written, writtenLog, writtenTree, writtenCollector, space].map((each) => each.toFixed(2)),
  ]
}

function percent(part: number, whole: number): string {
  return `${whole === 0 ? '0.0' : ((part / whole) * 100).toFixed(1)}%`
}
