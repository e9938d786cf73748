/** `wisc get`: the value of one key. */

import { escapedPieces } from '../terminal/escape.ts'
import { EXIT_CODE, KeyNotFoundError } from '../terminal/exit-code.ts'
import { HEX, KEY, STORE_PATH, wordBytes } from '../verb/arguments.ts'
import { EntryWriter } from '../verb/entries.ts'
import { defineVerb, type Verb } from '../verb/verb.ts'
import { inspectStore } from '../verb/with-store.ts'

export const get: Verb = defineVerb({
  usage: 'get <path> <key>',
  summary: 'Write the value of a key to standard output',
  details:
    'The bytes are written as they are; on a terminal they are escaped and a line ends them. ' +
    'If there is no such key, nothing is written and the exit code is 1.',
  examples: [
    ['wisc get photos.db cat.jpg > cat.jpg', 'Into a file'],
    ['wisc get photos.db --hex 00ff', 'A key that is no text'],
    ['wisc get photos.db -- --odd', 'A key that begins with a dash'],
  ],
  options: (command) =>
    command.positional('path', STORE_PATH).positional('key', KEY).option('hex', HEX),
  run: ({ path, key: word, hex, json }, context) =>
    inspectStore(path, context, async (store) => {
      const key = wordBytes(word, hex, 'key')
      const value = await store.get(key)
      if (value === undefined) throw new KeyNotFoundError(key)
      const { output } = context
      if (json) {
        const writer = new EntryWriter(output, { json, hex })
        await writer.add(key, value)
        await writer.flush()
      } else if (output.isTerminal) {
        for (const piece of escapedPieces(value)) await output.write(piece)
        await output.write('\n')
      } else await output.write(value)
      return EXIT_CODE.fine
    }),
})
