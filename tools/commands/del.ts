/** `wisc del`: removes one key, or all of a range. */

import type { DeletedRange, KeyRange, Store } from '../../lib/index.ts'
import { EXIT_CODE, KeyNotFoundError, UsageError } from '../terminal/exit-code.ts'
import { formatUnits } from '../terminal/units.ts'
import { HEX, keyRange, RANGE, STORE_PATH, WAIT, waiting, wordBytes } from '../verb/arguments.ts'
import { jsonBytes } from '../verb/entries.ts'
import { confirm, YES } from '../verb/input.ts'
import { defineVerb, type Verb, type VerbContext } from '../verb/verb.ts'
import { changeStore } from '../verb/with-store.ts'

/** Keys that are counted at a time. */
const COUNTED_KEYS = 1000

export const del: Verb = defineVerb({
  usage: 'del <path> [key]',
  summary: 'Remove a key and its value, or all keys of a range',
  details:
    'If there is no such key, nothing is written and the exit code is 1. With --prefix or ends the keys of the range ' +
    'are counted first; then it asks, unless --yes was given, and removes them at once, however many they are. Their ' +
    'space comes back by and by, or by wisc gc.',
  examples: [
    ['wisc del photos.db cat.jpg', 'Remove one key'],
    ['wisc del photos.db --hex 00ff', 'A key that is no text'],
    [
      'wisc del photos.db --prefix album/ --yes',
      'All keys that begin with album/, without a question',
    ],
    ['wisc del photos.db --gte a --lt b --yes', 'Those from a on and below b'],
  ],
  options: (command) =>
    command
      .positional('path', STORE_PATH)
      .positional('key', { type: 'string', describe: 'The key' })
      .options(RANGE)
      .option('yes', YES)
      .option('hex', HEX)
      .option('wait', WAIT),
  run: async ({ path, key: word, hex, json, yes, wait, ...words }, context) => {
    const range = keyRange(words, hex)
    const options = { workers: 0, ...waiting(wait, context) }
    const isRange = Object.keys(range).length > 0
    if (isRange && word !== undefined)
      throw new UsageError('either a key or a range of keys, not both')
    if (!isRange && word === undefined)
      throw new UsageError('give a key, or a range of keys by --prefix, --gt, --gte, --lt, --lte')
    // As a rule a variable that is not set.
    if (Object.keys(range).join() === 'prefix' && range.prefix?.length === 0)
      throw new UsageError('--prefix is empty; all keys are --gte=')
    refuseEmpty(range)
    if (word === undefined) {
      const keys = await changeStore(path, options, context, (store) =>
        deleteRange(store, range, yes, context),
      )
      if (json) await context.output.json({ keys })
      else await context.output.write(`${formatUnits(keys, 'key')} deleted\n`)
      return EXIT_CODE.fine
    }
    const key = wordBytes(word, hex, 'key')
    await changeStore(path, options, context, async (store) => {
      if (!(await store.has(key))) {
        throw new KeyNotFoundError(key)
      }
      await store.delete(key)
    })
    if (json) await context.output.json(jsonBytes('key', key, hex))
    return EXIT_CODE.fine
  },
})

/** A mistake as a rule: its ends were exchanged. @throws UsageError */
function refuseEmpty({ gt, gte, lt, lte }: KeyRange): void {
  const [lower, upper] = [gt ?? gte, lt ?? lte] as (Buffer | undefined)[]
  if (lower === undefined || upper === undefined) return
  const order = Buffer.compare(lower, upper)
  if (order < 0 || (order === 0 && gte !== undefined && lte !== undefined)) return
  throw new UsageError('no key lies in this range: its lower end must be below its upper one')
}

/** @returns how many keys were deleted */
async function deleteRange(
  store: Store,
  range: KeyRange,
  yes: boolean,
  { signal, progress }: VerbContext,
): Promise<number> {
  let keys = 0
  progress.note('counting keys')
  for (const iterator = store.keys({ ...range, signal }); ; ) {
    const { length } = await iterator.nextMany(COUNTED_KEYS)
    keys += length
    if (length < COUNTED_KEYS) break
  }
  progress.clear()
  if (keys === 0) return 0
  if (!(await confirm(`this deletes ${formatUnits(keys, 'key')}`, yes, signal))) return 0
  // Nobody else can write meanwhile: it has the lock.
  await store.deleteRange(range as DeletedRange)
  return keys
}
