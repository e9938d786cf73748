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

/** @throws Error if it is not installed, or does not load on this machine */
export function loadPackage(name: string): unknown {
  return createRequire(path.join(PEERS, 'package.json'))(name)
}

/**
 * Installs those that are not there; their own install scripts do not run.
 * @returns why packages cannot be had, by their names
 */
export function installPackages(names: readonly string[]): Map<string, string> {
  const missing = new Map<string, string>()
  const absent = [...new Set(names)].filter((name) => versionOf(name) === undefined)
  if (absent.length === 0) return missing
  console.error(`installing ${absent.join(', ')} in ${PEERS}, once`)
  const { error, status, stderr } = spawnSync(
    'npm',
    ['install', '--ignore-scripts', '--no-package-lock', '--no-audit', '--no-fund', '--silent'],
    {
      cwd: PEERS,
      encoding: 'utf8',
      stdio: ['ignore', 'ignore', 'pipe'],
      shell: process.platform === 'win32',
    },
  )
  for (const name of absent) {
    if (versionOf(name) !== undefined) continue
    const why = error?.message ?? (stderr.trim() || `npm install ended with ${status}`)
    missing.set(name, `${name} could not be installed: ${why}`)
  }
  return missing
}

/** Of a package of bench/peers, or of the project; undefined if it is not installed. */
export function versionOf(name: string): string | undefined {
  const folders = [PEERS, path.join(PEERS, '../..')]
  const file = folders
    .map((folder) => path.join(folder, 'node_modules', name, 'package.json'))
    .find((candidate) => fs.existsSync(candidate))
  if (file === undefined) return undefined
  return (JSON.parse(fs.readFileSync(file, 'utf8')) as { readonly version: string }).version
}
