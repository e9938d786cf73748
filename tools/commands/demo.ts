/** `wisc demo`: keeps every file of a directory tree in a store and proves that it can be read back. */
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { UsageError } from '../terminal/exit-code.ts'
import { runDemo } from '../verb/demo.ts'
import { defineVerb, PACKAGE_ROOT, type Verb } from '../verb/verb.ts'

export const demo: Verb = defineVerb({
  usage: 'demo [directory]',
  summary: 'Store every file of a directory tree, read it back and compare every byte',
  details: 'The files are only read. The exit code is 4 if a byte differs.',
  examples: [
    ['wisc demo', 'The packages that are installed here'],
    ['wisc demo photos --keep photos.db', 'Keep the store'],
  ],
  options: (command) =>
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
  run: ({ directory = installedPackages(), keep, json }, context) =>
    runDemo({ directory, keep, json }, context),
})

/** The installed packages: of the project here, else those that this command itself runs with. */
function installedPackages(): string {
  const candidates = [process.cwd(), fileURLToPath(PACKAGE_ROOT)].map((root) =>
    path.join(root, 'node_modules'),
  )
  const found = candidates.find((candidate) => fs.existsSync(candidate))
  if (found === undefined) throw new UsageError('no node_modules here: name a directory')
  return found
}
