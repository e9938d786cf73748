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

/** Resolves when an open store has ended its background work. */
export async function settled(directory: string): Promise<void> {
  let before = ''
  for (;;) {
    const now = JSON.stringify([...contents(directory)])
    if (now === before) return
    before = now
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
