/** `wisc report`: the store as one page of HTML. */
import fs from 'node:fs'
import { segmentRows } from '../../lib/inspect/collection/segment-report.ts'
import { type ReportData, reportPage } from '../report/page.ts'
import { withAges } from '../terminal/ages.ts'
import { EXIT_CODE, systemErrorCode, UsageError } from '../terminal/exit-code.ts'
import { STORE_PATH } from '../verb/arguments.ts'
import { openReaders } from '../verb/owner.ts'
import { valueSizes } from '../verb/value-sizes.ts'
import { defineVerb, type Verb, type VerbContext } from '../verb/verb.ts'
import { inspectAgain } from '../verb/with-store.ts'

const STANDARD_OUTPUT = '-'

export const report: Verb = defineVerb({
  usage: 'report <path>',
  summary: 'Write a page of HTML that shows a store',
  details:
    'Files of the value log and what is in them, levels of the tree, sizes of values, figures. One file of its own, ' +
    'without scripts, for light and dark screens and for phones. The tree is walked, values are not read: sizes of ' +
    'compressed ones are told by samples. ' +
    'Nothing is overwritten. Needs no lock and writes nothing into the store, which may be in use.',
  examples: [
    ['wisc report photos.db --html photos.html', 'Into a new file'],
    ['wisc report photos.db --html - > photos.html', 'To standard output'],
  ],
  options: (command) =>
    command.positional('path', STORE_PATH).option('html', {
      type: 'string',
      requiresArg: true,
      demandOption: true,
      describe: 'The new file, or - for standard output',
    }),
  run: async ({ path, html, json }, context) => {
    const { output } = context
    if (json && html === STANDARD_OUTPUT) {
      throw new UsageError('the page and JSON cannot both go to standard output')
    }
    if (html !== STANDARD_OUTPUT) checkNew(html)
    const page = Buffer.from(reportPage(await gather(path, context)))
    if (html === STANDARD_OUTPUT) await output.write(page)
    else writeNew(html, page)
    if (json) await output.json({ path, html, bytes: page.length })
    return EXIT_CODE.fine
  },
})

async function gather(path: string, context: VerbContext): Promise<ReportData> {
  const { progress, signal } = context
  const found = await inspectAgain(path, context, async (store) => {
    progress.note('walking the tree and its files')
    const readers = (await openReaders(path, context))?.map(({ sequence }) => sequence)
    const segments = withAges(path, await segmentRows(store, { isExact: true, readers, signal }))
    return { stats: store.stats(), segments }
  })
  const { buckets: sizes } = await valueSizes(path, context)
  return { path, at: new Date(), ...found, sizes }
}

/** A slip must not cost anybody a file, least of all one of the store. */
function checkNew(file: string): void {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false })
  if (stat?.isDirectory()) {
    throw new UsageError(`--html must be a new file, this is a directory: ${file}`)
  }
  if (stat) throw alreadyThere(file)
}

function alreadyThere(file: string): UsageError {
  return new UsageError(`there is a file already, nothing was written: ${file}`)
}

/** What cannot be finished is taken away. Not by a link to a whole page: some file systems have none. */
function writeNew(file: string, bytes: Uint8Array): void {
  const descriptor = openNew(file)
  try {
    fs.writeFileSync(descriptor, bytes)
  } catch (error) {
    fs.rmSync(file, { force: true })
    throw namingPath(error, file)
  } finally {
    fs.closeSync(descriptor)
  }
}

function openNew(file: string): number {
  try {
    return fs.openSync(file, 'wx')
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') throw alreadyThere(file)
    throw namingPath(error, file)
  }
}

/** Node names no path when it is a write that fails. */
function namingPath(error: unknown, file: string): unknown {
  const code = systemErrorCode(error)
  if (code === undefined) return error
  const { errno } = error as NodeJS.ErrnoException
  const message = `the page cannot be written: ${(error as Error).message}: ${file}`
  return Object.assign(new Error(message, { cause: error }), { code, errno })
}
