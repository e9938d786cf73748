/** A store of many small files: fills it, or opens it and says what that took. */
import { type Options, open } from '../../lib/index.ts'
import { takeJob, tellParent } from '../harness/children.ts'
import type { FilesJob, FilesReport } from './results.ts'
import { storeFiles } from './store-files.ts'

/** One value fills a segment; four inline ones fill a table. */
const LOG_VALUE_BYTES = 2500
const TABLE_VALUE_BYTES = 1000
const VALUES_PER_TABLE = 4

const OPTIONS: Readonly<Record<FilesJob['kind'], Options>> = {
  log: { segmentBytes: 4096, valueThreshold: 100, collector: { enabled: false } },
  tables: {
    valueThreshold: Number.POSITIVE_INFINITY,
    tree: { tableBytes: 4096 },
    collector: { enabled: false },
  },
}

takeJob<FilesJob>(async (job) => {
  if (job.step === 'fill') await fill(job)
  else await tellParent(await measureOpen(job))
})

async function fill({ directory, kind, count }: FilesJob): Promise<void> {
  const store = await open(directory, OPTIONS[kind])
  const value = Buffer.alloc(kind === 'log' ? LOG_VALUE_BYTES : TABLE_VALUE_BYTES, 7)
  const values = kind === 'log' ? count : count * VALUES_PER_TABLE
  for (let i = 0; i < values; i++) await store.put(String(i).padStart(16, '0'), value)
  await store.close()
}

async function measureOpen({ directory, kind }: FilesJob): Promise<FilesReport> {
  // What the process does once, for any store, is not that of a file.
  await (await open(directory, OPTIONS[kind])).close()
  const memoryBefore = heldBytes()
  const [before, cpuBefore] = [performance.now(), cpuMs()]
  const store = await open(directory, OPTIONS[kind])
  const openMs = performance.now() - before
  const openCpuMs = cpuMs() - cpuBefore
  const firstStats = cpuMs()
  store.stats()
  const laterStats = cpuMs()
  store.stats()
  const ended = cpuMs()
  const memoryBytes = heldBytes() - memoryBefore
  const { valueLogFiles, tables, manifestBytes } = storeFiles(directory)
  await store.close()
  return {
    kind,
    valueLogFiles,
    tables,
    openMs,
    openCpuMs,
    firstStatsCpuMs: laterStats - firstStats,
    laterStatsCpuMs: ended - laterStats,
    memoryBytes,
    manifestBytes,
  }
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

function heldBytes(): number {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
