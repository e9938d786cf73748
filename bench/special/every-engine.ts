/**
 * Measurements that ask every engine: the files of a directory tree, and an open behind kill -9.
 */
import type { EngineName } from '../engines/engine.ts'
import { ENTRIES_MAX } from '../engines/settings.ts'
import { askChild, runChild } from '../harness/children.ts'
import { beginAnew, type SpecialContext, type SpecialReading } from './figures.ts'
import type { KilledJob, KilledReport } from './killed-child.ts'
import type { TreeJob, TreeReport } from './tree-child.ts'

const TREE_CHILD = new URL('./tree-child.js', import.meta.url)
const KILLED_CHILD = new URL('./killed-child.js', import.meta.url)
const TREE_FILES = 10_000
const KILLED_BYTES = 128 * 1024 * 1024
const KILLED_VALUE_BYTES = 4096
const UNITS = {
  load: 'files/s',
  get: 'files/s',
  scan: 'files/s',
  space: 'bytes/user byte',
} as const

/** The floor has no keys, and values of one size; the durable lmdb opens and reads as the other one does. */
function withKeys({ engines }: SpecialContext): EngineName[] {
  return engines.filter((engine) => engine !== 'raw' && engine !== 'lmdb')
}

/** 10,000 files of mixed sizes under their paths: loaded in order, read at random, read all. */
export async function storeTree(context: SpecialContext): Promise<SpecialReading[]> {
  const { directory, seed } = context
  const readings: SpecialReading[] = []
  for (const engine of withKeys(context)) {
    await beginAnew(context)
    const job: TreeJob = { engine, directory, files: TREE_FILES, seed }
    const report = await askChild<TreeReport>(TREE_CHILD, job)
    for (const part of ['load', 'get', 'scan', 'space'] as const) {
      readings.push({ name: `tree ${engine} ${part}`, unit: UNITS[part], value: report[part] })
    }
  }
  return readings
}

/** Opening a store whose process was killed in the midst of overwrites, and a get. */
export async function openKilled(context: SpecialContext): Promise<SpecialReading[]> {
  const { directory, seed } = context
  const readings: SpecialReading[] = []
  for (const engine of withKeys(context)) {
    const totalBytes = Math.min(
      KILLED_BYTES,
      (ENTRIES_MAX[engine] ?? Infinity) * KILLED_VALUE_BYTES,
    )
    const base = { engine, directory, totalBytes, valueBytes: KILLED_VALUE_BYTES, seed }
    const job: KilledJob = { ...base, step: 'overwrite' }
    await beginAnew(context)
    await runChild(KILLED_CHILD, job, (_message, child) => child.kill('SIGKILL'))
    const { openMs } = await askChild<KilledReport>(KILLED_CHILD, { ...job, step: 'open' })
    readings.push({ name: `reopen-killed ${engine} open and get`, unit: 'ms', value: openMs })
  }
  return readings
}
