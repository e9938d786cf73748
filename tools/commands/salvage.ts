/** `wisc salvage`: a new store from whatever a damaged one still proves. */
import fs from 'node:fs'
import path from 'node:path'
import type { Options } from '../../lib/index.ts'
import { Salvage, type SalvagedEntry } from '../../lib/inspect/salvage/salvage.ts'
import { keepWritersAway } from '../../lib/inspect/salvage/salvage-files.ts'
import { SalvageTarget } from '../../lib/inspect/salvage/salvage-target.ts'
import { escapeText, quoteKey } from '../terminal/escape.ts'
import { EXIT_CODE, InterruptedError, UsageError } from '../terminal/exit-code.ts'
import type { Output } from '../terminal/output.ts'
import { formatFields } from '../terminal/table.ts'
import { formatCount } from '../terminal/units.ts'
import { wrapText } from '../terminal/wrap.ts'
import { countOf, STORE_PATH } from '../verb/arguments.ts'
import { jsonBytes } from '../verb/entries.ts'
import { InFlight } from '../verb/in-flight.ts'
import { defineVerb, type Verb, type VerbContext } from '../verb/verb.ts'

/** More of each are counted only; --json has all. */
const LISTED_MAX = 20

interface Counts {
  keys: number
  fromTables: number
  fromLog: number
  possiblyStale: number
}

export const salvage: Verb = defineVerb({
  usage: 'salvage <path> <target>',
  summary: 'Build a new store from whatever a damaged one still proves',
  details:
    'Needs neither CURRENT nor the manifest, and never writes to the damaged store: the new one is made in the ' +
    'target, which must not exist or be empty; until it is complete nothing opens it. First all readable tables ' +
    'count, then the records of the value log; the newest state of each key wins. Keys that were found in the log ' +
    'alone may be stale: their deletes may be gone. Keys whose newest values cannot be read are listed. Holds all ' +
    'keys in memory, about 300 bytes each and the key. Compressed values need Zstandard (zstd-napi, or Node 22.15). ' +
    'If the newest part of the log is damaged, it says that newer writes may be missing: nobody knows of which ' +
    'keys. A file that may not be read ends it: that is no loss. No process may have the damaged store open for ' +
    'writing. The exit code is 4 if keys are lost.',
  examples: [
    ['wisc salvage broken.db saved.db', 'What can be saved, and what is lost'],
    ['wisc salvage broken.db saved2.db --json > report.json', 'With every lost key'],
  ],
  options: (command) =>
    command
      .positional('path', { ...STORE_PATH, describe: 'Directory of the damaged store' })
      .positional('target', {
        type: 'string',
        demandOption: true,
        describe: 'New directory for the salvaged store',
      })
      .option('value-threshold', {
        type: 'number',
        requiresArg: true,
        describe: 'Option valueThreshold of the new store, in bytes',
      }),
  run: async ({ path: source, target, valueThreshold, json }, context) => {
    checkTarget(source, target)
    const options =
      valueThreshold === undefined
        ? {}
        : { valueThreshold: countOf(valueThreshold, '--value-threshold') }
    const lock = await keepWritersAway(source)
    try {
      const found = new Salvage(source)
      return await salvageTo(found, target, options, json, context)
    } finally {
      lock.release()
    }
  },
})

async function salvageTo(
  found: Salvage,
  target: string,
  options: Options,
  json: boolean,
  context: VerbContext,
): Promise<number> {
  try {
    const counts = await copy(found, target, options, context)
    context.progress.clear()
    if (json) await context.output.json(toReport(found, counts))
    else await context.output.write(render(found, counts, context.output))
  } finally {
    found.close()
  }
  return found.lost.length > 0 ? EXIT_CODE.corruption : EXIT_CODE.fine
}

function checkTarget(source: string, target: string): void {
  const inside = path.relative(realPath(source), realPath(target))
  if (!inside.startsWith('..') && !path.isAbsolute(inside)) {
    throw new UsageError('the target must lie outside of the damaged store')
  }
  const stat = fs.statSync(target, { throwIfNoEntry: false })
  if (!stat) return
  if (!stat.isDirectory() || fs.readdirSync(target).length > 0) {
    throw new UsageError(`the target must not exist, or be an empty directory: ${target}`)
  }
}

/** A path with links followed, as far as it exists. */
function realPath(name: string): string {
  const full = path.resolve(name)
  const parent = path.dirname(full)
  if (fs.existsSync(full)) return fs.realpathSync(full)
  return parent === full ? full : path.join(realPath(parent), path.basename(full))
}

async function copy(
  found: Salvage,
  target: string,
  options: Options,
  { progress, signal }: VerbContext,
): Promise<Counts> {
  progress.start('read', found.totalBytes)
  for (const bytes of found.readSlices()) {
    if (signal.aborted) throw new InterruptedError('interrupted: nothing was written')
    await progress.advance(bytes)
  }
  const counts: Counts = { keys: 0, fromTables: 0, fromLog: 0, possiblyStale: 0 }
  const salvaged = await SalvageTarget.create(target, options)
  try {
    const inFlight = new InFlight()
    progress.start('write', found.foundKeys)
    for await (const { key, value, expiresAt, origin, mayBeStale } of found.entries(signal)) {
      if (signal.aborted) break
      // What expires meanwhile is put for a second: a moment in the past would be refused.
      const expiry = expiresAt > 0 ? { expiresAt: Math.max(expiresAt, Date.now() + 1000) } : {}
      if (value instanceof Uint8Array) {
        await inFlight.waitFor(value.length)
        inFlight.add(salvaged.store.put(key, value, expiry), value.length)
      } else await salvaged.store.putStream(key, value.pieces(), { size: value.size, ...expiry })
      count(counts, { origin, mayBeStale })
      await progress.advance(1)
    }
    await inFlight.drain()
    if (signal.aborted)
      throw new InterruptedError(`interrupted: ${target} is not complete, remove it`)
  } catch (error) {
    // What went wrong first is what is told.
    await salvaged.abandon()
    throw error
  }
  await salvaged.finish()
  return counts
}

function count(counts: Counts, entry: Pick<SalvagedEntry, 'origin' | 'mayBeStale'>): void {
  counts.keys++
  if (entry.origin === 'table') counts.fromTables++
  else counts.fromLog++
  if (entry.mayBeStale) counts.possiblyStale++
}

/** See tools/schema/salvage.json. */
function toReport(found: Salvage, counts: Counts): object {
  const { damage, lost, deletedKeys, emptiedKeys, hasManifest, mayMissNewer } = found
  return {
    ...counts,
    deletedKeys,
    emptiedKeys,
    manifest: hasManifest,
    mayMissNewer,
    lost: lost.map(({ key, sequence, reason }) => ({
      ...jsonBytes('key', key, false),
      sequence,
      reason,
    })),
    damage,
  }
}

function render(found: Salvage, counts: Counts, output: Output): string {
  const { damage, lost, hasManifest, mayMissNewer, deletedKeys, emptiedKeys } = found
  const damaged = damage.map(({ file, offset, end, reason }) => {
    const place =
      offset === undefined ? '' : ` at ${offset}${end === undefined ? '' : ` to ${end}`}`
    return `${output.style('red', 'DAMAGE')} ${escapeText(`${file}${place}: ${reason}`)}`
  })
  const gone = lost.map(
    ({ key, reason }) => `${output.style('red', 'LOST')} ${quoteKey(key)}: ${escapeText(reason)}`,
  )
  const fields = [
    ['saved', `${formatCount(counts.keys)} keys`],
    ['from tables', formatCount(counts.fromTables)],
    ['from the log alone', formatCount(counts.fromLog)],
    ['possibly stale', formatCount(counts.possiblyStale)],
    ['lost', formatCount(lost.length)],
    ['deleted', formatCount(deletedKeys)],
    ['emptied', formatCount(emptiedKeys)],
    ['newer writes', mayMissNewer ? 'may be missing' : 'none is missing'],
    ['manifest', hasManifest ? 'read' : 'none: files may be missing'],
  ] as const
  const lines = [...shorten(damaged, 'damaged places'), ...shorten(gone, 'lost keys')]
  return `${lines.map((line) => `${wrapText(line, output.columns)}\n`).join('')}${formatFields(fields, output.columns)}`
}

function shorten(lines: readonly string[], what: string): string[] {
  if (lines.length <= LISTED_MAX) return [...lines]
  const more = formatCount(lines.length - LISTED_MAX)
  return [...lines.slice(0, LISTED_MAX), `... and ${more} more ${what} (see --json)`]
}
