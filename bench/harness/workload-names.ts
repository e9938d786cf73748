/** The workloads by the names that `--workloads` takes, in the order in which a child runs them. */

/** They fill a store, in each of an engine's ways. */
export const LOADS = ['fillrandom', 'overwrite', 'fillseq'] as const

/** Yahoo! Cloud Serving Benchmark, core workloads A to F (Cooper and others, 2010). */
export const YCSB = ['ycsb-a', 'ycsb-b', 'ycsb-c', 'ycsb-d', 'ycsb-e', 'ycsb-f'] as const

/** They read a loaded store; YCSB's also write, last of all. */
export const READS: readonly string[] = [
  'readrandom',
  'readrandom-16',
  'readrandom-sync',
  'readmissing',
  'readpart',
  'getmany',
  'scan',
  'scan-keys',
  'ranges',
  'paced-get',
  ...YCSB,
]

/** They read a store none of whose files is in the page cache. */
export const COLD_READS = ['cold-get-1', 'cold-get-16', 'cold-ranges', 'cold-scan'] as const

/** Their rate is a pace that was set: latencies alone count. */
export const PACED: readonly string[] = ['paced-get', 'paced-put']

/** Those whose figures change most with the size of the values, and that say where separating them pays. */
export const BY_SIZE: readonly string[] = [
  'fillrandom',
  'readrandom',
  'readrandom-sync',
  'scan',
  'ranges',
  'cold-get-16',
  'overwrite',
  'fillsync-16',
]

/** Durable puts by so many callers. */
export const SYNCED = { 'fillsync-1': 1, 'fillsync-16': 16, 'fillsync-64': 64 } as const

/** All of them; fillsync-main is the raw floor's alone. */
export const WORKLOADS: readonly string[] = [
  'fillrandom',
  ...READS,
  ...COLD_READS,
  'reopen',
  'cold-reopen',
  'overwrite',
  'scan-overwritten',
  'paced-put',
  'deletehalf',
  'fillseq',
  'fillbatch',
  ...Object.keys(SYNCED),
  'fillsync-main',
]

/** What one operation of each is: the page of the benchmark lists them. */
export const WORKLOAD_TEXT: Readonly<Record<string, string>> = {
  fillrandom: 'a put into a new store, keys in random order',
  readrandom: 'an awaited `get` of a random key, one at a time',
  'readrandom-16': 'the same by 16 readers at once',
  'readrandom-sync': 'the synchronous get of a random key',
  readmissing: 'the synchronous get of a key that is not there and lies between two that are',
  readpart: '4 KiB out of the middle of a random value (peers: the whole value and a cut)',
  getmany: 'a key of a call that asks for 100 random ones',
  scan: 'an entry of a full scan, keys and values (raw: values in the order of the file)',
  'scan-keys': 'an entry of a full scan of keys alone',
  ranges: '100 entries from a random key on, keys and values',
  'paced-get': 'an awaited `get` at a pace that was set: its latency counts from when it was due',
  'ycsb-a': 'YCSB, keys by Zipf, hot ones scattered: half reads, half updates',
  'ycsb-b': '19 reads, one update',
  'ycsb-c': 'reads',
  'ycsb-d': 'reads of the newest, one insert in 20',
  'ycsb-e': 'scans of 1 to 100 entries, one insert in 20',
  'ycsb-f': 'reads, half of them with an update of what was read',
  'cold-get-1': 'an awaited `get` with none of the files in the page cache',
  'cold-get-16': 'the same, 16 in flight',
  'cold-ranges': 'as `ranges`, none of the files in the page cache',
  'cold-scan': 'as `scan`, none of the files in the page cache',
  reopen: 'opening the closed store, and one get',
  'cold-reopen': 'the same, none of its files in the page cache',
  overwrite: 'a put over the loaded store, every key once in random order',
  'scan-overwritten': 'an entry of a full scan behind `overwrite`',
  'paced-put': 'a put at a pace that was set: its latency counts from when it was due',
  deletehalf:
    'a delete of every second key; then, until space does not shrink any more, bytes on disk over live ones',
  fillseq: 'a put into a new store, keys in ascending order',
  fillbatch: 'a put of an atomic batch of 64 into a new store, be it the fastest way or not',
  'fillsync-1': 'a durable put, one caller that awaits each',
  'fillsync-16': 'a durable put, 16 callers',
  'fillsync-64': 'a durable put, 64 callers',
  'fillsync-main':
    'the floor with an fdatasync on the main thread: what leaves the event loop alone cannot use it',
}
