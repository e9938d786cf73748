/**
 * A verb of the command: one file of tools/commands each, all of this shape. To add one, write its file, and name it in
 * verbs.ts.
 *
 * `run` does the work and gives the exit code. It writes results through `context.output`: JSON if `json` is set, else
 * text. It throws what goes wrong; exit-code.ts knows the rest.
 */
import type { ArgumentsCamelCase, Argv } from 'yargs'
import { helpColumns, type Output } from '../terminal/output.ts'
import type { Progress } from '../terminal/progress.ts'
import { type Example, examplesText } from './help.ts'

/** The package, from dist/lib/bundle, where this is bundled. */
export const PACKAGE_ROOT: URL = new URL('../../../', import.meta.url)

/** What a verb has around it. */
export interface VerbContext {
  readonly output: Output
  readonly progress: Progress
  /** Fires at Ctrl-C. */
  readonly signal: AbortSignal
}

interface VerbParts<O> {
  /** The verb and its arguments, such as `get <path> <key>`. */
  readonly usage: string
  readonly summary: string
  /** More for --help, in whole sentences. */
  readonly details?: string
  readonly examples: readonly Example[]
  readonly options: (command: Argv) => Argv<O>
  readonly run: (
    given: ArgumentsCamelCase<O> & { readonly json: boolean },
    context: VerbContext,
  ) => Promise<number>
}

export type Act = (work: (context: VerbContext) => Promise<number>) => Promise<void>

export interface Verb {
  /** As in {@link VerbParts}. */
  readonly usage: string
  readonly examples: readonly Example[]
  /** Adds the verb to the command line; `act` is called if it is the one that was named. */
  readonly register: (command: Argv, act: Act) => Argv
}

export function defineVerb<O>(parts: VerbParts<O>): Verb {
  const build = (command: Argv): Argv<O & { readonly json: boolean }> => {
    command.usage(
      `wisc ${parts.usage}\n\n${parts.summary}.${parts.details ? ` ${parts.details}` : ''}`,
    )
    command.epilogue(examplesText(parts.examples, helpColumns()))
    return parts
      .options(command)
      .option('json', { type: 'boolean', default: false, describe: 'Print JSON, errors too' })
  }
  return {
    usage: parts.usage,
    examples: parts.examples,
    register: (command, act) =>
      command.command(parts.usage, parts.summary, build, (given) =>
        act((context) => parts.run(given as ArgumentsCamelCase<O> & { json: boolean }, context)),
      ),
  }
}
