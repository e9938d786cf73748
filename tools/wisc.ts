#!/usr/bin/env node
/**
 * The wisc command: reads the command line and runs one verb.
 *
 * Exit codes: 0 fine, 1 unexpected error, 2 usage, 4 mismatch or corruption, 5 input or output, 130 interrupted.
 * Results go to standard output as plain text, everything else to standard error.
 */
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import yargs from 'yargs'
import { hideBin } from 'yargs/helpers'
import { runDemo } from './demo.ts'
import { EXIT_CODE, exitCodeOf, messageOf, UsageError } from './exit-code.ts'

const PACKAGE_ROOT = fileURLToPath(new URL('../..', import.meta.url))

function packageVersion(): string {
  const text = fs.readFileSync(path.join(PACKAGE_ROOT, 'package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** The installed packages: of the project here, else those that this command itself runs with. */
function installedPackages(): string {
  const candidates = [process.cwd(), PACKAGE_ROOT].map((root) => path.join(root, 'node_modules'))
  const found = candidates.find((candidate) => fs.existsSync(candidate))
  if (found === undefined) throw new UsageError('no node_modules here: name a directory')
  return found
}

/** Fires at the first Ctrl-C, so that what was begun can be taken back; the second one ends at once. */
function interruptSignal(): AbortSignal {
  const controller = new AbortController()
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(EXIT_CODE.interrupted)
    controller.abort()
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal)
  return controller.signal
}

async function main(): Promise<void> {
  await yargs(hideBin(process.argv))
    .scriptName('wisc')
    .command(
      'demo [directory]',
      'Store every file of a directory tree, read it back and compare every byte',
      (command) =>
        command
          .positional('directory', {
            type: 'string',
            describe: 'The directory; by default node_modules here',
          })
          .option('keep', {
            type: 'string',
            requiresArg: true,
            describe: 'Keep the store in this new directory',
          }),
      async ({ directory, keep }) => {
        process.exitCode = await runDemo({
          directory: directory ?? installedPackages(),
          keep,
          signal: interruptSignal(),
        })
      },
    )
    .demandCommand(1, 'name a verb')
    .strict()
    .version(packageVersion())
    .help()
    .exitProcess(false)
    .fail((message, error: Error | undefined) => {
      // Its own errors are those of the command line as well.
      if (error && error.name !== 'YError') throw error
      throw new UsageError(`${message ?? error?.message}; see wisc --help`)
    })
    .parseAsync()
}

// A reader that has seen enough, such as head, is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})
try {
  await main()
} catch (error) {
  process.stderr.write(`wisc: ${messageOf(error)}\n`)
  process.exitCode = exitCodeOf(error)
}
