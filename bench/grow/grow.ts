/**
 * `grow`: what a put, a get, an overwrite, an open and memory cost while a store grows by orders of magnitude. Each
 * step goes on with the store of the step before; each of its phases has a process of its own.
 */
import fs from 'node:fs'
import path from 'node:path'
import { askChild, runChild } from '../harness/children.ts'
import { middleFiles, middlePhase } from './middle.ts'
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
    return askChild<PhaseReport>(CHILD, job)
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
      note({ keys, keysBefore, valueBytes, fill, read: middlePhase(reads), fewTables, overwrite })
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
      const reports: FilesReport[] = []
      try {
        await runChild<FilesReport>(FILES_CHILD, job, () => undefined)
        for (let i = 0; i < rounds; i++) {
          await prepare()
          reports.push(await askChild<FilesReport>(FILES_CHILD, { ...job, step: 'open' }))
        }
      } finally {
        fs.rmSync(store, { recursive: true, force: true })
      }
      note(middleFiles(reports))
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
