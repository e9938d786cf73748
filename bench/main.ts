/**
 * The comparative benchmark: wisc, its peers and a raw floor side by side in one run. See bench/README.md.
 */
import path from 'node:path'
import { parseArgs } from 'node:util'
import { HELP, parseFlags, parseShare } from './flags.ts'
import { compareReports, failures, renderComparison } from './report/compare.ts'
import { writePages } from './report/pages.ts'
import { publish } from './report/publish.ts'
import { readReport } from './report/results.ts'
import { renderText } from './report/text.ts'
import { run } from './run.ts'

/** Behind the flags. */
const VERBS = `
instead of flags:
  report RESULTS.json FOLDER                  the page of a run that was made before
  compare A.json B.json [--fail-over 10%]     what changed by more than the noise
  publish [RESULTS.json...]                   the figures of this project's pages and of wisc advise; without results
                                              the pages alone, by the figures that are there
`

async function measure(words: readonly string[]): Promise<void> {
  const flags = parseFlags(words)
  if (flags.help) {
    console.log(HELP + VERBS)
    return
  }
  const name = `${new Date().toISOString().replace(/[:.]/g, '-')}.json`
  const file = flags.resume ?? flags.json ?? path.join('bench', 'results', name)
  const report = await run(flags, ['npm run bench --', ...words].join(' '), file)
  console.log(`${renderText(report)}\n\nall of it: ${file}`)
  if (flags.report !== undefined) writePages(report, flags.report)
}

/** `report RESULTS.json FOLDER` */
function reportAgain(words: readonly string[]): void {
  const [file, directory, ...rest] = words
  if (file === undefined || directory === undefined || rest.length > 0) {
    throw new Error('usage: npm run bench -- report RESULTS.json FOLDER')
  }
  writePages(readReport(file), directory)
}

/** `compare A.json B.json [--fail-over 10%]` */
function compare(words: readonly string[]): void {
  const { values, positionals } = parseArgs({
    args: [...words],
    options: { 'fail-over': { type: 'string' } },
    allowPositionals: true,
  })
  const [first, second, ...rest] = positionals
  if (first === undefined || second === undefined || rest.length > 0) {
    throw new Error('usage: npm run bench -- compare A.json B.json [--fail-over 10%]')
  }
  const [before, after] = [readReport(first), readReport(second)]
  const changes = compareReports(before, after)
  console.log(renderComparison(before, after, changes))
  const failOver = values['fail-over']
  if (failOver === undefined) return
  const failed = failures(changes, parseShare(failOver))
  console.log(`\n${failed.length} of wisc's rows are slower by more than ${failOver}`)
  if (failed.length > 0) process.exitCode = 1
}

const [verb, ...words] = process.argv.slice(2)
try {
  if (verb === 'compare') compare(words)
  else if (verb === 'report') reportAgain(words)
  else if (verb === 'publish') publish(words.map(readReport))
  else await measure(process.argv.slice(2))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 2
}
