/**
 * Packages that are no part of the project's set-up: they are those of bench/peers/package.json, and are installed
 * there when they are first asked for.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** Seen from dist/bench/harness. */
const PEERS: string = fileURLToPath(new URL('../../../bench/peers/', import.meta.url))
/** Packages without binaries of their own: their script downloads one, or compiles it, which takes a minute or two. */
const BUILT: Readonly<Record<string, string>> = {
  'better-sqlite3': 'build/Release/better_sqlite3.node',
}

/** @throws Error if it is not installed, or does not load on this machine */
export function loadPackage(name: string): unknown {
  return createRequire(path.join(PEERS, 'package.json'))(name)
}

/**
 * Installs those that are not there. No scripts run but those of packages that have to be built.
 * @returns why packages cannot be had, by their names
 */
export function installPackages(names: readonly string[]): Map<string, string> {
  const missing = new Map<string, string>()
  const wanted = [...new Set(names)]
  const absent = wanted.filter((name) => versionOf(name) === undefined)
  if (absent.length > 0) {
    console.error(`installing ${absent.join(', ')} in ${PEERS}, once`)
    const why = npm(['install', '--ignore-scripts', '--no-package-lock', '--no-audit', '--no-fund'])
    for (const name of absent) {
      if (versionOf(name) === undefined)
        missing.set(name, `${name} could not be installed: ${why ?? 'npm did not'}`)
    }
  }
  for (const name of wanted) {
    if (isBuilt(name) || missing.has(name)) continue
    console.error(`building ${name} in ${PEERS}, once`)
    const why = npm(['rebuild', name])
    if (!isBuilt(name)) missing.set(name, `${name} could not be built: ${why ?? 'npm did not'}`)
  }
  return missing
}

/** Of a package of bench/peers, or of the project; undefined if it is not installed. */
export function versionOf(name: string): string | undefined {
  const folder = folderOf(name)
  if (folder === undefined) return undefined
  const text = fs.readFileSync(path.join(folder, 'package.json'), 'utf8')
  return (JSON.parse(text) as { readonly version: string }).version
}

function folderOf(name: string): string | undefined {
  return [PEERS, path.join(PEERS, '../..')]
    .map((folder) => path.join(folder, 'node_modules', name))
    .find((folder) => fs.existsSync(path.join(folder, 'package.json')))
}

/** Of a package that is there. */
function isBuilt(name: string): boolean {
  const binary = BUILT[name]
  return binary === undefined || fs.existsSync(path.join(folderOf(name) ?? '', binary))
}

/** @returns why it failed; undefined if it did not */
function npm(words: readonly string[]): string | undefined {
  const { error, status, stderr } = spawnSync('npm', [...words, '--silent'], {
    cwd: PEERS,
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
    shell: process.platform === 'win32',
    env: { ...process.env, ...headersOfThisNode() },
  })
  if (status === 0) return undefined
  return error?.message ?? (lastLines(stderr) || `npm ${words[0]} ended with ${status}`)
}

/** Where Node has come with its headers, nothing has to be downloaded to compile. */
function headersOfThisNode(): NodeJS.ProcessEnv {
  const prefix = path.join(path.dirname(process.execPath), '..')
  const isThere = fs.existsSync(path.join(prefix, 'include/node/node.h'))
  return isThere ? { npm_config_nodedir: prefix } : {}
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-3).join(' ')
}
