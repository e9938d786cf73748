/** The package as it is packed: small, whole, without a word to scripts, and programs run on it. */
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'

const ROOT = path.join(import.meta.dirname, '../..')
const PROGRAMS = ['import.mjs', 'require.cjs', 'threads.mjs', 'cluster.mjs']
/** Compressed: what makes it larger should be worth it. */
const PACKED_BYTES_MAX = 1_050_000

let directory: string
let tarball: string
/** What it unpacks to. */
let unpacked: string
let files: string[]

beforeAll(() => {
  directory = fs.mkdtempSync(path.join(tmpdir(), 'wisc-packed-'))
  const options = { cwd: ROOT, encoding: 'utf8', shell: process.platform === 'win32' } as const
  const words = ['pack', '--ignore-scripts', '--silent', '--pack-destination', directory]
  tarball = path.join(directory, execFileSync('npm', words, options).trim())
  execFileSync('tar', ['-xzf', tarball, '-C', directory])
  unpacked = path.join(directory, 'package')
  files = fs
    .readdirSync(unpacked, { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll(path.sep, '/'))
})

afterAll(() => fs.rmSync(directory, { recursive: true }))

/** A project that has installed it, with these of the packages that it may need. */
function project(packages: readonly string[]): string {
  const home = temporaryDirectory()
  const modules = path.join(home, 'node_modules')
  fs.mkdirSync(modules)
  fs.cpSync(unpacked, path.join(modules, 'wisc'), { recursive: true })
  for (const name of packages) {
    fs.symlinkSync(path.join(ROOT, 'node_modules', name), path.join(modules, name))
  }
  for (const name of ['smoke.cjs', ...PROGRAMS]) {
    fs.copyFileSync(path.join(import.meta.dirname, name), path.join(home, name))
  }
  return home
}

function run(cwd: string, ...words: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { cwd, encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, ''])
  return stdout
}

test('is small', () => {
  expect(fs.statSync(tarball).size).toBeLessThan(PACKED_BYTES_MAX)
})

test('pleases publint', async () => {
  const { messages, pkg } = await publint({ pkgDir: unpacked, strict: true, pack: false })
  expect(messages.map((message) => formatMessage(message, pkg!, { color: false }))).toEqual([])
})

test('needs two packages, neither of which has to be compiled', () => {
  const { dependencies, optionalDependencies } = JSON.parse(
    fs.readFileSync(path.join(unpacked, 'package.json'), 'utf8'),
  ) as Record<string, object>
  expect(Object.keys({ ...dependencies, ...optionalDependencies })).toEqual([
    'xxhash-addon',
    'fs-native-extensions',
  ])
})

test('has the licences of all that is bundled with the command', () => {
  const text = fs.readFileSync(path.join(unpacked, 'dist/lib/bundle/LICENSES.txt'), 'utf8')
  expect(text).toMatch(/^yargs 17[.\d]+\n\n.*MIT/ms)
  const code = files
    .filter((name) => /^dist\/lib\/bundle\/.*\.js$/.test(name))
    .map((name) => fs.readFileSync(path.join(unpacked, name), 'utf8'))
    .join('\n')
  const bundled = [...code.matchAll(/^\/\/ .*node_modules\/((?:@[^/]+\/)?[^/]+)/gm)]
  const missing = bundled.filter(([, name]) => !text.includes(`\n${name} `))
  expect(bundled.length).toBeGreaterThan(1)
  expect(missing).toEqual([])
})

test('links of its pages lead to what is packed', () => {
  const broken = files
    .filter((name) => name.endsWith('.md'))
    .flatMap((page) => {
      const text = fs.readFileSync(path.join(unpacked, page), 'utf8')
      const targets = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map((match) => match[1]!)
      return targets
        .filter((target) => !/^[a-z]+:/.test(target))
        .filter((target) => !fs.existsSync(path.join(unpacked, path.dirname(page), target)))
        .map((target) => `${page}: ${target}`)
    })
  expect(broken).toEqual([])
})

const REQUIRED = ['xxhash-addon']
const ALL = [...REQUIRED, 'fs-native-extensions']

test.each([
  ...PROGRAMS.map((program) => [program, 'with all packages', ALL] as const),
  ['import.mjs', 'without optional ones', REQUIRED] as const,
])('%s runs, %s', (program, _, packages) => {
  expect(run(project(packages), program)).toMatch(/runs\n$/)
})

test('the command runs without optional packages, and without those that it contains', () => {
  const home = project(REQUIRED)
  const command = path.join(home, 'node_modules/wisc/dist/bin/wisc.js')
  run(home, command, 'put', 'db', '--create', 'key', 'value')
  expect(run(home, command, 'get', 'db', 'key')).toBe('value')
  expect(run(home, command, 'get', '--help')).toMatch(/^wisc get <path> <key>\n\nWrite the value/)
})

/** What the compiler says of a small program where nothing has the types of Node. */
function compiled(...words: string[]): string[] {
  const home = project(REQUIRED)
  const program =
    "import { open } from 'wisc'\nconst store = await open('db')\nawait store.close()\n"
  fs.writeFileSync(path.join(home, 'program.mts'), program)
  const compiler = path.join(ROOT, 'node_modules/typescript/bin/tsc')
  const strict = ['--strict', '--noEmit', '--target', 'es2023', '--module', 'nodenext']
  const { stdout } = spawnSync(process.execPath, [compiler, ...strict, ...words, 'program.mts'], {
    cwd: home,
    encoding: 'utf8',
  })
  return stdout.split('\n').filter((line) => /\berror TS/.test(line))
}

test('without the types of Node the first call says so, though nobody checks declarations', () => {
  expect(compiled('--skipLibCheck')).toEqual([
    expect.stringMatching(/^program\.mts\(2,26\): .* the package @types\/node/),
  ])
  const told = compiled('--skipLibCheck', 'false')
  expect(told).toContainEqual(expect.stringMatching(/^program\.mts\(2,26\)/))
  expect(told).toContainEqual(expect.stringContaining("definition file for 'node'"))
})

test('the types of require have all that has a value, and classes as types', () => {
  const require = createRequire(path.join(ROOT, 'package.json'))
  for (const [name, types] of [
    ['wisc', 'dist/lib/index.d.cts'],
    ['wisc/level', 'dist/lib/level/wisc-level.d.cts'],
    ['wisc/keyv', 'dist/lib/keyv/keyv-wisc.d.cts'],
    ['wisc/unstorage', 'dist/lib/unstorage/wisc-driver.d.cts'],
  ] as const) {
    const { __esModule, ...exported } = require(name) as Record<string, unknown>
    const text = fs.readFileSync(path.join(unpacked, types), 'utf8')
    const declared = [...text.matchAll(/^export (?:declare const|\{ \w+ as) (\w+)/gm)].map(
      ([, one]) => one!,
    )
    const asTypes = [...text.matchAll(/^export type (\w+)/gm)].map(([, one]) => one!)
    expect(declared.toSorted(), name).toEqual(Object.keys(exported).toSorted())
    expect(asTypes.toSorted(), name).toEqual(
      declared.filter((one) => /^[A-Z]/.test(one)).toSorted(),
    )
  }
})
