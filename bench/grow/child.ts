/** One phase of `grow`: opens the store as the phase before has left it, and fills, reads or overwrites it. */
import { open, type Stats, type Store } from '../../lib/index.ts'
import { windowEntries } from '../engines/engine.ts'
import { takeJob, tellParent } from '../harness/children.ts'
import { Random } from '../harness/data-set.ts'
import { clearDebts, repeat, repeatSync, settle } from '../harness/measure.ts'
import { Peaks } from '../harness/peaks.ts'
import { GROWN_KEY_BYTES, GrownKeys } from './grown-keys.ts'
import type { GrowJob, OperationCost, PhaseReport } from './results.ts'
import { storeFiles } from './store-files.ts'

/** Tables get half of these. */
const FEW_FILES = 16
/** So many keys are read again and again: their blocks and values are in memory whatever the size of the store. */
const HOT_KEYS = 10_000

takeJob<GrowJob>(async (job) => tellParent(await run(job)))

/** What a phase has measured. */
type Measured = Pick<PhaseReport, 'costs' | 'written' | 'tableBytesWritten' | 'compactions'>

async function run(job: GrowJob): Promise<PhaseReport> {
  const keys = new GrownKeys(job.valueBytes, job.seed)
  clearDebts()
  const peaks = new Peaks()
  const [before, cpuBefore] = [performance.now(), process.cpuUsage()]
  const store = await open(
    job.directory,
    job.phase === 'few-tables' ? { maxOpenFiles: FEW_FILES } : {},
  )
  const openMs = performance.now() - before
  const openCpuMs = cpuMicroseconds(cpuBefore) / 1000
  const measured = await PHASES[job.phase](store, keys, job)
  const { memoryPeakBytes } = peaks.finish()
  const stats = store.stats()
  await store.close()
  return {
    openMs,
    openCpuMs,
    memoryPeakBytes,
    ...measured,
    levels: stats.levels.map(({ runs, tables, bytes, entries }) => ({
      runs,
      tables,
      bytes,
      entries,
    })),
    segments: stats.segments,
    relocations: stats.relocations,
    openFiles: stats.openFiles,
    files: storeFiles(job.directory),
  }
}

const PHASES: {
  readonly [Phase in GrowJob['phase']]: (
    store: Store,
    keys: GrownKeys,
    job: GrowJob,
  ) => Promise<Measured>
} = { fill, read, 'few-tables': readWithFewTables, overwrite }

async function fill(store: Store, keys: GrownKeys, job: GrowJob): Promise<Measured> {
  const count = job.keys - job.keysBefore
  return putAll(store, 'put', job.valueBytes, count, (i) => {
    const number = job.keysBefore + i
    return [keys.key(number), keys.value(number, number)]
  })
}

/** The first half brings the store to the state in which it goes on for ever. */
async function overwrite(store: Store, keys: GrownKeys, job: GrowJob): Promise<Measured> {
  const half = Math.ceil((job.keys * job.overwriteShare) / 2)
  const random = new Random(job.seed + job.keys)
  const next = (i: number): [Buffer, Buffer] => {
    const number = random.below(job.keys)
    return [keys.key(number), keys.value(number, job.keys + i)]
  }
  await putAll(store, 'warm-up', job.valueBytes, half, next)
  return putAll(store, 'overwrite', job.valueBytes, half, next)
}

/** Puts, and what they have the store do until it rests again. */
async function putAll(
  store: Store,
  name: string,
  valueBytes: number,
  count: number,
  next: (i: number) => [key: Buffer, value: Buffer],
): Promise<Measured> {
  const before = store.stats()
  let put = 0
  const write = async (): Promise<void> => {
    while (put < count) await store.put(...next(put++))
  }
  const [start, cpuBefore] = [performance.now(), process.cpuUsage()]
  await Promise.all(Array.from({ length: windowEntries(valueBytes) }, write))
  const wallUs = ((performance.now() - start) * 1000) / count
  await store.flush()
  await settle()
  const cost = { operations: count, wallUs, cpuUs: cpuMicroseconds(cpuBefore) / count }
  const after = store.stats()
  const written = writtenBytes(after) - writtenBytes(before)
  return {
    costs: { [name]: cost },
    written: written / (count * (valueBytes + GROWN_KEY_BYTES)),
    tableBytesWritten: after.tableBytesWritten - before.tableBytesWritten,
    compactions: after.compactions - before.compactions,
  }
}

function writtenBytes({
  logBytesWritten,
  tableBytesWritten,
  relocatedBytesWritten,
}: Stats): number {
  return logBytesWritten + tableBytesWritten + relocatedBytesWritten
}

async function read(store: Store, keys: GrownKeys, job: GrowJob): Promise<Measured> {
  const random = new Random(job.seed)
  const any = (): number => random.below(job.keys)
  const hotKeys = Uint32Array.from({ length: Math.min(HOT_KEYS, job.keys) }, any)
  const hot = (): number => hotKeys[random.below(hotKeys.length)]!
  const first = performance.now()
  keys.check(0, await store.get(keys.key(0)))
  const firstGetUs = (performance.now() - first) * 1000
  for (const number of hotKeys) keys.check(number, store.getSync(keys.key(number)))
  const getSync = (choose: () => number) => () => {
    const number = choose()
    keys.check(number, store.getSync(keys.key(number)))
  }
  const missing = (): void => {
    if (store.getSync(keys.missingKey(any())) !== undefined) throw new Error('a key is not missing')
  }
  const get = async (): Promise<void> => {
    const number = any()
    keys.check(number, await store.get(keys.key(number)))
  }
  const { seconds } = job
  const costs = {
    'first get': { operations: 1, wallUs: firstGetUs, cpuUs: firstGetUs },
    'getSync, hot': await costOf(() => repeatSync(seconds, getSync(hot))),
    'getSync, missing': await costOf(() => repeatSync(seconds, missing)),
    'getSync, any': await costOf(() => repeatSync(seconds, getSync(any))),
    'get, any': await costOf(() => repeat(seconds, get)),
  }
  return { costs, written: null, tableBytesWritten: 0, compactions: 0 }
}

/** Keys whose values are in memory, all over the tables. */
async function readWithFewTables(store: Store, keys: GrownKeys, job: GrowJob): Promise<Measured> {
  const random = new Random(job.seed + 1)
  const hot = Uint32Array.from({ length: Math.min(HOT_KEYS, job.keys) }, () =>
    random.below(job.keys),
  )
  for (const number of hot) keys.check(number, store.getSync(keys.key(number)))
  const read = (): void => {
    const number = hot[random.below(hot.length)]!
    keys.check(number, store.getSync(keys.key(number)))
  }
  const costs = { 'getSync, hot, few tables': await costOf(() => repeatSync(job.seconds, read)) }
  return { costs, written: null, tableBytesWritten: 0, compactions: 0 }
}

async function costOf(
  run: () => Promise<{ readonly operations: number; readonly seconds: number }>,
): Promise<OperationCost> {
  const cpuBefore = process.cpuUsage()
  const { operations, seconds } = await run()
  const cpuUs = cpuMicroseconds(cpuBefore) / operations
  return { operations, wallUs: (seconds * 1e6) / operations, cpuUs }
}

function cpuMicroseconds(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return user + system
}
