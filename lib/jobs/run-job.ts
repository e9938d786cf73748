/**
 * Turns a job into its body: a generator that yields after bounded slices and returns the result.
 */

import { markSlices } from '../../vlog/collect/mark.ts'
import { punchSlices } from '../../vlog/collect/punch.ts'
import { rewriteSlices } from '../../vlog/collect/rewrite.ts'
import { NO_RELOCATIONS } from '../../vlog/read/value-file.ts'
import { ValueReader } from '../../vlog/read/value-reader.ts'
import { PresentPlaces } from '../../vlog/relocation/present-places.ts'
import { compressSlices } from '../../vlog/value-codec.ts'
import { BlockCache } from '../base/files/block-cache.ts'
import type { FileSystem } from '../base/files/file-system.ts'
import { Ground, type GroundMarks } from '../base/files/ground.ts'
import { GuardedFileSystem } from '../base/files/guarded-file-system.ts'
import { compactionSlices } from '../tree/compaction/compaction.ts'
import { flushSlices } from '../tree/compaction/flush.ts'
import { markPointers } from '../tree/compaction/mark-pointers.ts'
import type { JobPorts } from '../tree/compaction/run-writer.ts'
import { shadowWalkSlices } from '../tree/compaction/shadow-walk.ts'
import { livenessBy } from '../tree/compaction/table-liveness.ts'
import { shareWriter } from './job-progress.ts'
import type { CompactionJob, FlushJob, Job, JobResult } from './messages.ts'

/** Segments that a flush keeps open while it fetches inline values from the log. */
const OPEN_SEGMENTS_MAX = 4

/** What jobs use of the thread that they run on. */
export interface JobContext extends JobPorts {
  /** The memory of an arena that was shared. */
  readonly arenaBuffer: (arenaId: number) => SharedArrayBuffer
}

/**
 * Each slice yields the bytes that it has read or written, if it counts them: a flush and a compaction do not. They
 * may yield a promise, which has to be settled before the next slice (slice-queue.ts).
 * Ending it early (`return`) takes back what the job has written.
 */
export type JobSlices = Generator<unknown, JobResult>

export function startJob(job: Job, given: JobContext): JobSlices {
  const progress = job.progress && shareWriter(job.progress)
  const context = {
    ...given,
    fileSystem: guarded(given.fileSystem, job.ground),
    ...(progress && { progress }),
  }
  switch (job.kind) {
    case 'flush':
      return flushJob(job, context)
    case 'compaction':
      return compactionJob(job, context)
    case 'mark':
      return markSlices(job, markPointers(job, context.fileSystem), context)
    case 'rewrite':
      return rewriteSlices(job, livenessBy(job, context.fileSystem), context)
    case 'punch':
      return punchSlices(job, markPointers(job, context.fileSystem), context)
    case 'walk':
      return shadowWalkSlices(job, context)
    case 'compress':
      return compressSlices(job.chunks, job.level)
  }
}

function guarded(fileSystem: FileSystem, marks: GroundMarks | undefined): FileSystem {
  return marks ? new GuardedFileSystem(fileSystem, new Ground(fileSystem, marks)) : fileSystem
}

function* compactionJob(job: CompactionJob, context: JobContext): JobSlices {
  if (job.folds.length === 0) return { ...(yield* compactionSlices(job, context)), unreadable: [] }
  const places = new PresentPlaces(job.folds, job, context.fileSystem)
  try {
    const result = yield* compactionSlices(job, context, places)
    return { ...result, unreadable: [...places.failed] }
  } finally {
    places.close()
  }
}

function* flushJob(job: FlushJob, context: JobContext): JobSlices {
  const { directory, databaseId } = job
  const values = new ValueReader(
    { ...context, directory, databaseId },
    OPEN_SEGMENTS_MAX,
    NO_RELOCATIONS,
    new BlockCache(0),
  )
  try {
    return yield* flushSlices(job, { ...context, readDeferred: (entry) => values.read(entry) })
  } finally {
    values.close()
  }
}
