/**
 * Tries the package as it is packed: `node test/package/run.mjs [PART...]`, after a build; parts are those of PARTS. No
 * part of `npm test`: it installs bundlers, test runners, compilers and three versions of Node, in a directory of its
 * own. docs/platforms.md says what came of it.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const HERE = dirname(fileURLToPath(import.meta.url))
const ROOT = join(HERE, '../..')
const PROGRAMS = ['import.mjs', 'require.cjs', 'threads.mjs', 'cluster.mjs']
const INSTALLS = [
  [],
  ['--ignore-scripts'],
  ['--omit=optional'],
  ['--ignore-scripts', '--omit=optional'],
]
const NODES = ['node-20', 'node-22', 'node-24']
const TEXT_MAX = 4000
const NATIVE = ['xxhash-addon', 'fs-native-extensions']

const directory = mkdtempSync(join(tmpdir(), 'wisc-package-'))
let failed = 0

function npm(cwd, ...words) {
  const options = { cwd, encoding: 'utf8', shell: process.platform === 'win32' }
  return execFileSync('npm', [...words, '--no-audit', '--no-fund'], options)
}

function report(what, isFine, text) {
  process.stdout.write(`${isFine ? 'runs' : 'FAILS'}: ${what}\n`)
  if (isFine) return
  failed++
  // A bundle that fails may quote itself.
  process.stdout.write(`${String(text).slice(-TEXT_MAX)}\n`)
}

/** @param expected what it prints among other things */
function run(what, cwd, [command, ...words], expected = '') {
  const { status, stdout, stderr } = spawnSync(command, words, { cwd, encoding: 'utf8' })
  report(what, status === 0 && stdout.includes(expected), `${stdout}${stderr}`)
}

/** Bytes of all files below a directory. */
function bytesOf(path) {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0)
}

/** As a user does it: an empty directory, one command. */
function tryInstall(packed, options) {
  const what = ['npm install', ...options].join(' ')
  const project = join(directory, `install${options.join('')}`)
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{ "private": true }')
  const began = performance.now()
  npm(project, 'install', ...options, packed)
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  const modules = join(project, 'node_modules')
  const { packages } = JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8'))
  const kilobytes = Math.round(bytesOf(modules) / 1000)
  const count = Object.keys(packages).length
  process.stdout.write(`${what}: ${count} packages, ${kilobytes} kB, ${seconds} s\n`)
  for (const name of ['smoke.cjs', ...PROGRAMS]) cpSync(join(HERE, name), join(project, name))
  for (const name of PROGRAMS) run(`${what}, ${name}`, project, [process.execPath, name], 'runs')
  const command = [process.execPath, join(modules, 'wisc/dist/bin/wisc.js')]
  run(`${what}, wisc put`, project, [...command, 'put', 'db', '--create', 'a', 'b'])
  run(`${what}, wisc get`, project, [...command, 'get', 'db', 'a'], 'b')
}

/** Without wisc in the bundle, as the page asks for it; and with it: it has no files for its threads, and says so. */
async function tryBundlers(project) {
  const { BUNDLERS } = await import(pathToFileURL(join(project, 'bundlers.mjs')))
  for (const [name, bundle] of Object.entries(BUNDLERS)) {
    for (const [how, external, expected] of [
      ['external', ['wisc'], 'import runs\n'],
      ['inside', NATIVE, 'mark "wisc" as external'],
    ]) {
      const what = `${name}, wisc ${how}`
      const out = join(project, `${name}-${how}`, 'program.mjs')
      try {
        await bundle({ entry: join(project, 'import.mjs'), external, out })
        run(what, project, [process.execPath, out], expected)
      } catch (error) {
        report(what, false, error)
      }
    }
  }
}

function tryRunners(project) {
  const modules = join(project, 'node_modules')
  const jest = [join(modules, 'jest/bin/jest.js'), '--testMatch', '**/jest.test.cjs']
  const vitest = [join(modules, 'vitest/vitest.mjs'), 'run', 'vitest.test.mjs']
  run('jest', project, [process.execPath, ...jest])
  run('vitest', project, [process.execPath, ...vitest])
}

/** Each compiler, as strict as can be: a project with the types of Node, of which its settings say nothing. */
function tryCompilers(project) {
  const compilers = { 'TypeScript 7': 'typescript/bin/tsc', 'TypeScript 5': 'typescript-5/bin/tsc' }
  const strict = ['--strict', '--noEmit', '--skipLibCheck', 'false', '--target', 'es2023']
  const modules = ['types.mts', 'types-commonjs.cts']
  for (const [name, path] of Object.entries(compilers)) {
    const compiler = [process.execPath, join(project, 'node_modules', path), ...strict]
    for (const module of ['nodenext', 'node16']) {
      run(`${name}, ${module}`, project, [...compiler, '--module', module, ...modules])
    }
    const bundled = ['--module', 'esnext', '--moduleResolution', 'bundler', 'types.mts']
    run(`${name}, bundler`, project, [...compiler, ...bundled])
  }
}

function tryNodes(project) {
  for (const name of NODES) {
    const node = join(project, 'node_modules', name, 'bin/node')
    const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()
    for (const program of PROGRAMS)
      run(`Node ${version}, ${program}`, project, [node, program], 'runs')
  }
}

function tryLints(project, packed) {
  const modules = join(project, 'node_modules')
  const attw = [join(modules, '@arethetypeswrong/cli/dist/index.js'), packed, '--profile', 'node16']
  run('publint', project, [
    process.execPath,
    join(modules, 'publint/src/cli.js'),
    packed,
    '--strict',
  ])
  run('are the types wrong', project, [process.execPath, ...attw])
}

/** What is tried in a project that has all of package.json, besides `installs`, which takes empty ones. */
const PARTS = {
  lints: tryLints,
  compilers: tryCompilers,
  bundlers: tryBundlers,
  runners: tryRunners,
  nodes: tryNodes,
}

try {
  const wanted = process.argv.slice(2)
  const isWanted = (part) => wanted.length === 0 || wanted.includes(part)
  const file = npm(ROOT, 'pack', '--ignore-scripts', '--silent', '--pack-destination', directory)
  const packed = join(directory, file.trim())
  process.stdout.write(`packed: ${Math.round(statSync(packed).size / 1000)} kB\n`)
  if (isWanted('installs')) for (const options of INSTALLS) tryInstall(packed, options)
  const parts = Object.keys(PARTS).filter(isWanted)
  const project = join(directory, 'tools')
  if (parts.length > 0) {
    cpSync(HERE, project, { recursive: true })
    npm(project, 'install', '--ignore-scripts', packed)
  }
  for (const part of parts) await PARTS[part](project, packed)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
process.exitCode = failed === 0 ? 0 : 1
