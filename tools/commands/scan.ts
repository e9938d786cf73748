/**
 * `wisc scan`: the entries of a range, one a line, as they were at one moment.
 *
 * The process that has the store open holds a snapshot for that. When it has removed the files that the scan reads
 * from, the scan goes on behind the last key in a view of the files as they are then, at the same snapshot. Where there
 * is none, the first view is the moment; the scan ends with an error when its files are gone.
 */
import {
  type EntryIterator,
  type KeyIterator,
  type RangeOptions,
  type Store,
  type StoreIterator,
  type ValueStat,
  WiscError,
} from '../../lib/index.ts'
import { Attempts, snapshotAt } from '../../lib/inspect/owner/views.ts'
import { EXIT_CODE, InUseError, UsageError } from '../terminal/exit-code.ts'
import { countOf, HEX, keyRange, RANGE, STORE_PATH } from '../verb/arguments.ts'
import { EntryWriter } from '../verb/entries.ts'
import { HeldSnapshot } from '../verb/held-snapshot.ts'
import { defineVerb, type Verb, type VerbContext } from '../verb/verb.ts'
import { inspectStore } from '../verb/with-store.ts'

export const scan: Verb = defineVerb({
  usage: 'scan <path>',
  summary: 'List the entries of a range of keys, in order',
  details:
    'One line an entry: the key, a tab, the value, both escaped (on a terminal cut to fit). With --json one object ' +
    'a line: key and value, or keyBase64 and valueBase64 where the bytes are no UTF-8; keyHex and valueHex with ' +
    '--hex. With --stat what is known of a value in its place, which is not read: its size, its place in the value ' +
    'log, its sequence, and when it expires. All entries are as of one moment: a process that has the store open ' +
    'holds a snapshot meanwhile, unless the scan stands still for a minute. Where that cannot be, and the store ' +
    'changes, the exit code is 3.',
  examples: [
    ['wisc scan photos.db --prefix album/', 'All keys that begin with album/'],
    ['wisc scan photos.db --gte a --lt b --keys-only', 'Keys only; no value is read'],
    ['wisc scan photos.db --stat', 'Sizes, and when values expire'],
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
      .option('stat', { type: 'boolean', default: false, describe: 'Sizes in place of values' })
      .option('hex', { ...HEX, describe: 'Keys and values are hexadecimal, given and shown' }),
  run: async ({ path, reverse, limit, keysOnly, stat, hex, json, ...words }, context) => {
    if (keysOnly && stat) throw new UsageError('either --keys-only or --stat')
    const what = stat ? 'stat' : keysOnly ? 'keys' : 'entries'
    const range = {
      ...keyRange(words, hex),
      reverse,
      ...(limit !== undefined && { limit: countOf(limit, '--limit') }),
      signal: context.signal,
    }
    const writer = new EntryWriter(context.output, { json, hex })
    const taken = await HeldSnapshot.take(path, context)
    const held = taken instanceof HeldSnapshot ? taken : undefined
    const why = taken instanceof HeldSnapshot ? undefined : taken.why
    try {
      await scanViews(path, { range, what, held, why }, writer, context)
    } finally {
      held?.close()
    }
    await writer.flush()
    return EXIT_CODE.fine
  },
})

interface ScanOptions {
  readonly range: RangeOptions
  readonly what: 'entries' | 'keys' | 'stat'
  readonly held: HeldSnapshot | undefined
  /** Why nothing is held, if a process has the store open. */
  readonly why: string | undefined
}

async function scanViews(
  path: string,
  { range, what, held, why }: ScanOptions,
  writer: EntryWriter,
  context: VerbContext,
): Promise<void> {
  const { output } = context
  let come: Come = { count: 0, last: undefined }
  let attempts = new Attempts()
  for (let isFirst = true; ; isFirst = false) {
    const { count } = come
    const now = await inspectStore(path, context, async (store) => {
      // It was held when the view was opened, and so the view has all that the snapshot sees.
      if (held && !isFirst && !(await held.isHeld())) throw lost()
      using snapshot = held && snapshotAt(store, held.sequence, held.moment)
      const rest = { ...restOf(range, come), ...(snapshot && { snapshot }) }
      return await copy(sourceOf(store, what, rest), writer, come, () => {
        held?.moved()
        return output.isClosed
      })
    })
    if (now.isDone) return
    if (!held) throw changed(why)
    // An attempt that brought nothing must not be followed by ever more of them.
    if (now.count > count) attempts = new Attempts()
    attempts.again(now.error)
    come = now
  }
}

function changed(why: string | undefined): InUseError {
  const reason = why ?? 'a process has opened it meanwhile'
  return new InUseError(
    `the store has changed, the scan cannot go on as of one moment: ${reason}; no snapshot is held`,
  )
}

function lost(): InUseError {
  return new InUseError(
    'the store has changed, the scan cannot go on as of one moment: the process that has it open holds the snapshot ' +
      'no longer (it has closed the store, or the scan stood still for a minute)',
  )
}

/** How far a scan has come. */
interface Come {
  readonly count: number
  readonly last: Buffer | undefined
}

type Source = KeyIterator | EntryIterator | StoreIterator<[Buffer, ValueStat]>

function sourceOf(store: Store, what: ScanOptions['what'], range: RangeOptions): Source {
  if (what === 'keys') return store.keys(range)
  return what === 'stat' ? store.entries({ ...range, values: 'stat' }) : store.entries(range)
}

/** Writes entries. Not done is what ends because the files of the view are gone. */
async function copy(
  source: Source,
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
