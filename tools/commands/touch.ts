/** `wisc touch`: lets a value live longer, or shorter. */
import type { TouchOptions } from '../../lib/index.ts'
import { EXIT_CODE, KeyNotFoundError, UsageError } from '../terminal/exit-code.ts'
import { EXPIRY, expiryOptions, HEX, KEY, STORE_PATH, wordBytes } from '../verb/arguments.ts'
import { jsonBytes, momentText } from '../verb/entries.ts'
import { defineVerb, type Verb } from '../verb/verb.ts'
import { changeStore } from '../verb/with-store.ts'

export const touch: Verb = defineVerb({
  usage: 'touch <path> <key>',
  summary: 'Say anew when a value is gone by itself',
  details:
    'The value stays what it is, and is written again inside the store; one with a file of its own (a stream) is ' +
    'refused. When that is now, get --stat tells. If there is no such key, nothing is written and the exit code is 1.',
  examples: [
    ['wisc touch photos.db cat.jpg --ttl 60000', 'A minute from now'],
    ['wisc touch photos.db cat.jpg --expires-at 2040-01-31T12:00Z', 'At a moment'],
  ],
  options: (command) =>
    command
      .positional('path', STORE_PATH)
      .positional('key', KEY)
      .option('hex', HEX)
      .options(EXPIRY),
  run: async ({ path, key: word, hex, json, ttl, ...words }, context) => {
    const key = wordBytes(word, hex, 'key')
    const expiry = expiryOptions(ttl, words['expires-at'])
    if (Object.keys(expiry).length === 0) throw new UsageError('give --ttl or --expires-at')
    const expiresAt = await changeStore(path, { workers: 0 }, context, async (store) => {
      if (!(await store.touch(key, expiry as TouchOptions))) throw new KeyNotFoundError(key)
      return (await store.stat(key))?.expiresAt
    })
    const moment = expiresAt === undefined ? null : momentText(expiresAt)
    if (json) await context.output.json({ ...jsonBytes('key', key, hex), expiresAt: moment })
    return EXIT_CODE.fine
  },
})
