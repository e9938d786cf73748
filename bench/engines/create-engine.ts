/**
 * From the name of an engine to the engine. Each is imported when it is asked for.
 */
import type { DataSet } from '../harness/data-set.ts'
import type { Engine, EngineName } from './engine.ts'
import { blobOptions, LAZY_LEVELING, TABLE_OPTIONS, TIERING } from './settings.ts'

/**
 * Loads one engine; no other engine's code gets into the process.
 * @param spaceAmplification what its space should be bounded by; of `rocksdb-blob` only, whose settings follow it
 */
export async function createEngine(
  name: EngineName,
  data: DataSet,
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
      return (await import('./wisc.ts')).createWisc(data, LAZY_LEVELING)
    case 'wisc-tiered':
      return (await import('./wisc.ts')).createWisc(data, TIERING)
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
  }
}
