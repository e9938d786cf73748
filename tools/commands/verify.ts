/**
 * `wisc verify`: everything that a store can prove about itself.
 *
 * The store may be in use, and its writer may remove files before they are checked. Then the check begins again in a
 * view of the store as it is by then, a few times; what could not be checked even so is counted, not called damage,
 * because the last view had all its files.
 */
import { CorruptionError, IoError, type VerifyReport, type WiscError } from '../../lib/index.ts'
import { EXACT_BYTES, STORE_PATH } from '../arguments.ts'
import { escapeText } from '../escape.ts'
import { EXIT_CODE } from '../exit-code.ts'
import type { Output } from '../output.ts'
import { formatFields } from '../table.ts'
import { formatBytes, formatCount, formatUnits } from '../units.ts'
import { defineVerb, type Verb, type VerbContext } from '../verb.ts'
import { inspectStore } from '../with-store.ts'

const ATTEMPTS_MAX = 3

/** A report, and how many files the writer had removed before they could be checked. */
interface Verified extends VerifyReport {
  readonly removedFiles: number
}

export const verify: Verb = defineVerb({
  usage: 'verify <path>',
  summary: 'Check that everything in a store is sound',
  details:
    'Every block of every table, every record header, every pointer; with --deep every referenced value, too. ' +
    'Writes nothing. ' +
    'Files that a writer removes meanwhile are counted as removed. A copy of a directory is whole if the store was ' +
    'closed or at rest while it was made (no writes, no compaction, no collection): --deep tells. ' +
    'All damage is listed, but pointers of a damaged table are not followed; the exit code is 4 if there is any.',
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

async function verifyAgain(path: string, deep: boolean, context: VerbContext): Promise<Verified> {
  const { progress, signal } = context
  for (let attempt = 1; ; attempt++) {
    const report = await inspectStore(path, context, (store) => {
      progress.start('verify', 1)
      return store.verify({
        deep,
        signal,
        onProgress: ({ tablesDone, tables, segmentsDone, segments }) =>
          progress.reach((tablesDone + segmentsDone) / Math.max(1, tables + segments)),
      })
    })
    const damage = report.damage.filter((error) => !isGone(error))
    const affectedEntries = report.affectedEntries.filter((_, at) => !isGone(report.damage[at]!))
    const removedFiles = report.damage.length - damage.length
    if (removedFiles === 0) return { ...report, removedFiles }
    // Opening a view proves that its files are there: a file that is missing from it, too, ends the command here.
    if (attempt < ATTEMPTS_MAX && damage.length === 0) continue
    await inspectStore(path, context, () => Promise.resolve())
    return { ...report, ok: damage.length === 0, damage, affectedEntries, removedFiles }
  }
}

/** A file is not there (any more). */
function isGone(error: WiscError): boolean {
  const cause = error instanceof CorruptionError ? error.cause : error
  return cause instanceof IoError && cause.errno === 'ENOENT'
}

/** See tools/schema/verify.json. */
function toReport({ affectedEntries, ...report }: Verified, deep: boolean): object {
  return {
    ...report,
    deep,
    damage: report.damage.map((error, at) => ({
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

function render(report: Verified, deep: boolean, exact: boolean, output: Output): string {
  const { damage, affectedEntries } = report
  const lines = damage.map((error, at) => {
    const text = `${output.style('red', 'DAMAGE')} ${escapeText(error.message)} (${error.code})`
    const entries = affectedEntries[at]!
    return entries > 1 ? `${text}, affects ${formatCount(entries)} entries\n` : `${text}\n`
  })
  const fields = [
    ['tables', formatCount(report.tables)],
    ['entries', formatCount(report.entries)],
    ['pointers', formatCount(report.pointers)],
    ['segments', formatCount(report.segments)],
    ['records', formatCount(report.records)],
    ['values read', deep ? formatBytes(report.valueBytes, exact) : 'none (see --deep)'],
    ['removed', formatCount(report.removedFiles)],
    [
      'result',
      report.ok
        ? 'sound'
        : output.style('red', `damaged in ${formatUnits(damage.length, 'place')}`),
    ],
  ] as const
  const shown = fields.filter(([name]) => name !== 'removed' || report.removedFiles > 0)
  return lines.join('') + formatFields(shown, output.columns)
}
