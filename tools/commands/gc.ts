/**
 * `wisc gc`: plans a collection, or carries one out.
 *
 * If a process has the store open, that one is asked through its control socket; else the store is opened here.
 */
import fs from 'node:fs'
import {
  type CollectionPlan,
  type CollectionProgress,
  type CollectionReport,
  type CollectOptions,
  WiscError,
} from '../../lib/index.ts'
import {
  type CollectionForecast,
  forecastCollection,
} from '../../lib/inspect/collection/forecast.ts'
import type { ControlClient, OwnerFacts } from '../../lib/inspect/owner/control-client.ts'
import { parseAtLeast, parseBytes, parseRatio, parseSegments } from '../terminal/amounts.ts'
import {
  EXIT_CODE,
  errorReport,
  exitCodeOf,
  InUseError,
  UsageError,
} from '../terminal/exit-code.ts'
import { formatBytes } from '../terminal/units.ts'
import { EXACT_BYTES, STORE_PATH } from '../verb/arguments.ts'
import { renderPlan, renderReport, withUnknownPins } from '../verb/gc-text.ts'
import { findOwner, type Owner, patienceMs, sayUnknown, watchOwner } from '../verb/owner.ts'
import { defineVerb, type Verb, type VerbContext } from '../verb/verb.ts'
import { changeStore, inspectAgain } from '../verb/with-store.ts'

/** What the store takes; its own errors name its own options. */
const TARGET_MIN = 1
const TARGET_MAX = 100
const RATE_BYTES_MIN = 4096

type CollectSettings = Omit<CollectOptions, 'signal' | 'onProgress'>

export const gc: Verb = defineVerb({
  usage: 'gc <path>',
  summary: 'Take back the space of garbage in the value log',
  details:
    'Flushes, compacts and collects, round after round, until the space amplification is at its target. With ' +
    '--dry-run it changes nothing and shows all that: what the compaction will expose, and each round. With --json, ' +
    'too, it can be kept in a file and given to --plan, which compacts if that was foreseen, and carries out ' +
    'exactly the first round, or nothing if the files have changed since. If another process has the store open, ' +
    'that one is asked to do the work. Ctrl-C stops it in order; what is done by then stays done.',
  examples: [
    ['wisc gc photos.db --dry-run', 'What it would do'],
    ['wisc gc photos.db --target-amp 1.1 --rate 20MiB', 'More than by itself, at most 20 MiB/s'],
    ['wisc gc photos.db --segments 2,3', 'Only these files'],
    ['wisc gc photos.db --dry-run --json > plan.json', 'Keep the plan'],
    ['wisc gc photos.db --plan plan.json', 'Carry it out'],
  ],
  options: (command) =>
    command
      .positional('path', STORE_PATH)
      .option('dry-run', { type: 'boolean', default: false, describe: 'Only show the plan' })
      .option('target-amp', {
        type: 'string',
        requiresArg: true,
        describe: 'Stop at this space amplification, a number of 1 to 100 (default 1.3)',
      })
      .option('segments', {
        type: 'string',
        requiresArg: true,
        describe: 'Only these files, with commas',
      })
      .option('max-copy', {
        type: 'string',
        requiresArg: true,
        describe: 'Copy at most so many bytes of records, such as 1GiB; 0 copies none',
      })
      .option('rate', {
        type: 'string',
        requiresArg: true,
        describe: 'Read and write at most so many bytes a second, such as 20MiB; 4KiB at least',
      })
      .option('plan', { type: 'string', requiresArg: true, describe: 'Carry out this saved plan' })
      .option('bytes', EXACT_BYTES),
  run: async ({ path, dryRun, targetAmp, segments, maxCopy, rate, plan, bytes, json }, context) => {
    const { output } = context
    const settings: CollectSettings = {
      ...(targetAmp !== undefined && {
        targetSpaceAmplification: parseRatio(targetAmp, '--target-amp', TARGET_MIN, TARGET_MAX),
      }),
      ...(segments !== undefined && { segments: parseSegments(segments) }),
      ...(maxCopy !== undefined && { maxCopyBytes: parseBytes(maxCopy, '--max-copy') }),
      ...(rate !== undefined && { bytesPerSecond: parseAtLeast(rate, '--rate', RATE_BYTES_MIN) }),
    }
    const saved = plan === undefined ? undefined : readPlan(plan)
    if (
      saved &&
      (dryRun || targetAmp !== undefined || segments !== undefined || maxCopy !== undefined)
    ) {
      throw new UsageError('--plan says everything but the rate')
    }
    if (settings.segments) await checkSegments(path, settings.segments, context)
    if (dryRun) {
      const { plan: found, knowsPins } = await makeForecast(path, settings, context)
      if (json) await output.json(knowsPins ? found : withUnknownPins(found))
      else await output.write(renderPlan(found, knowsPins, bytes, output.columns))
      return EXIT_CODE.fine
    }
    const report = await carryOut(path, { ...settings, ...(saved && { plan: saved }) }, context)
    if (json) await output.json(toJson(report))
    else await output.write(renderReport(report, bytes, output))
    const [failure] = report.failed
    return failure ? exitCodeOf(toError(failure.error)) : EXIT_CODE.fine
  },
})

/** @throws UsageError if the store has no file with one of these segments */
async function checkSegments(
  path: string,
  asked: readonly number[],
  context: VerbContext,
): Promise<void> {
  const files = await inspectAgain(path, context, async (store) => store.segments())
  const known = new Set(files.flatMap(({ id, segments }) => [id, ...segments]))
  const unknown = asked.filter((number) => !known.has(number))
  if (unknown.length === 0) return
  throw new UsageError(`the store has no such segment: ${unknown.join(', ')}; see wisc segments`)
}

/** What a collection would do, and whether what readers of the owner pin is known. */
interface Forecast {
  readonly plan: CollectionForecast
  readonly knowsPins: boolean
}

async function makeForecast(
  path: string,
  { targetSpaceAmplification: target, segments, maxCopyBytes }: CollectSettings,
  context: VerbContext,
): Promise<Forecast> {
  const { progress, signal } = context
  progress.note('planning')
  const found = await findOwner(path, context)
  const owner = found?.client && (await factsOf(found.client, context))
  if (found && !owner) sayUnknown(found, context)
  const readers = (owner && found?.readers?.map(({ sequence }) => sequence)) ?? []
  const wishes = { target, segments, maxCopyBytes }
  const plan = await inspectAgain(path, context, (store) =>
    forecastCollection(store, wishes, { owner, readers, signal }),
  )
  return { plan, knowsPins: found === undefined || owner !== undefined }
}

/** How the owner has the store open. @returns undefined if it does not answer any more */
async function factsOf(
  client: ControlClient,
  { signal }: VerbContext,
): Promise<OwnerFacts | undefined> {
  try {
    return await client.ask('owner', { signal, patienceMs: patienceMs() })
  } catch (error) {
    if (signal.aborted || !(error instanceof WiscError)) throw error
    return undefined
  } finally {
    client.close()
  }
}

async function carryOut(
  path: string,
  options: CollectSettings & { readonly plan?: CollectionPlan },
  context: VerbContext,
): Promise<CollectionReport> {
  const { progress, signal } = context
  const onProgress = (state: CollectionProgress): void => progress.note(progressText(state))
  try {
    // What it does is asked for, not what the collector would do by itself.
    const settings = { collector: { enabled: false } }
    return await changeStore(path, settings, context, (store) =>
      store.collect({ ...options, signal, onProgress }),
    )
  } catch (error) {
    if (!(error instanceof WiscError) || error.code !== 'WISC_LOCKED') throw error
    const owner = await findOwner(path, context)
    if (!owner) throw error
    return askOwner(path, owner, context, (client) =>
      client.ask('collect', { options: withoutWords(options), signal, onProgress }),
    )
  }
}

/** @throws WISC_LOCKED if it does not answer, InUseError if it closes the store meanwhile */
async function askOwner<T>(
  path: string,
  { client, silence }: Owner,
  context: VerbContext,
  ask: (client: ControlClient) => Promise<T>,
): Promise<T> {
  if (!client) throw new WiscError('WISC_LOCKED', `${silence}; it has the store open`)
  try {
    return await watchOwner(path, context, ask(client))
  } catch (error) {
    if (!(error instanceof WiscError) || error.code !== 'WISC_NOT_OPEN') throw error
    throw new InUseError(
      'the process that has the store open closes it, or has ended; what is done by then stays done: run gc again',
    )
  } finally {
    client.close()
    context.progress.clear()
  }
}

/** What a saved plan says only to people would not fit into a request. */
function withoutWords({ plan, ...options }: CollectSettings & { plan?: CollectionPlan }): object {
  return { ...options, ...(plan && { plan: { ...plan, skipped: [] } }) }
}

function progressText({
  phase,
  share,
  stepsDone,
  steps,
  bytesFreed,
  bytesCopied,
}: CollectionProgress): string {
  const count = steps > 0 ? ` ${stepsDone}/${steps}` : ''
  const part = share > 0 ? ` (${Math.floor(share * 100)} %)` : ''
  const freed = formatBytes(bytesFreed, false)
  return `gc: ${phase}${count}${part}, ${freed} freed, ${formatBytes(bytesCopied, false)} copied`
}

function readPlan(file: string): CollectionPlan {
  let text: string
  try {
    text = fs.readFileSync(file, 'utf8')
  } catch (error) {
    throw new UsageError(`the plan cannot be read: ${(error as Error).message}`)
  }
  try {
    return JSON.parse(text) as CollectionPlan
  } catch {
    throw new UsageError(`the plan is not JSON: ${file}`)
  }
}

/** Errors that have come through the socket are plain. */
function toError(error: Pick<WiscError, 'code' | 'message'>): WiscError {
  return error instanceof WiscError ? error : new WiscError(error.code, error.message)
}

/** See tools/schema/gc.json. */
function toJson(report: CollectionReport): object {
  const failed = report.failed.map(({ error, ...step }) => ({
    ...step,
    ...errorReport(toError(error)),
  }))
  return { ...report, failed }
}
