/**
 * The wisc command: reads the command line and runs one verb (verb.ts, commands/).
 *
 * Results go to standard output, everything else to standard error. The exit codes are those of exit-code.ts.
 */
import fs from 'node:fs'
import yargs, { type Argv } from 'yargs'
import { toJson } from './terminal/escape.ts'
import {
  EXIT_CODE,
  errorReport,
  exitCodeOf,
  InterruptedError,
  messageOf,
  type Program,
  UsageError,
} from './terminal/exit-code.ts'
import { helpColumns, Output } from './terminal/output.ts'
import { Progress } from './terminal/progress.ts'
import { PARSER, protectWords, restoreText, restoreWords } from './terminal/words.ts'
import { unknownVerb, usageMessage } from './usage-message.ts'
import { examplesText, helpWords } from './verb/help.ts'
import { type Act, PACKAGE_ROOT, type Verb } from './verb/verb.ts'
import { loadVerbs, VERB_NAMES } from './verbs.ts'

/** How a shell takes the script. */
const COMPLETION = 'eval "$(wisc completion)"'
const COMPLETION_EXAMPLES = [
  [COMPLETION, 'In this shell'],
  ['wisc completion >> ~/.bashrc', 'In every one'],
] as const

const EPILOGUE = `Exit codes: ${[
  `${EXIT_CODE.fine} fine`,
  `${EXIT_CODE.notFound} key not found`,
  `${EXIT_CODE.usage} usage or no store`,
  `${EXIT_CODE.locked} locked or in use`,
  `${EXIT_CODE.corruption} corruption or unknown format`,
  `${EXIT_CODE.io} input, output, a full disk and the rest`,
  `${EXIT_CODE.interrupted} interrupted`,
].join(', ')}.`

function program(): Program {
  return JSON.parse(fs.readFileSync(new URL('package.json', PACKAGE_ROOT), 'utf8')) as Program
}

/** Fires at the first Ctrl-C, so that the verb can stop in order; the second one ends at once. */
function interruptSignal(progress: Progress): AbortSignal {
  const controller = new AbortController()
  const onSignal = (): void => {
    if (controller.signal.aborted) {
      progress.clear()
      process.exit(EXIT_CODE.interrupted)
    }
    controller.abort()
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal)
  return controller.signal
}

function commandLine(words: readonly string[], verbs: readonly Verb[], act: Act): Argv {
  const root = yargs(protectWords(words))
    .scriptName('wisc')
    .locale('en')
    .usage('wisc <verb>\n\nLooks inside a wisc database, and changes it.')
    .parserConfiguration(PARSER)
    .middleware(restoreWords, true)
  for (const verb of verbs) verb.register(root, act)
  return root
    .completion('completion', `Print a script for the shell: ${COMPLETION}`)
    .demandCommand(1, 'name a verb')
    .strict()
    .version(program().version)
    .help()
    .alias('help', 'h')
    .epilogue(EPILOGUE)
    .wrap(helpColumns())
    .exitProcess(false)
    .fail((message, error: Error | undefined) => {
      // Its own errors are those of the command line as well.
      if (error && error.name !== 'YError') throw error
      const text = restoreText(message ?? error?.message)
      throw new UsageError(usageMessage(text, verbs, optionNames(root)))
    })
}

/** The long ones that the parser knows by now. Its types do not know that it tells. */
function optionNames(root: Argv): string[] {
  const { key } = (root as unknown as { getOptions(): { key: object } }).getOptions()
  return Object.keys(key).filter((name) => name.length > 1)
}

/** yargs shows the help of all verbs for one that it does not know. */
function checkVerb([first = '-']: readonly string[]): void {
  if (!first.startsWith('-') && !VERB_NAMES.includes(first))
    throw new UsageError(unknownVerb(first))
}

/** yargs prints its script whatever else is asked for. @returns its help if that is asked for */
async function completionHelp([first, ...others]: readonly string[]): Promise<string | undefined> {
  if (first !== 'completion' || others.length === 0) return undefined
  if (others.every((word) => word === '--help' || word === '-h')) {
    return yargs([])
      .scriptName('wisc')
      .locale('en')
      .usage('wisc completion\n\nPrint a script that lets the shell complete verbs and options.')
      .version(false)
      .help()
      .alias('help', 'h')
      .epilogue(examplesText(COMPLETION_EXAMPLES, helpColumns()))
      .wrap(helpColumns())
      .getHelp()
  }
  throw new UsageError(`completion takes nothing, and prints a script for the shell: ${COMPLETION}`)
}

/** Also of a command line that makes no sense otherwise. */
function wantsJson(words: readonly string[]): boolean {
  const end = words.indexOf('--')
  return words.slice(0, end < 0 ? words.length : end).includes('--json')
}

async function main(typed: readonly string[]): Promise<void> {
  const words = helpWords(typed)
  const progress = new Progress()
  const signal = interruptSignal(progress)
  const act: Act = async (work) => {
    process.exitCode = await work({ output: new Output(signal), progress, signal })
  }
  try {
    checkVerb(words)
    const help = await completionHelp(words)
    if (help !== undefined) await new Output(signal).write(`${help}\n`)
    else await commandLine(words, await loadVerbs(words), act).parseAsync()
  } catch (thrown) {
    const isInterrupted = signal.aborted && exitCodeOf(thrown) === EXIT_CODE.interrupted
    const error = isInterrupted ? new InterruptedError('interrupted') : thrown
    const text = wantsJson(words)
      ? toJson(errorReport(error))
      : `wisc: ${messageOf(error, program())}`
    const code = exitCodeOf(error)
    process.exitCode = code
    progress.clear()
    await new Promise((resolve) => process.stderr.write(`${text}\n`, resolve))
    // A reader that never reads would hold the process for ever.
    if (code === EXIT_CODE.interrupted) process.exit()
  }
}

// Nobody is there any more to be told.
process.stderr.on('error', () => undefined)
await main(process.argv.slice(2))
