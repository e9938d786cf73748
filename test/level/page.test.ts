/** The programs of docs/level.md run: that which copies a database of classic-level, with what comes of it. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { ClassicLevel } from 'classic-level'
import { expect, test } from 'vitest'
import { WiscLevel } from 'wisc/level'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'

const ROOT = path.join(import.meta.dirname, '../..')
const page = fs.readFileSync(path.join(ROOT, 'docs/level.md'), 'utf8')
const programs = [...page.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map((match) => match[1]!)

test.each(programs.map((_, i) => i))('program %i', async (i) => {
  const directory = temporaryDirectory()
  const old = new ClassicLevel(path.join(directory, 'old-db'))
  const entries = Array.from({ length: 2500 }, (_, n): [string, string] => [`key ${n}`, `${n}`])
  await old.batch(entries.map(([key, value]) => ({ type: 'put', key, value })))
  await old.close()
  // From here, where `wisc` is this package; Node 20 knows no `await using`.
  const program = programs[i]!.replaceAll(
    "'./",
    `'${JSON.stringify(directory).slice(1, -1)}/`,
  ).replace('await using', 'const')
  const options = { cwd: ROOT, input: program, encoding: 'utf8' } as const
  const { stderr, status } = spawnSync(process.execPath, ['--input-type=module'], options)
  expect([status, stderr]).toEqual([0, ''])
  const isCopy = program.includes('new-db')
  const made = new WiscLevel(path.join(directory, isCopy ? 'new-db' : 'db'))
  await made.open({ createIfMissing: false })
  expect(await made.iterator().all()).toEqual(isCopy ? entries.toSorted() : [])
  await made.close()
})
