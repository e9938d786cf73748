/** `wisc put`: stores one value. */
import fs from 'node:fs'
import { WiscError } from '../../lib/index.ts'
import { EXIT_CODE } from '../terminal/exit-code.ts'
import {
  EXPIRY,
  expiryOptions,
  HEX,
  KEY,
  STORE_PATH,
  WAIT,
  waiting,
  wordBytes,
} from '../verb/arguments.ts'
import { jsonBytes } from '../verb/entries.ts'
import { inputPieces } from '../verb/input.ts'
import { defineVerb, type Verb } from '../verb/verb.ts'
import { changeStore } from '../verb/with-store.ts'

export const put: Verb = defineVerb({
  usage: 'put <path> <key> [value]',
  summary: 'Store a value under a key',
  details:
    'Without a value its bytes are read from standard input, up to the end; there may be any number of them. ' +
    'When the command ends, the value is durable.',
  examples: [
    ['wisc put photos.db receipt paid', 'A word'],
    ['wisc put photos.db cat.jpg < cat.jpg', 'A file'],
    ['wisc put photos.db session token --ttl 60000', 'Gone after a minute'],
    ['wisc put new.db --create a 1', 'Into a store that is made first'],
  ],
  options: (command) =>
    command
      .positional('path', STORE_PATH)
      .positional('key', KEY)
      .positional('value', { type: 'string', describe: 'The value; by default standard input' })
      .option('hex', { ...HEX, describe: 'The key, and the value if it is given, are hexadecimal' })
      .options(EXPIRY)
      .option('create', {
        type: 'boolean',
        default: false,
        describe: 'Create the store if the directory is missing or empty',
      })
      .option('wait', WAIT),
  run: async (
    { path, key: keyWord, value: valueWord, hex, create, wait, json, ...words },
    context,
  ) => {
    const { output, progress, signal } = context
    const expiry = expiryOptions(words.ttl, words['expires-at'])
    const key = wordBytes(keyWord, hex, 'key')
    const given = valueWord === undefined ? undefined : wordBytes(valueWord, hex, 'value')
    // No threads for one value. What the store needs is there before the input is read, which may be long.
    const options = { createIfMissing: create, workers: 0, ...waiting(wait, context) }
    const storing = changeStore(path, options, context, async (store) => {
      if (!given && process.stdin.isTTY) progress.say('reading the value; Ctrl-D ends it')
      if (!given) return (await store.putStream(key, inputPieces(signal, progress), expiry)).size
      await store.put(key, given, expiry)
      return given.length
    })
    const size = await storing.catch((error: unknown) => {
      throw couldBeCreated(error, path) ? noStoreYet(path) : error
    })
    if (json) await output.json({ ...jsonBytes('key', key, hex), bytes: size })
    return EXIT_CODE.fine
  },
})

/** Whether --create would help: nothing is there, or a directory with nothing in it. */
function couldBeCreated(error: unknown, path: string): boolean {
  if (!(error instanceof WiscError) || error.code !== 'WISC_NO_STORE') return false
  const stat = fs.statSync(path, { throwIfNoEntry: false })
  return stat === undefined || (stat.isDirectory() && fs.readdirSync(path).length === 0)
}

function noStoreYet(path: string): WiscError {
  const message = `there is no store at this path, --create would make one path=${path}`
  return new WiscError('WISC_NO_STORE', message)
}
