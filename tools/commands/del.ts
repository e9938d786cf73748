/** `wisc del`: removes one key. */

import { EXIT_CODE, KeyNotFoundError } from '../terminal/exit-code.ts'
import { HEX, KEY, STORE_PATH, wordBytes } from '../verb/arguments.ts'
import { jsonBytes } from '../verb/entries.ts'
import { defineVerb, type Verb } from '../verb/verb.ts'
import { changeStore } from '../verb/with-store.ts'

export const del: Verb = defineVerb({
  usage: 'del <path> <key>',
  summary: 'Remove a key and its value',
  details: 'If there is no such key, nothing is written and the exit code is 1.',
  examples: [
    ['wisc del photos.db cat.jpg', 'Remove one key'],
    ['wisc del photos.db --hex 00ff', 'A key that is no text'],
  ],
  options: (command) =>
    command.positional('path', STORE_PATH).positional('key', KEY).option('hex', HEX),
  run: async ({ path, key: word, hex, json }, context) => {
    const key = wordBytes(word, hex, 'key')
    await changeStore(path, { workers: 0 }, context, async (store) => {
      if (!(await store.has(key))) {
        throw new KeyNotFoundError(key)
      }
      await store.delete(key)
    })
    if (json) await context.output.json(jsonBytes('key', key, hex))
    return EXIT_CODE.fine
  },
})
