/** What owners.test.ts and its children agree on. */
import { readFileSync } from 'node:fs'
import { tryFlock } from '#dist/lib/base/platform/flock.js'
import { LOCK_KINDS } from '#dist/lib/base/platform/node-file-system.js'
import type { LockKinds } from '#dist/lib/base/platform/node-lock-file.js'
import type { Options } from '#dist/lib/contract/options.js'

/** Each is made by whoever comes first. */
export const OWNED: readonly string[] = ['store1', 'store2']
/** In each so far is counted. */
export const COUNT = 10
export const OWNER_OPTIONS: Options = { workers: 0, memtableBytes: 65_536, segmentBytes: 65_536 }

export type LockKind = "the system's" | "the flock command's" | "the text's"
export const LOCKS: Readonly<Record<LockKind, LockKinds>> = {
  "the system's": LOCK_KINDS,
  "the flock command's": { tryLock: () => undefined, tryFlock },
  "the text's": { tryLock: () => undefined, tryFlock: () => undefined },
}

/** Numbers that were acknowledged, in this order. */
export function numbersOf(path: string): number[] {
  try {
    return readFileSync(`${path}.numbers`, 'latin1').split('\n').slice(0, -1).map(Number)
  } catch {
    return []
  }
}

export function lastNumber(path: string): number {
  return numbersOf(path).at(-1) ?? 0
}
