/** `wisc get`: the value of one key. */

import { parseBytes } from '../terminal/amounts.ts'
import { escapedPieces } from '../terminal/escape.ts'
import { EXIT_CODE, KeyNotFoundError, UsageError } from '../terminal/exit-code.ts'
import { formatFields } from '../terminal/table.ts'
import { HEX, KEY, STORE_PATH, wordBytes } from '../verb/arguments.ts'
import { type EntryFormat, EntryWriter, statFigures } from '../verb/entries.ts'
import { copyValue, type WantedPart } from '../verb/value-copy.ts'
import { defineVerb, type Verb, type VerbContext } from '../verb/verb.ts'
import { inspectStore } from '../verb/with-store.ts'

export const get: Verb = defineVerb({
  usage: 'get <path> <key>',
  summary: 'Write the value of a key to standard output',
  details:
    'The bytes are written as they are, whatever their number; on a terminal they are escaped and a line ends them. ' +
    'With --offset or --length a part of the value, of which no more is read than that needs. ' +
    'With --stat what is known of it without reading it: sizes, its place in the value log, its sequence, when it ' +
    'expires. ' +
    'If there is no such key, nothing is written and the exit code is 1.',
  examples: [
    ['wisc get photos.db cat.jpg > cat.jpg', 'Into a file'],
    ['wisc get photos.db cat.jpg --length 64KiB', 'Its first bytes; --offset begins elsewhere'],
    ['wisc get photos.db cat.jpg --stat', 'Its size, its place, its sequence, and when it expires'],
    ['wisc get photos.db --hex 00ff', 'A key that is no text'],
    ['wisc get photos.db -- --odd', 'A key that begins with a dash'],
  ],
  options: (command) =>
    command
      .positional('path', STORE_PATH)
      .positional('key', KEY)
      .option('hex', HEX)
      .option('offset', { type: 'string', requiresArg: true, describe: 'From this byte on' })
      .option('length', { type: 'string', requiresArg: true, describe: 'At most so many bytes' })
      .option('stat', { type: 'boolean', default: false, describe: 'Its size in its place' }),
  run: async ({ path, key: word, hex, json, offset, length, stat }, context) => {
    const key = wordBytes(word, hex, 'key')
    const part = {
      ...(offset !== undefined && { offset: parseBytes(offset, '--offset') }),
      ...(length !== undefined && { length: parseBytes(length, '--length') }),
    }
    const { output } = context
    if (stat && (offset ?? length) !== undefined)
      throw new UsageError('either --stat or a part of the value')
    if (stat) await showStat(path, key, { json, hex }, context)
    else if (!json && !output.isTerminal) await copyValue(path, key, part, context)
    else await showValue(path, key, part, { json, hex }, context)
    return EXIT_CODE.fine
  },
})

function showStat(
  path: string,
  key: Buffer,
  format: EntryFormat,
  context: VerbContext,
): Promise<void> {
  return inspectStore(path, context, async (store) => {
    const stat = await store.stat(key)
    if (stat === undefined) throw new KeyNotFoundError(key)
    const { output } = context
    if (!format.json) {
      const fields = Object.entries(statFigures(stat)).map(([name, value]) => [name, `${value}`])
      await output.write(formatFields(fields as [string, string][], output.columns))
      return
    }
    const writer = new EntryWriter(output, format)
    await writer.add(key, stat)
    await writer.flush()
  })
}

/** For people, or as JSON: a value that fits into memory. */
function showValue(
  path: string,
  key: Buffer,
  part: WantedPart,
  { json, hex }: EntryFormat,
  context: VerbContext,
): Promise<void> {
  return inspectStore(path, context, async (store) => {
    const value = await store.get(key, part)
    if (value === undefined) throw new KeyNotFoundError(key)
    const { output } = context
    if (json) {
      const writer = new EntryWriter(output, { json, hex })
      await writer.add(key, value)
      await writer.flush()
      return
    }
    for (const piece of escapedPieces(value)) await output.write(piece)
    await output.write('\n')
  })
}
