/**
 * Which package an engine comes from. Some are installed when they are first asked for (`harness/packages.ts`).
 */
import { installPackages, versionOf } from '../harness/packages.ts'
import type { EngineName } from './engine.ts'

const PACKAGES: { readonly [name in EngineName]?: string } = {
  'classic-level': 'classic-level',
  'lmdb-nosync': 'lmdb',
  lmdb: 'lmdb',
  rocksdb: 'rocksdb-native',
  'rocksdb-blob': 'rocksdb-native',
  'rocksdb-nxt': '@nxtedition/rocksdb',
  sqlite: 'better-sqlite3',
  cacache: 'cacache',
}

/** @returns why engines cannot be had, by their names */
export function installPeers(engines: readonly EngineName[]): Map<EngineName, string> {
  const packages = engines.flatMap((name) => PACKAGES[name] ?? [])
  const missing = installPackages(packages)
  return new Map(
    engines.flatMap((name) => {
      const why = missing.get(PACKAGES[name] ?? '')
      return why === undefined ? [] : [[name, why] as const]
    }),
  )
}

/** The packages of these engines, as `lmdb 3.5.0`. */
export function versionsOf(engines: readonly EngineName[]): string[] {
  const packages = new Set(engines.flatMap((name) => PACKAGES[name] ?? []))
  return [...packages].map((name) => `${name} ${versionOf(name) ?? '(not installed)'}`)
}
