/**
 * The one history of the kill test: batch n is the same in the child that writes it and in the parent that
 * checks it. Every batch sets the key `position` to its number, so a store says itself how far it came.
 */
import type { Options } from '#dist/lib/contract/options.js'
import { Prng } from '../../support/random.ts'

export interface HistoryOperation {
  readonly type: 'put' | 'delete'
  readonly key: string
  readonly value: Buffer
}

export const POSITION_KEY = 'position'
const KEYS = 200

/** What a store is opened with by both sides: small parts, so that everything happens often. */
export const KILL_OPTIONS: Options = {
  valueThreshold: 512,
  segmentBytes: 256 * 1024,
  memtableBytes: 128 * 1024,
  maxUnflushedLogBytes: 1024 * 1024,
  blockCacheBytes: 1024 * 1024,
  streamThreshold: 65536,
  tree: { sizeRatio: 4, tableBytes: 65536, blockBytes: 1024 },
}

/** The operations of batch `position`, from 1 on. */
export function batchAt(seed: number, position: number): HistoryOperation[] {
  const prng = new Prng(seed ^ Math.imul(position, 0x9e3779b1))
  const operations: HistoryOperation[] = []
  for (let i = prng.below(4); i >= 0; i--) {
    const key = `key${prng.below(KEYS)}`
    const isDelete = prng.chance(0.2)
    const length = prng.chance(0.1) ? prng.below(20000) : prng.below(1500)
    const value = Buffer.from(isDelete ? new Uint8Array(0) : prng.bytes(length))
    operations.push({ type: isDelete ? 'delete' : 'put', key, value })
  }
  operations.push({ type: 'put', key: POSITION_KEY, value: Buffer.from(String(position)) })
  return operations
}

/** Keys of which each has one stream after the other, beside the history. */
export const STREAM_KEYS: readonly string[] = ['stream/a', 'stream/b']

/** The stream that a key has as its version so and so; of one chunk, or of several. */
export function streamAt(key: string, version: number): Buffer {
  const length = 65536 + ((version * 7919) % 5) * 70_001
  return Buffer.alloc(length, `${key}#${version}|`)
}

/** The version of a stream, 0 if it is not there. @throws if it is none of these, byte by byte */
export function versionOf(key: string, value: Buffer | undefined): number {
  if (value === undefined) return 0
  const version = Number(/#(\d+)\|/.exec(value.toString('latin1', 0, 40))?.[1])
  if (streamAt(key, version).equals(value)) return version
  throw new Error(`the stream ${key} is wrong, version=${version} bytes=${value.length}`)
}

export function isSynced(position: number): boolean {
  return position % 9 === 0
}

/** Of the bank: bank.test.ts and its child. */
export const ACCOUNTS = 12
export const CALLERS = 6
export const START_BALANCE = 1000

export function accountKey(account: number): string {
  return `account/${account}`
}

export function callerKey(name: number): string {
  return `caller/${name}`
}
