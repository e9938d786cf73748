/**
 * Options of `open`: defaults, limits, and the refusal of everything unknown.
 */
import { invalidArgument } from '../base/errors.ts'
import { ZSTD_LEVELS } from '../base/zstd.ts'
import { ARENA_BYTES_MAX } from '../tree/memtable/arena.ts'
import { type CacheOptions, cacheOptions, checkCache } from './cache-options.ts'
import { boolean, integer, optionalBytes, plainObject, refuseUnknown } from './checks.ts'
import { shown } from './given.ts'
import { type LockWait, lockWait, type ResolvedLockWait } from './lock-wait.ts'

/** Shape of the tree. The defaults suit nearly everyone. */
export interface TreeTuning {
  /** Size ratio of neighbouring levels (T), 2 to 100. Default 10. */
  readonly sizeRatio?: number
  /** Runs of a level (K), 1 to T - 1. Default 1: leveling. */
  readonly runsPerLevel?: number
  /** Runs of the largest level (Z), 1 to T - 1. Default 1. */
  readonly runsAtLargestLevel?: number
  /** Bytes of a table, 4 KiB to 256 MiB. Default 4 MiB. */
  readonly tableBytes?: number
  /** Bytes of a block, 256 B to 1 MiB. Default 4 KiB. */
  readonly blockBytes?: number
  /** Filter bits a key, 0 (no filters) to 32. Default 10: fewer than 1 % false positives. */
  readonly filterBitsPerKey?: number
}

/** What taking space back should spare: time, or bytes that are written. */
export type CollectorPreference = 'speed' | 'endurance' | 'balanced'

/** How space comes back. The defaults keep it within 1.3 times the live bytes and two segments. */
export interface CollectorOptions {
  /** False: nothing is reclaimed unless `collect` is called. Default true. */
  readonly enabled?: boolean
  /** Bytes on disk / live bytes, above a slack of two segments, 1.01 to 100. Default 1.3. */
  readonly targetSpaceAmplification?: number
  /**
   * No more bytes on disk than this, at least 1 MiB: writers wait, then get WISC_DISK_FULL. At most an eighth of it is
   * kept from puts, for deletes, flushes and what gives space back. Default: no bound.
   */
  readonly maxBytesOnDisk?: number
  /** Bound of what reclaiming reads and writes in a second, at least 4 KiB. Default: none. */
  readonly bytesPerSecond?: number
  /** Free the blocks of large dead values where they lie, where the platform can. Default true. */
  readonly punchHoles?: boolean
  /**
   * What holes and copies are weighed by, beside the time that they take: 'speed' by nothing else, 'endurance' by the
   * bytes that a copy writes, nearly alone. Default 'balanced'.
   */
  readonly prefer?: CollectorPreference
}

/** Bounds of transactions: what one of them may keep in memory and on disk. */
export interface TransactionLimits {
  /** Memory for what a transaction has read, at least 4 KiB. Default 64 MiB. */
  readonly maxReadSetBytes?: number
  /** The longest, in milliseconds, that a transaction or the callback of an update may take. Default 60,000. */
  readonly maxAgeMs?: number
}

/** Options of {@link open}. All sizes are in bytes. */
export interface Options {
  /** Create the store, and its parents, if the directory is missing or empty. Default true. */
  readonly createIfMissing?: boolean
  /** Refuse a store that exists. Default false. */
  readonly errorIfExists?: boolean
  /** What `putStream` gets that is shorter becomes a value like any other, 1 to 1 MiB. Default 1 MiB. */
  readonly streamThreshold?: number
  /** Open without the lock and without writing a byte, also beside a writer. Default false. */
  readonly readOnly?: boolean
  /** With readOnly: show what a writer writes from now on, too, within 100 ms. Default false. */
  readonly follow?: boolean
  /**
   * Wait so long, in milliseconds, for the lock of a process that has the store open, such as one that is closing it.
   * Default: not at all. A readOnly open takes no lock.
   */
  readonly waitForLock?: number | LockWait
  /**
   * Values of at least this size are in the value log alone, shorter ones in the tree, too; 0 separates all, Infinity
   * none (but those over 16 MiB). Default 1024.
   */
  readonly valueThreshold?: number
  /** Default of WriteOptions.sync. Default false. */
  readonly sync?: boolean
  /**
   * Codec of the values in the value log: 'zstd' needs the package zstd-napi, or Node 22.15. Chunks of 64 KiB are
   * compressed each by itself, where that saves an eighth. Default 'none'.
   */
  readonly compression?: 'none' | 'zstd'
  /** Level of it, 1 to 19. Default 3. */
  readonly compressionLevel?: number
  /** Sync the log in the background at this interval, in milliseconds, at least 1. Default: never. */
  readonly syncIntervalMs?: number
  /** Size of a value-log segment, 4 KiB to 4 GiB. Default 64 MiB, less where maxBytesOnDisk or a cache is small. */
  readonly segmentBytes?: number
  /** Size of a memtable, 64 KiB to 256 MiB; three are held. Default 16 MiB, less as that of segments. */
  readonly memtableBytes?: number
  /** Bound of the log that an open after a crash replays, at least 64 KiB. Default 512 MiB, of a cache a quarter. */
  readonly maxUnflushedLogBytes?: number
  /**
   * When so many bytes wait to be written, at least 64 KiB, a put writes them at once instead of gathering more. While
   * the store itself waits (for a flush, the disk), what callers do not await stays queued in memory. Default 64 MiB.
   */
  readonly maxPendingBytes?: number
  /** Memory for blocks of tables; 0: none. Default 64 MiB. */
  readonly blockCacheBytes?: number
  /** Memory for separated values of up to 64 KiB that get and getSync read again and again. Default 0: none. */
  readonly valueCacheBytes?: number
  /** Bound of files that are open for reading, 16 to 1,000,000. Default 512. */
  readonly maxOpenFiles?: number
  /**
   * The most worker threads for flushes, compactions and collections, 0 to 64. All stores of a process share them, as
   * many as one of them asks for, and they end when idle. 0 runs all jobs on the calling thread. Default 2.
   */
  readonly workers?: number
  /**
   * Answer the wisc command on a Unix socket, with mode 0600, in a directory of the user's own for temporary files;
   * LOCK names it. Where there can be none, a 'warning' says so. Default: true where there are Unix sockets.
   */
  readonly controlSocket?: boolean
  /**
   * Mode of the files that the store makes, 0o600 to 0o666, as far as the process's umask allows; directories get the
   * x bits that go with it. The control socket is its owner's in any case. Default: 0o600 for a new store, that of its
   * CURRENT for one that is there.
   */
  readonly fileMode?: number
  readonly tree?: TreeTuning
  readonly collector?: CollectorOptions
  /** The store is a cache. It has no settings of a collector then, and is not readOnly. Default: it is none. */
  readonly cache?: CacheOptions
  readonly transactions?: TransactionLimits
}

export interface ResolvedCollectorOptions {
  readonly enabled: boolean
  readonly targetSpaceAmplification: number
  readonly maxBytesOnDisk: number | undefined
  readonly bytesPerSecond: number | undefined
  readonly punchHoles: boolean
  readonly prefer: CollectorPreference
}

/** All options, with their defaults. */
export interface ResolvedOptions
  extends Required<
    Omit<
      Options,
      | 'tree'
      | 'syncIntervalMs'
      | 'collector'
      | 'fileMode'
      | 'transactions'
      | 'cache'
      | 'waitForLock'
    >
  > {
  /** Undefined: not at all. */
  readonly waitForLock: ResolvedLockWait | undefined
  readonly fileMode: number | undefined
  readonly syncIntervalMs: number | undefined
  readonly tree: Required<TreeTuning>
  readonly transactions: Required<TransactionLimits>
  readonly collector: ResolvedCollectorOptions
  /** Undefined: it is no cache. */
  readonly cache: CacheOptions | undefined
}

const MIB = 1024 * 1024
/** As long as a timer can be. */
export const TIMER_MS_MAX: number = 2 ** 31 - 1
/** Values above this are separated whatever the threshold. */
export const INLINE_VALUE_BYTES_MAX: number = 16 * MIB

const BOOLEANS = {
  createIfMissing: true,
  errorIfExists: false,
  readOnly: false,
  follow: false,
  sync: false,
  controlSocket: process.platform !== 'win32',
}

/** [default, smallest, largest, may be Infinity] */
type NumberRule = readonly [number, number, number, boolean?]

const NUMBERS = {
  valueThreshold: [1024, 0, Number.MAX_SAFE_INTEGER, true],
  streamThreshold: [MIB, 1, MIB],
  segmentBytes: [64 * MIB, 4096, 4096 * MIB],
  memtableBytes: [16 * MIB, 65536, ARENA_BYTES_MAX],
  maxUnflushedLogBytes: [512 * MIB, 65536, Number.MAX_SAFE_INTEGER],
  maxPendingBytes: [64 * MIB, 65536, Number.MAX_SAFE_INTEGER],
  blockCacheBytes: [64 * MIB, 0, Number.MAX_SAFE_INTEGER],
  valueCacheBytes: [0, 0, Number.MAX_SAFE_INTEGER],
  maxOpenFiles: [512, 16, 1_000_000],
  workers: [2, 0, 64],
  compressionLevel: [ZSTD_LEVELS.standard, ZSTD_LEVELS.min, ZSTD_LEVELS.max],
} as const satisfies Record<string, NumberRule>

const TREE_NUMBERS = {
  sizeRatio: [10, 2, 100],
  runsPerLevel: [1, 1, 99],
  runsAtLargestLevel: [1, 1, 99],
  tableBytes: [4 * MIB, 4096, 256 * MIB],
  blockBytes: [4096, 256, MIB],
  filterBitsPerKey: [10, 0, 32],
} as const satisfies Record<string, NumberRule>

const TRANSACTION_NUMBERS = {
  maxReadSetBytes: [64 * MIB, 4096, Number.MAX_SAFE_INTEGER],
  maxAgeMs: [60_000, 1, TIMER_MS_MAX],
} as const satisfies Record<string, NumberRule>

/** Options of other kinds. */
const OTHERS = new Set([
  'tree',
  'syncIntervalMs',
  'collector',
  'cache',
  'fileMode',
  'transactions',
  'compression',
  'waitForLock',
])

/**
 * Fills in defaults.
 * @throws WISC_INVALID_ARGUMENT for an unknown option, a wrong type or a value outside its limits
 */
export function resolveOptions(options: Options): ResolvedOptions {
  const given = plainObject(options, 'options')
  const tree = plainObject(given['tree'] === undefined ? {} : given['tree'], 'options.tree')
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(BOOLEANS, name) || Object.hasOwn(NUMBERS, name)) continue
    if (OTHERS.has(name)) continue
    throw invalidArgument(`unknown option name=${name}`)
  }
  const resolvedTree = numbers(tree, TREE_NUMBERS, 'tree.')
  const { sizeRatio, runsPerLevel, runsAtLargestLevel } = resolvedTree
  if (Math.max(runsPerLevel, runsAtLargestLevel) >= sizeRatio) {
    throw invalidArgument('tree.runsPerLevel and runsAtLargestLevel must be below tree.sizeRatio')
  }
  const limits = given['transactions']
  const transactions = plainObject(limits === undefined ? {} : limits, 'options.transactions')
  const interval = given['syncIntervalMs']
  const collector = collectorOptions(given['collector'])
  const cache = cacheOptions(given)
  const resolved = {
    ...booleans(given),
    ...numbers(given, NUMBERS, ''),
    ...fittingSizes(given, FITTING_SHARES, collector.maxBytesOnDisk),
    ...fittingSizes(given, CACHE_FITTING_SHARES, cache?.maxBytes),
    syncIntervalMs:
      interval === undefined ? undefined : integer('syncIntervalMs', interval, 1, TIMER_MS_MAX),
    fileMode: fileMode(given['fileMode']),
    waitForLock: lockWait(given['waitForLock']),
    compression: compression(given['compression'], 'none'),
    tree: resolvedTree,
    collector,
    cache,
    transactions: numbers(transactions, TRANSACTION_NUMBERS, 'transactions.'),
  }
  if (resolved.follow && !resolved.readOnly) {
    throw invalidArgument('follow is for a store that is opened with readOnly: true')
  }
  if (cache) checkCache(cache, given, resolved)
  return resolved
}

type Sizes = Partial<Record<'segmentBytes' | 'memtableBytes' | 'maxUnflushedLogBytes', number>>

/** Of `maxBytesOnDisk`: what a segment or memtable has at most by default, so that the reserve holds one of each. */
const FITTING_SHARES: Sizes = { segmentBytes: 1 / 16, memtableBytes: 1 / 16 }
/** Of `cache.maxBytes`: it evicts whole segments, and only what is in tables. */
const CACHE_FITTING_SHARES: Sizes = {
  segmentBytes: 1 / 32,
  memtableBytes: 1 / 32,
  maxUnflushedLogBytes: 1 / 4,
}

/** Sizes that were not given, where the defaults are too large for a small store. */
function fittingSizes(
  given: Record<string, unknown>,
  shares: Sizes,
  maxBytes: number = Number.POSITIVE_INFINITY,
): Sizes {
  const sizes: Sizes = {}
  for (const name of Object.keys(shares) as (keyof Sizes)[]) {
    const [standard, least] = NUMBERS[name]
    const fitting = Math.max(least, Math.floor(maxBytes * shares[name]!))
    if (given[name] === undefined && fitting < standard) sizes[name] = fitting
  }
  return sizes
}

type Codec = 'none' | 'zstd'

/** @throws WISC_INVALID_ARGUMENT */
export function compression(value: unknown, standard: Codec): Codec {
  if (value === undefined) return standard
  if (value === 'none' || value === 'zstd') return value
  throw invalidArgument(`compression must be 'none' or 'zstd', not ${shown(value)}`)
}

function fileMode(value: unknown): number | undefined {
  if (value === undefined) return undefined
  const mode = typeof value === 'number' ? value : Number.NaN
  // Its owner has to write, and no file of a store is a program.
  const isPossible = Number.isInteger(mode) && mode >= 0o600 && (mode | 0o666) === 0o666
  if (isPossible) return mode
  const what = typeof value === 'number' ? `${value} (0o${value.toString(8)})` : shown(value)
  throw invalidArgument(
    `fileMode must be a number such as 0o640: the owner reads and writes, nobody executes; not ${what}`,
  )
}

const COLLECTOR_NAMES = [
  'enabled',
  'targetSpaceAmplification',
  'maxBytesOnDisk',
  'bytesPerSecond',
  'punchHoles',
  'prefer',
] as const

const PREFERENCES: readonly CollectorPreference[] = ['speed', 'endurance', 'balanced']

function collectorOptions(value: unknown): ResolvedCollectorOptions {
  const given = plainObject(value === undefined ? {} : value, 'options.collector')
  refuseUnknown(given, COLLECTOR_NAMES, 'collector')
  return {
    enabled: boolean('collector.enabled', given['enabled'], true),
    targetSpaceAmplification: amplification(
      'collector.targetSpaceAmplification',
      given['targetSpaceAmplification'],
      DEFAULT_TARGET,
    ),
    maxBytesOnDisk: optionalBytes('collector.maxBytesOnDisk', given['maxBytesOnDisk'], MIB),
    bytesPerSecond: optionalBytes('collector.bytesPerSecond', given['bytesPerSecond'], 4096),
    punchHoles: boolean('collector.punchHoles', given['punchHoles'], true),
    prefer: preference(given['prefer']),
  }
}

function preference(value: unknown): CollectorPreference {
  if (value === undefined) return 'balanced'
  const found = PREFERENCES.find((known) => known === value)
  if (found) return found
  const known = "'speed', 'endurance' or 'balanced'"
  throw invalidArgument(`collector.prefer must be ${known}, not ${shown(value)}`)
}

const DEFAULT_TARGET = 1.3
const TARGET_MIN = 1.01
const TARGET_MAX = 100

/** A target of the space amplification, `standard` if none is given. */
export function amplification(
  name: string,
  value: unknown,
  standard: number,
  min: number = TARGET_MIN,
): number {
  if (value === undefined) return standard
  if (typeof value !== 'number' || !(value >= min && value <= TARGET_MAX)) {
    const range = `a number of ${min} to ${TARGET_MAX}`
    throw invalidArgument(`${name} must be ${range}, not ${shown(value)}`)
  }
  return value
}

function booleans(given: Record<string, unknown>): Record<keyof typeof BOOLEANS, boolean> {
  const result: Record<keyof typeof BOOLEANS, boolean> = { ...BOOLEANS }
  for (const name of Object.keys(BOOLEANS) as (keyof typeof BOOLEANS)[]) {
    result[name] = boolean(name, given[name], BOOLEANS[name])
  }
  return result
}

function numbers<Name extends string>(
  given: Record<string, unknown>,
  rules: Readonly<Record<Name, NumberRule>>,
  prefix: string,
): Record<Name, number> {
  for (const name of prefix ? Object.keys(given) : []) {
    if (!Object.hasOwn(rules, name)) throw invalidArgument(`unknown option name=${prefix}${name}`)
  }
  const result = {} as Record<Name, number>
  for (const name of Object.keys(rules) as Name[]) {
    const [standard, min, max, infinite] = rules[name]
    const value = given[name]
    if (value === undefined) result[name] = standard
    else if (value === Number.POSITIVE_INFINITY && infinite) result[name] = value
    else result[name] = integer(prefix + name, value, min, max)
  }
  return result
}
