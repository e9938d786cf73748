/**
 * Installs, builds and bundles what is not installed, built and bundled yet; every npm script begins with it.
 *
 * Plain JavaScript without dependencies, since nothing is installed when it runs first. It installs when
 * node_modules is not what package-lock.json asks for, and lets the compiler find out what is to be built.
 * No install script of a package runs: those that hold native code bring it ready-made, all but zstd-napi, which is
 * compiled when it is asked for.
 *
 *   node scripts/setup.mjs [--install-only] [--codec] [PROJECT...]     by default every project is built
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const NODE_NEEDED = [20, 19]
/** Compiling takes about 45 s. */
const CODEC_MS_MAX = 90_000

/** Ends this process with the status of a failed command. */
function endIfFailed(result) {
  if (result.error) throw result.error
  if (result.status !== 0) process.exit(result.status ?? 1)
}

function run(command, commandArguments) {
  endIfFailed(spawnSync(command, commandArguments, { cwd: ROOT, stdio: 'inherit' }))
}

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  const [majorNeeded, minorNeeded] = NODE_NEEDED
  if (major > majorNeeded || (major === majorNeeded && minor >= minorNeeded)) return
  process.stderr.write(
    `wisc needs Node ${NODE_NEEDED.join('.')} or later, found=${process.versions.node}\n`,
  )
  process.exit(1)
}

function packagesOf(lockfile) {
  return JSON.parse(readFileSync(join(ROOT, lockfile), 'utf8')).packages
}

/** Whether every package of the lockfile is there, in its version. Optional ones depend on the platform. */
function isInstalled() {
  if (!existsSync(join(ROOT, 'node_modules/.package-lock.json'))) return false
  const installed = packagesOf('node_modules/.package-lock.json')
  return Object.entries(packagesOf('package-lock.json')).every(([path, wanted]) => {
    if (path === '') return true
    const found = installed[path]
    if (!found) return wanted.optional === true
    return found.version === wanted.version && existsSync(join(ROOT, path))
  })
}

/** Inside `npm test` the running npm is known; otherwise it is looked up, on Windows through a shell. */
function npm(npmArguments, options) {
  const path = process.env.npm_execpath
  const given = { cwd: ROOT, stdio: 'inherit', ...options }
  if (path?.endsWith('.js')) return spawnSync(process.execPath, [path, ...npmArguments], given)
  return spawnSync('npm', npmArguments, { ...given, shell: process.platform === 'win32' })
}

function install() {
  endIfFailed(npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund']))
}

/**
 * Compiles zstd-napi, which only tests of compression need. Its install script would try a download first, and wait
 * minutes for it where there is no network. Without a compiler those tests are left out, or use what Node has.
 */
function compileCodec() {
  if (existsSync(join(ROOT, 'node_modules/zstd-napi/build/Release/binding.node'))) return
  const env = { ...process.env, npm_config_build_from_source: 'true' }
  const options = { stdio: 'ignore', timeout: CODEC_MS_MAX, env }
  process.stdout.write('compiling zstd-napi\n')
  if (npm(['rebuild', 'zstd-napi'], options).status === 0) return
  process.stdout.write(
    'zstd-napi is not compiled: compression is tested by what Node has, if it has\n',
  )
}

requireNode()
if (!isInstalled()) install()
if (process.argv.includes('--codec')) compileCodec()
if (!process.argv.includes('--install-only')) {
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
  const projects = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
  run(process.execPath, [compiler, '--build', ...projects])
  // A process of its own: the bundler is not there before the installation.
  run(process.execPath, [join(ROOT, 'scripts/bundle.mjs')])
}
