/** What lies in a store's directory, for tests that nothing was written. */
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'

/** Names and hashes of a store's files. The text in LOCK changes with its holder. */
export function contents(directory: string): Map<string, string> {
  const names = fs.readdirSync(directory).filter((name) => name !== 'LOCK')
  const hash = (name: string): string =>
    createHash('sha256')
      .update(fs.readFileSync(path.join(directory, name)))
      .digest('hex')
  return new Map(names.map((name) => [name, hash(name)]))
}

/** What an open store does by itself, whenever it comes to it, is no change: it appends, and makes its ballast. */
export function changesBesideAppends(
  directory: string,
  before: ReadonlyMap<string, Buffer>,
): string[] {
  const after = bytesIn(directory)
  const isOwn = (name: string): boolean => name === 'BALLAST'
  const changed = [...before].filter(
    ([name, bytes]) => !isOwn(name) && !after.get(name)?.subarray(0, bytes.length).equals(bytes),
  )
  const added = [...after.keys()].filter((name) => !before.has(name) && !isOwn(name))
  return [...changed.map(([name]) => name), ...added]
}

/** The files of a store, but LOCK. */
export function bytesIn(directory: string): Map<string, Buffer> {
  const names = fs.readdirSync(directory).filter((name) => name !== 'LOCK')
  return new Map(names.map((name) => [name, fs.readFileSync(path.join(directory, name))]))
}
