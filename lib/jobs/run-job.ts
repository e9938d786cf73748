/**
 * Turns a job into its body: a generator that yields after bounded steps and returns the result.
 */

import { ValueReader } from '../../vlog/value-reader.ts'
import type { FileSystem } from '../base/file-system.ts'
import type { Random } from '../base/random.ts'
import { compactionSteps } from '../tree/compaction.ts'
import { flushSteps } from '../tree/flush.ts'
import type { FlushJob, Job, JobResult } from './messages.ts'

/** Segments that a flush keeps open while it fetches inline values from the log. */
const OPEN_SEGMENTS_MAX = 4

/** What jobs use of the thread that they run on. */
export interface JobContext {
  readonly fileSystem: FileSystem
  readonly random: Random
  /** The memory of an arena that was shared. */
  readonly arenaBuffer: (arenaId: number) => SharedArrayBuffer
}

/** Ending the generator early (`return`) takes back what the job has written. */
export function startJob(job: Job, context: JobContext): Generator<void, JobResult> {
  return job.kind === 'flush' ? flushJob(job, context) : compactionSteps(job, context)
}

function* flushJob(job: FlushJob, context: JobContext): Generator<void, JobResult> {
  const { directory, databaseId } = job
  const values = new ValueReader({ ...context, directory, databaseId }, OPEN_SEGMENTS_MAX)
  try {
    return yield* flushSteps(job, { ...context, readDeferred: (entry) => values.read(entry) })
  } finally {
    values.close()
  }
}
