/**
 * `grow`: what a put, a get, an overwrite, an open and memory cost while a store grows by orders of magnitude. Each
 * step goes on with the store of the step before; each of its phases has a process of its own.
 */
import fs from 'node:fs'
import path from 'node:path'
import { runChild } from '../harness/children.ts'
import type { FilesJob, FilesReport, GrowJob, GrowStep, PhaseReport } from './results.ts'

const CHILD = new URL('./child.js', import.meta.url)
const FILES_CHILD = new URL('./files-child.js', import.meta.url)
/** What the store takes at its largest: a collector at 1.3, two segments, tables and what is being written anew. */
const SPACE_MAX = 1.5
const FREE_BYTES_LEFT = 2 * 1024 ** 3

/** What is to be measured, and where. */
export interface GrowPlan {
  /** Ascending. */
  readonly keys: readonly number[]
  readonly valueBytes: number
  /** No step beyond so many bytes of values. */
  readonly bytesMax: number
  readonly overwriteShare: number
  /** Stores of so many small files, beside that. */
  readonly files: readonly number[]
  readonly rounds: number
  readonly seconds: number
  readonly seed: number
  readonly directory: string
  /** Called before each process that is measured. */
  readonly prepare: () => Promise<void>
}

/** Notes each step as it ends: a later one may fail. @throws Error if one does, or the disk is too small */
export async function runGrow(plan: GrowPlan, note: (step: GrowStep) => void): Promise<void> {
  const { valueBytes, overwriteShare, seconds, seed } = plan
  const sizes = plan.keys.filter((keys) => keys * valueBytes <= plan.bytesMax)
  checkRoom(plan.directory, (sizes.at(-1) ?? 0) * valueBytes)
  const directory = path.join(plan.directory, 'grow')
  const run = async (phase: GrowJob['phase'], keysBefore: number, keys: number) => {
    await plan.prepare()
    const job = { phase, directory, valueBytes, keysBefore, keys, overwriteShare, seconds, seed }
    return runPhase(job)
  }
  try {
    let keysBefore = 0
    for (const keys of sizes) {
      console.error(`grow to ${keys} keys`)
      const fill = await run('fill', keysBefore, keys)
      const reads: PhaseReport[] = []
      for (let i = 0; i < plan.rounds; i++) reads.push(await run('read', keys, keys))
      const fewTables = await run('few-tables', keys, keys)
      const overwrite = await run('overwrite', keys, keys)
      note({ keys, keysBefore, valueBytes, fill, read: bestOf(reads), fewTables, overwrite })
      keysBefore = keys
    }
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

/** Stores of so many files of the log, and of so many tables. */
export async function runManyFiles(
  { files, rounds, prepare, directory }: GrowPlan,
  note: (report: FilesReport) => void,
): Promise<void> {
  for (const kind of ['log', 'tables'] as const) {
    for (const count of files) {
      const store = path.join(directory, 'files')
      console.error(`grow: ${count} ${kind === 'log' ? 'files of the log' : 'tables'}`)
      const job: FilesJob = { step: 'fill', kind, count, directory: store }
      let best: FilesReport | undefined
      try {
        await runChild<FilesReport>(FILES_CHILD, job, () => undefined)
        for (let i = 0; i < rounds; i++) {
          await prepare()
          await runChild<FilesReport>(FILES_CHILD, { ...job, step: 'open' }, (report) => {
            if (best === undefined || report.openCpuMs < best.openCpuMs) best = report
          })
        }
      } finally {
        fs.rmSync(store, { recursive: true, force: true })
      }
      if (best) note(best)
    }
  }
}

function checkRoom(folder: string, bytes: number): void {
  const { bavail, bsize } = fs.statfsSync(folder)
  const missing = SPACE_MAX * bytes + FREE_BYTES_LEFT - bavail * bsize
  if (missing > 0) {
    throw new Error(
      `grow needs ${missing} bytes more than ${folder} has free: --grow-bytes bounds it`,
    )
  }
}

async function runPhase(job: GrowJob): Promise<PhaseReport> {
  let found: PhaseReport | undefined
  await runChild<PhaseReport>(CHILD, job, (report) => {
    found = report
  })
  if (found === undefined) throw new Error(`the child reported nothing phase=${job.phase}`)
  return found
}

/** Of each time the shortest, of memory the highest; the rest is the same in all. */
function bestOf(reports: readonly PhaseReport[]): PhaseReport {
  const least = (of: (report: PhaseReport) => number): number => Math.min(...reports.map(of))
  const [first] = reports
  const costs = Object.keys(first!.costs).map((name) => [
    name,
    {
      operations: least(({ costs }) => costs[name]!.operations),
      wallUs: least(({ costs }) => costs[name]!.wallUs),
      cpuUs: least(({ costs }) => costs[name]!.cpuUs),
    },
  ])
  const peaks = reports
    .map(({ memoryPeakBytes }) => memoryPeakBytes)
    .filter((peak) => peak !== null)
  return {
    ...first!,
    openMs: least(({ openMs }) => openMs),
    openCpuMs: least(({ openCpuMs }) => openCpuMs),
    memoryPeakBytes: peaks.length === 0 ? null : Math.max(...peaks),
    costs: Object.fromEntries(costs),
  }
}
