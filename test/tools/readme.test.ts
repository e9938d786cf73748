/** The example of the command in the README prints what it says. */
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { runShell, WISC } from '../support/processes/wisc-shell.ts'

test.skipIf(process.platform === 'win32')('the example runs', () => {
  const readme = fs.readFileSync(path.join(import.meta.dirname, '../../README.md'), 'utf8')
  const block = /^```console\n([\s\S]*?)^```$/m.exec(readme)![1]!
  const steps = block.split(/^\$ /m).slice(1)
  expect(steps.length).toBeGreaterThan(5)
  const directory = temporaryDirectory()
  for (const step of steps) {
    const [line, ...shown] = step.split('\n')
    const { out } = runShell(`wisc() { ${WISC} "$@"; }; cd '${directory}'; { ${line}; } 2>&1`)
    expect(out.replace(/([^\n])$/, '$1\n'), line).toBe(shown.join('\n'))
  }
})
