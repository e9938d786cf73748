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
