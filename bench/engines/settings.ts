/**
 * How the engines are set, and why: as those who know them would tune them for these loads. Printed beside the results.
 */
import type { Options as StoreOptions } from '../../lib/index.ts'
import type { EngineName } from './engine.ts'

const MIB = 1024 * 1024

type Options = Readonly<Record<string, unknown>>

/** Of wisc, all values in tables: runs of a level are merged late, those of the largest one at once. */
export const LAZY_LEVELING: StoreOptions = {
  valueThreshold: Infinity,
  tree: { runsPerLevel: 9, runsAtLargestLevel: 1 },
}
/** ... and those of no level before it is full. */
export const TIERING: StoreOptions = {
  valueThreshold: Infinity,
  tree: { runsPerLevel: 9, runsAtLargestLevel: 9 },
}

/** Of RocksDB. What the binding sets by itself is left out: filters of 10 bits a key, leveling. */
export const TABLE_OPTIONS: Options = { maxBackgroundJobs: 4 }

/** MiB; the oldest share of the blob files that a compaction copies from; the share of garbage that forces one. */
function blobOptionsOf(
  writeBuffer: number,
  blobFile: number,
  ageCutOff: number,
  forceThreshold: number,
): Options {
  return {
    ...TABLE_OPTIONS,
    enableBlobFiles: true,
    minBlobSize: 1024,
    writeBufferSize: writeBuffer * MIB,
    blobFileSize: blobFile * MIB,
    enableBlobGarbageCollection: true,
    blobGarbageCollectionAgeCutOff: ageCutOff,
    blobGarbageCollectionForceThreshold: forceThreshold,
  }
}

/** Of RocksDB with blob files: the fastest trials of overwrite-steady. */
const TUNED_BLOB_OPTIONS: Options = blobOptionsOf(16, 16, 0.25, 0.5)
/** ... that held 1.6 of space, and those that held the least. */
const BOUNDED_BLOB_OPTIONS: Options = blobOptionsOf(8, 8, 0.25, 0.5)
const LEAST_BLOB_OPTIONS: Options = blobOptionsOf(2, 4, 0.3, 1)
const LEAST_SPACE = 1.45

/**
 * Of RocksDB with blob files, as it is tuned, or for a space amplification such as wisc is given. Nothing bounds its
 * space but how far its compactions are behind: small write buffers hold that down, since level 0 stops writers at so
 * many files.
 */
export function blobOptions(spaceAmplification?: number): Options {
  if (spaceAmplification === undefined) return TUNED_BLOB_OPTIONS
  return spaceAmplification < LEAST_SPACE ? LEAST_BLOB_OPTIONS : BOUNDED_BLOB_OPTIONS
}

/** Of RocksDB through its other binding: values of these loads cannot be compressed. */
export const NXT_OPTIONS: Options = {
  compression: false,
  walCompression: false,
  cacheSize: 64 * MIB,
  parallelism: 4,
}

/** Of SQLite, for each connection; the first counts for a new database alone. */
export const SQLITE_PRAGMAS: readonly string[] = [
  'page_size = 16384',
  'journal_mode = WAL',
  'synchronous = NORMAL',
  'cache_size = -65536',
  'mmap_size = 1073741824',
]

/**
 * So many entries at most for engines with a file for each value: more take minutes to write and to remove. What they
 * leave out for that stands in the results.
 */
export const ENTRIES_MAX: { readonly [name in EngineName]?: number } = {
  files: 65_536,
  cacache: 8_192,
}

/** What each is, in a line: the page of the benchmark lists them. */
export const ENGINES: Readonly<Record<EngineName, string>> = {
  raw:
    'the floor: values appended to one file with `writeSync`, read back with positioned reads (`readrandom`: through ' +
    'the thread pool). No keys, no checksums',
  wisc: 'default options: values of 1 KiB and above are separated',
  'wisc-inline': 'the same engine as a classical LSM store',
  'wisc-separated': 'the same engine with every value in the value log alone',
  'wisc-lazy': 'as `wisc-inline`, with lazy leveling',
  'wisc-tiered': 'as `wisc-inline`, with tiering',
  'classic-level': 'LevelDB',
  'lmdb-nosync': 'lmdb with `noSync`: the peer of loads that need not be durable, and of all reads',
  lmdb: 'lmdb with its durable default: the peer of durable puts',
  rocksdb:
    'RocksDB through rocksdb-native, values in its tables; no synchronous get, no durable put',
  'rocksdb-blob': 'the same with values in blob files, which its compactions collect',
  'rocksdb-nxt':
    'RocksDB through @nxtedition/rocksdb; its durable puts sync nothing, and are left out',
  sqlite: 'better-sqlite3: a table of keys and blobs, in a database with a write-ahead log',
  files: 'one file for each value, named by its key',
  cacache: 'the cache of npm: content by its hash, an index of files; its own checks',
}

/** Engine by engine; the others have their defaults. */
export const SETTINGS: { readonly [name in EngineName]?: string } = {
  'wisc-inline':
    'valueThreshold Infinity: all values in tables; its leveling merges by the same rules as a classical LSM store',
  'wisc-separated': 'valueThreshold 0: all values in the value log',
  'wisc-lazy':
    'as wisc-inline, tree.runsPerLevel 9, runsAtLargestLevel 1: writes less than leveling, reads look into more tables',
  'wisc-tiered': 'as wisc-inline, tree.runsPerLevel 9, runsAtLargestLevel 9: writes least',
  'classic-level':
    'its defaults; scans by nextv and a highWaterMarkBytes of 4 MiB, three times as fast as without',
  'lmdb-nosync': 'noSync: without it each commit is a sync, and fills measure the disk',
  rocksdb: `${show(TABLE_OPTIONS)}, and what the binding sets by itself`,
  'rocksdb-blob':
    `${show(TUNED_BLOB_OPTIONS)}; the fastest of many trials of overwrite-steady, whose space nothing bounds. ` +
    'Held to a target: the fastest trials that held 1.6 (write buffers and blob files of 8 MiB), and those that held ' +
    'the least (2 and 4 MiB, age cut-off 0.3, force threshold 1)',
  'rocksdb-nxt':
    `${show(NXT_OPTIONS)}, and what the binding sets by itself; its cache is of 8 MiB otherwise, and it compresses, ` +
    'which these values cannot be',
  sqlite:
    `${SQLITE_PRAGMAS.join(', ')}: a log beside the database, synced when it is written back; pages as SQLite's own ` +
    'figures advise for blobs; the whole database mapped. Durable puts by synchronous = FULL',
  files:
    'written to a temporary name, then renamed, in 256 folders; durable puts sync the file and its folder',
}

function show(options: Options): string {
  return Object.entries(options)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')
}
