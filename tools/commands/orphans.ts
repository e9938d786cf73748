/** `wisc orphans`: files in the directory of a store that belong to nothing. */
import { listOrphans, type Orphan, refuseInUse, removeOrphans } from '../../lib/inspect/orphans.ts'
import { escapeText } from '../terminal/escape.ts'
import { EXIT_CODE } from '../terminal/exit-code.ts'
import type { Output } from '../terminal/output.ts'
import { formatTable } from '../terminal/table.ts'
import { formatBytes, formatUnits } from '../terminal/units.ts'
import { EXACT_BYTES, STORE_PATH } from '../verb/arguments.ts'
import { confirm, YES } from '../verb/input.ts'
import { defineVerb, type Verb } from '../verb/verb.ts'

export const orphans: Verb = defineVerb({
  usage: 'orphans <path>',
  summary: 'List files that belong to nothing, and remove those of the store',
  details:
    'Unfinished tables and relocations, old manifests, foreign files; sizes as allocated. Without --delete it ' +
    'needs no lock; while the store is in use, files that are being written are listed, too. --delete takes ' +
    'the lock, checks the store as an open does, and removes what is proved to be of this store; foreign ' +
    'files and those in lost/ stay.',
  examples: [
    ['wisc orphans photos.db', 'What is there, and why'],
    ['wisc orphans photos.db --delete --yes', 'Remove what the store has left behind'],
  ],
  options: (command) =>
    command
      .positional('path', STORE_PATH)
      .option('delete', { type: 'boolean', default: false, describe: 'Remove them' })
      .option('yes', YES)
      .option('bytes', EXACT_BYTES),
  run: async ({ path, delete: removes, yes, bytes: exact, json }, { output, signal }) => {
    // Nobody is asked for what cannot be done.
    if (removes) await refuseInUse(path)
    const found = listOrphans(path)
    const wanted = removes ? found.filter(({ isRemovable }) => isRemovable) : []
    let removed: string[] = []
    if (wanted.length > 0) {
      const names = wanted.map(({ file }) => escapeText(file)).join(', ')
      const question = `delete ${formatUnits(wanted.length, 'file')} (${names})`
      const agrees = await confirm(question, yes, signal)
      if (!agrees && !json) {
        await output.write('nothing was deleted\n')
        return EXIT_CODE.fine
      }
      const files = wanted.map(({ file }) => file)
      if (agrees) removed = await removeOrphans(path, files)
    }
    if (json) await output.json(toReport(path, found, removed))
    else await output.write(render(found, removed, removes, exact, output))
    return EXIT_CODE.fine
  },
})

/** See tools/schema/orphans.json. */
function toReport(path: string, found: readonly Orphan[], removed: readonly string[]): object {
  const files = found.map(({ isRemovable: removable, ...orphan }) => ({
    ...orphan,
    removable,
    removed: removed.includes(orphan.file),
  }))
  return { path, orphans: files }
}

function render(
  found: readonly Orphan[],
  removed: readonly string[],
  removes: boolean,
  exact: boolean,
  output: Output,
): string {
  if (found.length === 0) return 'no orphans\n'
  const rows = found.map(({ file, kind, diskBytes, isRemovable, reason }) => [
    escapeText(file),
    kind,
    formatBytes(diskBytes, exact),
    removes ? resultOf(file, isRemovable, removed) : isRemovable ? 'yes' : 'no',
    escapeText(reason),
  ])
  const columns = [
    { title: 'file', align: 'left' },
    { title: 'kind', align: 'left' },
    { title: 'on disk' },
    { title: removes ? 'result' : 'ours', align: 'left' },
    { title: 'why', align: 'left' },
  ] as const
  const sum = formatBytes(
    found.reduce((total, { diskBytes }) => total + diskBytes, 0),
    exact,
  )
  return `${formatTable(columns, rows, output.columns)}\n${formatUnits(found.length, 'file')}, ${sum}\n`
}

function resultOf(file: string, isRemovable: boolean, removed: readonly string[]): string {
  if (!isRemovable) return 'kept'
  return removed.includes(file) ? 'deleted' : 'gone'
}
