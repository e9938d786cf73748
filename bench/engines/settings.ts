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

/** The oldest share of the blob files that a compaction copies from, and the share of garbage that forces one. */
function collection(ageCutOff: number, forceThreshold: number): Options {
  return {
    blobGarbageCollectionAgeCutOff: ageCutOff,
    blobGarbageCollectionForceThreshold: forceThreshold,
  }
}

/** Of RocksDB with blob files, for a space amplification such as wisc is given. */
export function blobOptions(spaceAmplification: number = 1.6): Options {
  return {
    ...TABLE_OPTIONS,
    enableBlobFiles: true,
    minBlobSize: 1024,
    writeBufferSize: 16 * MIB,
    blobFileSize: 16 * MIB,
    enableBlobGarbageCollection: true,
    ...(spaceAmplification < 1.45 ? collection(0.15, 0.3) : collection(0.25, 0.5)),
  }
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
  cacache: 32_768,
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
    `${show(blobOptions())}; the values are those of the fastest trials of overwrite-steady whose space came nearest ` +
    `to the target's, which memtables and blob files as small as these help; for a target below 1.45 ` +
    show(collection(0.15, 0.3)),
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
