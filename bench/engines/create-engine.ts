/**
 * From the name of an engine to the engine. Each is imported when it is asked for.
 */
import { COLD_READS, SYNCED, YCSB } from '../harness/workload-names.ts'
import type { Engine, EngineName, Extent } from './engine.ts'
import { blobOptions, LAZY_LEVELING, TABLE_OPTIONS, TIERING } from './settings.ts'

/** How levels are merged shows in fills, overwrites, gets and scans; in these it shows little. */
const NOT_OF_LEVELS: readonly string[] = [
  'readrandom-16',
  'readpart',
  'getmany',
  'paced-get',
  'paced-put',
  ...YCSB,
  ...COLD_READS,
  'reopen',
  'cold-reopen',
  'deletehalf',
  'fillbatch',
  ...Object.keys(SYNCED),
]

/**
 * Loads one engine; no other engine's code gets into the process.
 * @param spaceAmplification what its space should be bounded by; of `rocksdb-blob` only, whose settings follow it
 */
export async function createEngine(
  name: EngineName,
  data: Extent,
  spaceAmplification?: number,
): Promise<Engine> {
  switch (name) {
    case 'raw':
      return (await import('./raw.ts')).createRaw(data)
    case 'wisc':
      return (await import('./wisc.ts')).createWisc(data, {})
    case 'wisc-inline':
      return (await import('./wisc.ts')).createWisc(data, { valueThreshold: Infinity })
    case 'wisc-separated':
      return (await import('./wisc.ts')).createWisc(data, { valueThreshold: 0 })
    case 'wisc-lazy':
      return (await import('./wisc.ts')).createWisc(data, LAZY_LEVELING, NOT_OF_LEVELS)
    case 'wisc-tiered':
      return (await import('./wisc.ts')).createWisc(data, TIERING, NOT_OF_LEVELS)
    case 'classic-level':
      return (await import('./classic-level.ts')).createClassicLevel(data)
    case 'lmdb-nosync':
      return (await import('./lmdb.ts')).createLmdb(data, true)
    case 'lmdb':
      return (await import('./lmdb.ts')).createLmdb(data, false)
    case 'rocksdb':
      return (await import('./rocksdb.ts')).createRocksDb(data, TABLE_OPTIONS)
    case 'rocksdb-blob':
      return (await import('./rocksdb.ts')).createRocksDb(data, blobOptions(spaceAmplification))
    case 'rocksdb-nxt':
      return (await import('./rocksdb-nxt.ts')).createRocksDbNxt(data)
    case 'sqlite':
      return (await import('./sqlite.ts')).createSqlite(data)
    case 'files':
      return (await import('./files.ts')).createFiles(data)
    case 'cacache':
      return (await import('./cacache.ts')).createCacache(data)
  }
}
