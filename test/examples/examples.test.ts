/** The examples run as they are, and print what they should. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'

const EXAMPLES = path.join(import.meta.dirname, '../../examples')

const PRINTED: Readonly<Record<string, readonly string[]>> = {
  'cache.mjs': [
    'asked 4 times, hits 1 misses 4',
    '10 MB went through true true',
    'after a restart: the last is there 1 the first was evicted 1',
    '100000 true',
  ],
  'document-store.mjs': [
    'in London: ada (London), alan (London)',
    'in Erlangen: nobody',
    'born 1850 to 1950: emmy (Bryn Mawr), alan (London)',
    'the youngest first: alan (London), emmy (Bryn Mawr), ada (London)',
    'papers of emmy: 20',
  ],
}

/** From its own place, where `wisc` is this package. */
function run(name: string, directory: string): ReturnType<typeof spawnSync> {
  return spawnSync(process.execPath, [path.join(EXAMPLES, name), directory], { encoding: 'utf8' })
}

test('each has a test', () => {
  const tests = fs
    .readdirSync(import.meta.dirname)
    .map((name) => fs.readFileSync(path.join(import.meta.dirname, name), 'utf8'))
    .join('\n')
  const untested = fs.readdirSync(EXAMPLES).filter((name) => !tests.includes(`'${name}'`))
  expect(untested).toEqual([])
})

test.each(Object.keys(PRINTED))('%s', (name) => {
  const { status, stdout, stderr } = run(name, temporaryDirectory())
  expect([status, stderr]).toEqual([0, ''])
  expect(String(stdout).trim().split('\n')).toEqual(PRINTED[name])
})
