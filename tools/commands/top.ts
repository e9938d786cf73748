/** `wisc top`: a store that another process has open, second by second. */
import { performance } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { type Stats, WiscError } from '../../lib/index.ts'
import { SilentOwnerError } from '../../lib/inspect/owner/control-client.ts'
import { EXIT_CODE, InterruptedError } from '../terminal/exit-code.ts'
import { LiveScreen } from '../terminal/live-screen.ts'
import { countOf, STORE_PATH } from '../verb/arguments.ts'
import { connectOwner, findOwner, patienceMs } from '../verb/owner.ts'
import { renderLine, renderScreen, type Sample, toSample } from '../verb/top-sample.ts'
import { defineVerb, type Verb, type VerbContext } from '../verb/verb.ts'

const INTERVAL_MS = 1000
/** A process that answered a second ago may be busy for longer than one that is only looked for. */
const PATIENCES = 5
const CONTROL_C = '\x03'

type Show = (sample: Sample) => Promise<void> | void

export const top: Verb = defineVerb({
  usage: 'top <path>',
  summary: 'Watch a store that another process has open',
  details:
    'Asks it each second through its control socket: rates, amplification, garbage, segments, collector, stalls. ' +
    'q or Ctrl-C ends it. Without a terminal it prints a line a second; with --json an object a line.',
  examples: [
    ['wisc top photos.db', 'On a terminal'],
    ['wisc top photos.db --count 3 >> photos.log', 'Three lines, one a second'],
    ['wisc top photos.db --count 2 --json | jq .rates', 'For programs'],
  ],
  options: (command) =>
    command
      .positional('path', STORE_PATH)
      .option('count', { type: 'number', requiresArg: true, describe: 'End after so many times' }),
  run: async ({ path, count, json }, context) => {
    const { output } = context
    const times = count === undefined ? Number.POSITIVE_INFINITY : countOf(count, '--count')
    if (output.isTerminal && !json) await watchOnScreen(path, times, context)
    else {
      const show: Show = (sample) => (json ? output.json(sample) : output.write(renderLine(sample)))
      if (await watch(path, times, context, context.signal, show)) sayClosed(context)
    }
    return EXIT_CODE.fine
  },
})

async function watchOnScreen(path: string, times: number, context: VerbContext): Promise<void> {
  const { output } = context
  const ended = new AbortController()
  const screen = new LiveScreen((key) => {
    if (key === 'q' || key === 'Q') ended.abort()
    if (key === CONTROL_C) ended.abort(new InterruptedError('interrupted'))
  })
  const signal = AbortSignal.any([context.signal, ended.signal])
  let isOpen = false
  let isClosed = false
  try {
    isClosed = await watch(path, times, context, signal, (sample) => {
      // Not before there is something to show: what goes wrong until then is said as ever.
      if (!isOpen) screen.open()
      isOpen = true
      screen.draw(renderScreen(path, sample, output), output.columns)
    })
  } catch (error) {
    if (ended.signal.reason instanceof InterruptedError) throw ended.signal.reason
    if (!ended.signal.aborted) throw error
  } finally {
    if (isOpen) screen.close()
  }
  if (isClosed) sayClosed(context)
}

function sayClosed({ progress }: VerbContext): void {
  progress.say('the store was closed')
}

/** Shows a sample each second. @returns true if the store was closed. @throws InterruptedError if the signal fires */
async function watch(
  path: string,
  times: number,
  context: VerbContext,
  signal: AbortSignal,
  show: Show,
): Promise<boolean> {
  const { output } = context
  const owner = await connectOwner(path, context)
  let before: { readonly stats: Stats; readonly at: number } | undefined
  try {
    for (let time = 1; ; time++) {
      const stats = await owner.ask('stats', { signal, patienceMs: PATIENCES * patienceMs() })
      const at = performance.now()
      await show(toSample(stats, before?.stats, before && (at - before.at) / 1000))
      if (time >= times || output.isClosed) return false
      before = { stats, at }
      await setTimeout(INTERVAL_MS, undefined, { signal })
    }
  } catch (error) {
    if (signal.aborted) throw new InterruptedError('interrupted')
    if (error instanceof SilentOwnerError) throw await silence(path, context)
    if (!(error instanceof WiscError) || error.code !== 'WISC_NOT_OPEN') throw error
    return true
  } finally {
    owner.close()
  }
}

/** The owner has stopped answering. */
async function silence(path: string, context: VerbContext): Promise<Error> {
  const found = await findOwner(path, context)
  found?.client?.close()
  return new WiscError('WISC_LOCKED', found?.silence ?? 'the store was closed')
}
