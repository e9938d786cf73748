/** The workloads by the names that `--workloads` takes, in the order in which a child runs them. */

/** They fill a store, in each of an engine's ways. */
export const LOADS = ['fillrandom', 'overwrite', 'fillseq'] as const

/** They read a loaded store. */
export const READS = [
  'readrandom',
  'readrandom-sync',
  'readmissing',
  'scan',
  'scan-keys',
  'ranges',
  'ycsb-b',
] as const

/** They read a store none of whose files is in the page cache. */
export const COLD_READS = ['cold-get-16', 'cold-ranges', 'cold-scan'] as const

/** All of them; fillsync-main is the raw floor's alone. */
export const WORKLOADS: readonly string[] = [
  'fillrandom',
  ...READS,
  ...COLD_READS,
  'overwrite',
  'fillseq',
  'fillsync-1',
  'fillsync-64',
  'fillsync-main',
]
