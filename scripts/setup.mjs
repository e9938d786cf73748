/**
 * Installs, builds and bundles what is not installed, built and bundled yet; every npm script begins with it.
 *
 * Plain JavaScript without dependencies, since nothing is installed when it runs first. It installs when
 * node_modules is not what package-lock.json asks for, and lets the compiler find out what is to be built.
 * No install script of a package runs: those that hold native code bring it ready-made, all but zstd-napi, which
 * nothing needs but tests of compression: it is compiled here, where a compiler is.
 *
 *   node scripts/setup.mjs [--install-only | --codec | PROJECT]     by default every project is built
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const NODE_NEEDED = [20, 19]
/** Compiling takes about 45 s. */
const CODEC_STEP_MS = 100_000

/** Ends this process with the status of a failed command. */
function run(command, commandArguments, options) {
  const result = spawnSync(command, commandArguments, { cwd: ROOT, stdio: 'inherit', ...options })
  if (result.error) throw result.error
  if (result.status !== 0) process.exit(result.status ?? 1)
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

function install() {
  const installArguments = ['ci', '--ignore-scripts', '--no-audit', '--no-fund']
  // Inside `npm test` the running npm is known; otherwise it is looked up, on Windows through a shell.
  const npm = process.env.npm_execpath
  if (npm?.endsWith('.js')) run(process.execPath, [npm, ...installArguments])
  else run('npm', installArguments, { shell: process.platform === 'win32' })
}

/** Its install script would try a download first, and wait minutes for it where there is no network. */
function installCodec() {
  const { peerDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  const steps = [
    ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund'],
    ['rebuild', '--build-from-source'],
  ]
  const names = [`zstd-napi@${peerDependencies['zstd-napi']}`, 'zstd-napi']
  for (const [i, step] of steps.entries()) {
    const options = { cwd: ROOT, stdio: 'ignore', timeout: CODEC_STEP_MS }
    const result = spawnSync(npm, [...step, names[i]], options)
    if (result.status === 0) continue
    process.stdout.write('zstd-napi is not here: tests of compression need it, or Node 22.15\n')
    return
  }
}

requireNode()
if (!isInstalled()) install()
if (process.argv.includes('--codec')) installCodec()
else if (!process.argv.includes('--install-only')) {
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
  run(process.execPath, [compiler, '--build', ...process.argv.slice(2)])
  // A process of its own: the bundler is not there before the installation.
  run(process.execPath, [join(ROOT, 'scripts/bundle.mjs')])
}
