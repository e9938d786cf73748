/** Options of the stores that crash tests enumerate: so small that a few writes reach every part. */
import type { Options } from '#dist/lib/contract/options.js'

/** Nothing is collected unless it is asked for. */
export const TINY_OPTIONS: Options = {
  workers: 0,
  segmentBytes: 8192,
  memtableBytes: 65536,
  maxUnflushedLogBytes: 65536,
  maxPendingBytes: 65536,
  blockCacheBytes: 65536,
  valueThreshold: 256,
  tree: { sizeRatio: 3, tableBytes: 4096, blockBytes: 256 },
  collector: { enabled: false },
}
