/**
 * Engines that are no part of the project's set-up: their packages are those of bench/peers/package.json, and are
 * installed there when they are first asked for.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { EngineName } from './engine.ts'

/** Seen from dist/bench/engines. */
const PEERS: string = fileURLToPath(new URL('../../../bench/peers/', import.meta.url))

const PACKAGES: { readonly [name in EngineName]?: string } = {
  rocksdb: 'rocksdb-native',
  'rocksdb-blob': 'rocksdb-native',
}

/** @throws Error if it is not installed, or does not load on this machine */
export function loadPeer(packageName: string): unknown {
  return createRequire(path.join(PEERS, 'package.json'))(packageName)
}

/**
 * Installs what these engines need and is not there; their own install scripts do not run.
 * @returns why engines cannot be had, by their names
 */
export function installPeers(engines: readonly EngineName[]): Map<EngineName, string> {
  const missing = new Map<EngineName, string>()
  const absent = engines.filter((name) => PACKAGES[name] && !isInstalled(PACKAGES[name]))
  if (absent.length === 0) return missing
  console.error(
    `installing ${[...new Set(absent.map((name) => PACKAGES[name]))]} in ${PEERS}, once`,
  )
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
    if (isInstalled(PACKAGES[name]!)) continue
    const why = error?.message ?? (stderr.trim() || `npm install ended with ${status}`)
    missing.set(name, `${PACKAGES[name]} could not be installed: ${why}`)
  }
  return missing
}

function isInstalled(packageName: string): boolean {
  return fs.existsSync(path.join(PEERS, 'node_modules', packageName, 'package.json'))
}
