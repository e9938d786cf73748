/**
 * Runs what others have built on abstract-level, on wisc/level as it is packed: `node test/consumers/run.mjs`, after a
 * build. No part of `npm test`: it installs some 250 packages, in a directory of its own. docs/level.md says what came
 * of it. `UNSTORAGE` names a clone of unstorage, of which the suite of drivers is run, too: it is not published.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const HERE = dirname(fileURLToPath(import.meta.url))
const ROOT = join(HERE, '../..')
const PROGRAMS = {
  quadstore: ['quadstore.mjs'],
  'y-leveldb': ['y-leveldb.mjs'],
  'level-read-stream': ['streams.mjs'],
  keyv: ['node_modules/vitest/vitest.mjs', 'run', 'keyv.test.mjs'],
  'blockstore-level, datastore-level': [
    'node_modules/mocha/bin/mocha.js',
    '--reporter',
    'dot',
    'ipfs.mjs',
  ],
}

const { UNSTORAGE } = process.env
if (UNSTORAGE) PROGRAMS.unstorage = ['node_modules/vitest/vitest.mjs', 'run', 'unstorage.test.mjs']

const directory = mkdtempSync(join(tmpdir(), 'wisc-consumers-'))
const npm = (cwd, ...words) =>
  execFileSync('npm', words, { cwd, encoding: 'utf8', shell: process.platform === 'win32' })
let failed = 0
try {
  cpSync(HERE, directory, { recursive: true })
  // It asks for the sources of its package: in their place is what hands on the package as it is published.
  const suite = 'test/drivers/utils.ts'
  if (UNSTORAGE) cpSync(join(UNSTORAGE, suite), join(directory, 'unstorage', suite))
  const packed = npm(ROOT, 'pack', '--ignore-scripts', '--silent', '--pack-destination', directory)
  npm(directory, 'install', '--ignore-scripts', '--no-audit', '--no-fund', `./${packed.trim()}`)
  for (const [name, words] of Object.entries(PROGRAMS)) {
    const { status, stdout, stderr } = spawnSync(process.execPath, words, {
      cwd: directory,
      encoding: 'utf8',
    })
    const [tests = ''] = [...stdout.matchAll(/ *\d+ pass(?:ing|ed)/g)].at(-1) ?? []
    process.stdout.write(`${status === 0 ? 'runs' : 'FAILS'}: ${name}${tests}\n`)
    if (status === 0) continue
    failed++
    process.stdout.write(`${stdout}${stderr}`)
  }
} finally {
  rmSync(directory, { recursive: true, force: true })
}
process.exitCode = failed === 0 ? 0 : 1
