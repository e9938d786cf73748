/** `wisc flush`: what lies only in the log goes into tables. */

import { EXIT_CODE } from '../terminal/exit-code.ts'
import { formatUnits } from '../terminal/units.ts'
import { STORE_PATH, WAIT, waiting } from '../verb/arguments.ts'
import { defineVerb, type Verb } from '../verb/verb.ts'
import { changeStore } from '../verb/with-store.ts'

/** See tools/schema/flush.json. */
interface FlushReport {
  readonly replayedRecords: number
  readonly tableBytesWritten: number
  readonly tables: number
}

export const flush: Verb = defineVerb({
  usage: 'flush <path>',
  summary: 'Write what lies only in the log into tables',
  details: 'The next open has nothing to replay then. Needs the lock of the store.',
  examples: [['wisc flush photos.db', 'After a crash, before a backup']],
  options: (command) => command.positional('path', STORE_PATH).option('wait', WAIT),
  run: async ({ path, wait, json }, context) => {
    const report = await changeStore(path, waiting(wait, context), context, async (store) => {
      const { recovery } = store.stats()
      await store.flush()
      const { tables, tableBytesWritten } = store.stats()
      return { replayedRecords: recovery.replayedRecords, tableBytesWritten, tables }
    })
    const { output } = context
    if (json) await output.json(report)
    else await output.write(render(report))
    return EXIT_CODE.fine
  },
})

function render({ replayedRecords, tableBytesWritten, tables }: FlushReport): string {
  const all = `${formatUnits(tables, 'table')} in all`
  if (tableBytesWritten === 0) return `nothing to flush, ${all}\n`
  return `${formatUnits(replayedRecords, 'record')} flushed, ${all}\n`
}
