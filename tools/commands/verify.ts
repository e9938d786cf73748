/**
 * `wisc verify`: everything that a store can prove about itself.
 *
 * The store may be in use, and its writer may remove files before they are checked: the store goes on in newer views.
 */
import { CorruptionError, type Store, type VerifyReport } from '../../lib/index.ts'
import { escapeText } from '../terminal/escape.ts'
import { EXIT_CODE } from '../terminal/exit-code.ts'
import type { Output } from '../terminal/output.ts'
import { formatFields } from '../terminal/table.ts'
import { formatBytes, formatCount, formatUnits } from '../terminal/units.ts'
import { EXACT_BYTES, STORE_PATH } from '../verb/arguments.ts'
import { defineVerb, type Verb, type VerbContext } from '../verb/verb.ts'
import { inspectAgain, inspectDamaged } from '../verb/with-store.ts'

/** Places of damage that are listed for people, and for programs; all are counted. */
const LISTED_MAX = 100
const REPORTED_MAX = 10_000

export const verify: Verb = defineVerb({
  usage: 'verify <path>',
  summary: 'Check that everything in a store is sound',
  details:
    'Every block of every table, every record header, every pointer; with --deep every referenced value, too ' +
    '(store.verify() of the library always reads them, unless it is told not to). ' +
    'Writes nothing. The store may be in use: what looks damaged is read again in a newer view. A copy of a ' +
    'directory is whole if the store was closed or at rest while it was made (no writes, no compaction, no ' +
    'collection): --deep tells; where values are compressed it needs Zstandard (zstd-napi, or Node 22.15). It goes ' +
    'on when files are missing or damaged: all damage is listed, but pointers of a damaged table are not followed; ' +
    'the exit code is 4 if there is any.',
  examples: [
    ['wisc verify photos.db', 'Without reading values'],
    ['wisc verify photos.db --deep && echo sound', 'All that can be checked, also of a copy'],
  ],
  options: (command) =>
    command
      .positional('path', STORE_PATH)
      .option('deep', { type: 'boolean', default: false, describe: 'Read every value, too' })
      .option('bytes', EXACT_BYTES),
  run: async ({ path, deep, bytes: exact, json }, context) => {
    const report = await verifyAgain(path, deep, context)
    const { output } = context
    if (json) await output.json(toReport(report, deep))
    else await output.write(render(report, deep, exact, output))
    return report.ok ? EXIT_CODE.fine : EXIT_CODE.corruption
  },
})

function verifyAgain(path: string, deep: boolean, context: VerbContext): Promise<VerifyReport> {
  const { progress, signal } = context
  const check = (store: Store): Promise<VerifyReport> => {
    progress.start('verify', 1)
    return store.verify({
      deep,
      signal,
      onProgress: ({ tablesDone, tables, segmentsDone, segments }) =>
        progress.reach((tablesDone + segmentsDone) / Math.max(1, tables + segments)),
    })
  }
  return inspectAgain(path, context, check, inspectDamaged)
}

/** See tools/schema/verify.json. */
function toReport({ affectedEntries, ...report }: VerifyReport, deep: boolean): object {
  return {
    ...report,
    deep,
    damagedPlaces: report.damage.length,
    damage: report.damage.slice(0, REPORTED_MAX).map((error, at) => ({
      code: error.code,
      message: error.message,
      ...(error instanceof CorruptionError && {
        file: error.file,
        offset: error.offset,
        reason: error.reason,
      }),
      affectedEntries: affectedEntries[at]!,
    })),
  }
}

function render(report: VerifyReport, deep: boolean, exact: boolean, output: Output): string {
  const { damage, affectedEntries } = report
  const lines = damage.slice(0, LISTED_MAX).map((error, at) => {
    const text = `${output.style('red', 'DAMAGE')} ${escapeText(error.message)} (${error.code})`
    const entries = affectedEntries[at]!
    if (entries === 0) return `${text}\n`
    return `${text}, affects ${entries === 1 ? '1 entry' : `${formatCount(entries)} entries`}\n`
  })
  const more = damage.length - lines.length
  if (more > 0) lines.push(`... and ${formatUnits(more, 'more place')} (see --json)\n`)
  const fields = [
    ['tables', formatCount(report.tables)],
    ['entries', formatCount(report.entries)],
    ['pointers', formatCount(report.pointers)],
    ['segments', formatCount(report.segments)],
    ['records', formatCount(report.records)],
    ['values read', deep ? formatBytes(report.valueBytes, exact) : 'none (see --deep)'],
    [
      'result',
      report.ok
        ? 'sound'
        : output.style('red', `damaged in ${formatUnits(damage.length, 'place')}`),
    ],
  ] as const
  return lines.join('') + formatFields(fields, output.columns)
}
