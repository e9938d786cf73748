/**
 * Stores whose size is bounded: a cache under a load by Zipf's law, and one in which everything expires. How often it
 * has what is asked for, what it writes, and how large it gets.
 */
import { askChild } from '../harness/children.ts'
import type { CacheJob, CacheReport } from './cache-child.ts'
import type { ExpiringJob, ExpiringReport } from './expiring-child.ts'
import { beginAnew, type SpecialContext, type SpecialReading } from './figures.ts'

const CACHE_CHILD = new URL('./cache-child.js', import.meta.url)
const EXPIRING_CHILD = new URL('./expiring-child.js', import.meta.url)
const MIB = 1024 * 1024
const CACHE = {
  maxBytes: 256 * MIB,
  valueBytes: 4096,
  keys: 262_144,
  operations: 600_000,
  exponent: 0.9,
} as const
const EXPIRING = {
  ttlMs: 30_000,
  durationMs: 120_000,
  bytesPerSecond: 16 * MIB,
  targetSpaceAmplification: 1.3,
  segmentBytes: 64 * MIB,
  valueBytes: 65536,
} as const

export async function fillCache(context: SpecialContext): Promise<SpecialReading[]> {
  await beginAnew(context)
  const job: CacheJob = { ...CACHE, directory: context.directory, seed: context.seed }
  const report = await askChild<CacheReport>(CACHE_CHILD, job)
  const [lru, fifo] = ['an LRU', 'a FIFO'].map(
    (of) => `cache hits of ${of} of its bytes, simulated`,
  )
  return [
    { name: 'cache hits', unit: 'of all gets', value: report.hits },
    { name: lru!, unit: 'of all gets', value: report.lruHits },
    { name: fifo!, unit: 'of all gets', value: report.fifoHits },
    { name: 'cache written', unit: 'bytes/user byte', value: report.writeAmplification },
    { name: 'cache puts', unit: '', value: report.puts },
    { name: 'cache puts of that LRU', unit: '', value: report.lruPuts },
    { name: 'cache on disk at most', unit: 'bytes', value: report.diskBytes },
    { name: 'cache put, median', unit: 'us', value: report.putP50Us },
    { name: 'cache put, 99.9 %', unit: 'us', value: report.putP999Us },
    { name: 'cache put, longest', unit: 'us', value: report.putMaxUs },
    { name: 'cache puts stood', unit: 'ms', value: report.stalledMs },
    { name: 'cache rate', unit: 'gets/s', value: report.rate },
  ]
}

export async function letExpire(context: SpecialContext): Promise<SpecialReading[]> {
  await beginAnew(context)
  const job: ExpiringJob = { ...EXPIRING, directory: context.directory }
  const report = await askChild<ExpiringReport>(EXPIRING_CHILD, job)
  return [
    { name: 'expire-steady puts', unit: '', value: report.puts },
    { name: 'expire-steady written', unit: 'bytes/user byte', value: report.writeAmplification },
    { name: 'expire-steady relocated', unit: 'bytes', value: report.relocatedBytes },
    { name: 'expire-steady live', unit: 'bytes', value: report.liveBytes },
    { name: 'expire-steady on disk at most', unit: 'bytes', value: report.diskBytes },
    { name: 'expire-steady bound', unit: 'bytes', value: report.boundBytes },
    { name: 'expire-steady in calls of put', unit: 's', value: report.putSeconds },
  ]
}
