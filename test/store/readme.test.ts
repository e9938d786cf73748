/** The examples of the library in the README run, and print what their comments say. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'

const ROOT = path.join(import.meta.dirname, '../..')
const readme = fs.readFileSync(path.join(ROOT, 'README.md'), 'utf8')
/** Those that begin with what they import: others are parts of programs. That of streams needs a film (streams/). */
const examples = [...readme.matchAll(/^```js\n(import [\s\S]*?)^```$/gm)]
  .map((match) => match[1]!)
  .filter((text) => !text.includes('film.mp4'))

test('there are some', () => {
  expect(examples.length).toBeGreaterThan(2)
})

test.each(examples.map((_, i) => i))('example %i runs', (i) => {
  const example = examples[i]!
  const directory = JSON.stringify(temporaryDirectory()).slice(1, -1)
  // From here, where `wisc` is this package.
  const program = example.replaceAll("'./", `'${directory}/`)
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module'], {
    cwd: ROOT,
    input: program,
    encoding: 'utf8',
  })
  expect([status, stderr]).toEqual([0, ''])
  const said = [...example.matchAll(/^console\.log\(.*\) \/\/ (\[.*)$/gm)].map((match) => match[1])
  if (said.length > 0) expect(stdout.trim().split('\n')).toEqual(said)
})
