/** The option `cache` of `open`, and which others it goes with. */
import { invalidArgument } from '../base/errors.ts'
import { integer, plainObject, refuseUnknown } from './checks.ts'

/** A store that gives up what is oldest, instead of refusing what is new. */
export interface CacheOptions {
  /**
   * No more bytes on disk than this, whatever is written: when the store is full, the oldest writes go, and read as
   * missing. At least 1 MiB, four segments, six memtables, and four times maxUnflushedLogBytes.
   */
  readonly maxBytes: number
}

/** What has to fit into it. */
interface FittedOptions {
  readonly readOnly: boolean
  readonly segmentBytes: number
  readonly memtableBytes: number
  readonly maxUnflushedLogBytes: number
}

const MAX_BYTES_MIN = 1024 * 1024
/** A bound of a cache holds so many segments, and memtables, at least; so much of it may be in no table. */
const CACHE_SEGMENTS_MIN = 4
const CACHE_MEMTABLES_MIN = 6
const CACHE_UNFLUSHED_SHARE = 1 / 4

export function cacheOptions(given: Record<string, unknown>): CacheOptions | undefined {
  if (given['cache'] === undefined) return undefined
  const cache = plainObject(given['cache'], 'options.cache')
  refuseUnknown(cache, ['maxBytes'], 'cache')
  return {
    maxBytes: integer('cache.maxBytes', cache['maxBytes'], MAX_BYTES_MIN, Number.MAX_SAFE_INTEGER),
  }
}

/** Of a cache: a stream that is longer would push out everything else. */
const STREAM_SHARE = 1 / 2

/** The longest stream that is taken. */
export function streamBytesMax(cache: CacheOptions | undefined): number {
  return cache ? Math.floor(cache.maxBytes * STREAM_SHARE) : Number.POSITIVE_INFINITY
}

/** @throws WISC_INVALID_ARGUMENT for options that a cache cannot have, or that do not fit into it */
export function checkCache(
  { maxBytes }: CacheOptions,
  given: Record<string, unknown>,
  { readOnly, segmentBytes, memtableBytes, maxUnflushedLogBytes }: FittedOptions,
): void {
  if (readOnly)
    throw invalidArgument('a store that is opened readOnly evicts nothing: leave cache out')
  const settings = plainObject(given['collector'] ?? {}, 'options.collector')
  const named = Object.keys(settings).find((name) => settings[name] !== undefined)
  if (named !== undefined) {
    const reason = 'a cache evicts, and collects nothing: leave the settings of the collector out'
    throw invalidArgument(`${reason}, cache.maxBytes is its bound name=collector.${named}`)
  }
  if (
    maxBytes < CACHE_SEGMENTS_MIN * segmentBytes ||
    maxBytes < CACHE_MEMTABLES_MIN * memtableBytes
  ) {
    throw invalidArgument(
      `cache.maxBytes must be at least ${CACHE_SEGMENTS_MIN} times segmentBytes and ${CACHE_MEMTABLES_MIN} times ` +
        `memtableBytes maxBytes=${maxBytes} segmentBytes=${segmentBytes} memtableBytes=${memtableBytes}`,
    )
  }
  if (maxUnflushedLogBytes > maxBytes * CACHE_UNFLUSHED_SHARE) {
    throw invalidArgument(
      'maxUnflushedLogBytes must be at most a quarter of cache.maxBytes: what is in no table cannot be evicted ' +
        `maxUnflushedLogBytes=${maxUnflushedLogBytes} maxBytes=${maxBytes}`,
    )
  }
}
