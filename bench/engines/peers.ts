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

/** Whether two runs with these packages have measured the same code of an engine: never of wisc, which goes on. */
export function isSameCode(
  engine: string,
  before: readonly string[],
  after: readonly string[],
): boolean {
  if (engine.startsWith('wisc')) return false
  const name = PACKAGES[engine as EngineName]
  if (name === undefined) return true
  const of = (versions: readonly string[]): string | undefined =>
    versions.find((version) => version.startsWith(`${name} `))
  return of(before) === of(after)
}
