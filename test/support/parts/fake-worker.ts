/**
 * Jobs that do what a script says, and the worker thread that runs them: to see who goes first, without files
 * of a store. The script travels in the name of the directory.
 */
import { closeSync, openSync, rmSync } from 'node:fs'
import { parentPort, threadId } from 'node:worker_threads'
import { CorruptionError, IoError } from '#dist/lib/base/errors.js'
import type { Job, JobResult } from '#dist/lib/jobs/messages.js'
import type { JobSlices } from '#dist/lib/jobs/run-job.js'
import { serveJobs } from '#dist/lib/jobs/serve-jobs.js'

export interface Script {
  readonly slices: number
  /** What each slice counts as read or written. */
  readonly bytes?: number
  /** How long a slice lasts. */
  readonly sliceMs?: number
  /** Made by the first slice, taken back if the job does not reach its end. */
  readonly file?: string
  /** Thrown after the last slice. */
  readonly failure?: 'corruption' | 'io'
  /** Elements of the array in its result. */
  readonly holes?: number
}

/** Made by a fake job of any kind. */
export interface FakeResult {
  readonly threadId: number
  /** Milliseconds since the process began. */
  readonly began: number
  readonly ended: number
  readonly files: readonly { readonly holes: Float64Array }[]
}

/** The cast: the script is all that its body looks at. */
export function fakeJob<K extends Job['kind']>(
  kind: K,
  script: Script,
): Extract<Job, { readonly kind: K }> {
  return { kind, directory: JSON.stringify(script) } as unknown as Extract<Job, { kind: K }>
}

/** Threads begin their clocks at different moments. */
function now(): number {
  return performance.timeOrigin + performance.now()
}

export function* fakeSlices(job: Job): JobSlices {
  const {
    slices,
    bytes,
    sliceMs = 0,
    file,
    failure,
    holes = 0,
  } = JSON.parse(job.directory) as Script
  const began = now()
  let finished = false
  try {
    if (file !== undefined) closeSync(openSync(file, 'wx'))
    for (let i = 0; i < slices; i++) {
      const until = performance.now() + sliceMs
      while (performance.now() < until);
      yield bytes
    }
    if (failure === 'corruption')
      throw new CorruptionError('000007.vlog', 4096, 'checksum mismatch')
    if (failure === 'io') throw new IoError('read', '/store/000007.vlog', 'EIO')
    finished = true
  } finally {
    if (file !== undefined && !finished) rmSync(file)
  }
  const files = holes > 0 ? [{ holes: new Float64Array(holes).map((_, i) => i) }] : []
  return { threadId, began, ended: now(), files } satisfies FakeResult as unknown as JobResult
}

if (parentPort) serveJobs(parentPort, fakeSlices)
