/**
 * `wisc scan`: the entries of a range, one a line.
 *
 * The store may be in use: when its writer has removed the files that the scan reads from, it goes on behind the last
 * key in a view of the store as it is then, and says so.
 */
import {
  type EntryIterator,
  type KeyIterator,
  type RangeOptions,
  WiscError,
} from '../../lib/index.ts'
import { countOf, HEX, keyRange, RANGE, STORE_PATH } from '../arguments.ts'
import { EntryWriter } from '../entries.ts'
import { EXIT_CODE } from '../exit-code.ts'
import { defineVerb, type Verb } from '../verb.ts'
import { inspectStore } from '../with-store.ts'

/** Views in a row that may be gone before one entry is read. */
const ATTEMPTS_MAX = 10

export const scan: Verb = defineVerb({
  usage: 'scan <path>',
  summary: 'List the entries of a range of keys, in order',
  details:
    'One line an entry: the key, a tab, the value, both escaped (on a terminal cut to fit). With --json one object a ' +
    'line: key and value, or keyBase64 and valueBase64 where the bytes are no UTF-8; keyHex and valueHex with --hex.',
  examples: [
    ['wisc scan photos.db --prefix album/', 'All keys that begin with album/'],
    ['wisc scan photos.db --gte a --lt b --keys-only', 'Keys only; no value is read'],
    ['wisc scan photos.db --reverse --limit 10', 'The last ten'],
    ['wisc scan photos.db --json > photos.ndjson', 'All of it, for programs'],
  ],
  options: (command) =>
    command
      .positional('path', STORE_PATH)
      .options(RANGE)
      .option('reverse', { type: 'boolean', default: false, describe: 'From the last key on' })
      .option('limit', { type: 'number', requiresArg: true, describe: 'At most so many entries' })
      .option('keys-only', { type: 'boolean', default: false, describe: 'Leave the values out' })
      .option('hex', { ...HEX, describe: 'Keys and values are hexadecimal, given and shown' }),
  run: async ({ path, reverse, limit, keysOnly, hex, json, ...words }, context) => {
    const range = {
      ...keyRange(words, hex),
      reverse,
      ...(limit !== undefined && { limit: countOf(limit, '--limit') }),
      signal: context.signal,
    }
    const writer = new EntryWriter(context.output, { json, hex })
    let come: Come = { count: 0, last: undefined }
    for (let attempts = 1; ; attempts++) {
      const rest = restOf(range, come)
      const { count } = come
      const now = await inspectStore(path, context, (store) => {
        const source = keysOnly ? store.keys(rest) : store.entries(rest)
        return copy(source, writer, come, () => context.output.isClosed)
      })
      if (now.isDone) break
      // An attempt that brought nothing must not be followed by ever more of them.
      if (now.count > count) attempts = 0
      else if (attempts === ATTEMPTS_MAX) throw now.error
      come = now
      context.progress.say('the store has changed: the entries from here on are newer')
    }
    await writer.flush()
    return EXIT_CODE.fine
  },
})

/** How far a scan has come. */
interface Come {
  readonly count: number
  readonly last: Buffer | undefined
}

/** Writes entries. Not done is what ends because the files of the view are gone. */
async function copy(
  source: KeyIterator | EntryIterator,
  writer: EntryWriter,
  come: Come,
  isEnough: () => boolean,
): Promise<Come & ({ readonly isDone: true } | { readonly isDone: false; readonly error: Error })> {
  let { count, last } = come
  try {
    for await (const item of source) {
      const [key, value] = Array.isArray(item) ? item : [item, undefined]
      await writer.add(key, value)
      last = key
      count++
      if (isEnough()) break
    }
    return { count, last, isDone: true }
  } catch (error) {
    if (!(error instanceof WiscError) || error.code !== 'WISC_STALE') throw error
    return { count, last, isDone: false, error }
  }
}

/** The part of a range that is still to come. */
function restOf(range: RangeOptions, { count, last }: Come): RangeOptions {
  if (last === undefined) return range
  const { gt, gte, lt, lte, limit, ...other } = range
  const lower = { ...(gt !== undefined && { gt }), ...(gte !== undefined && { gte }) }
  const upper = { ...(lt !== undefined && { lt }), ...(lte !== undefined && { lte }) }
  const ends = other.reverse ? { ...lower, lt: last } : { ...upper, gt: last }
  return { ...other, ...ends, ...(limit !== undefined && { limit: limit - count }) }
}
