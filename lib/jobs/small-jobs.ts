/**
 * Which jobs are so small that the calling thread runs them itself. Pure.
 *
 * A worker that is not there yet takes 20 ms and 9 MiB, on a busy machine 100 to 400 ms, and the stores of a process
 * with many hold little each. At the limit, some 1,200 entries of 16-byte keys, a flush takes 0.6 ms of the calling
 * thread, in steps of at most 0.4 ms; its syncs go to the thread pool.
 */
import type { Job } from './messages.ts'

/** Bytes that a flush or a compaction reads. */
const SMALL_JOB_BYTES_MAX: number = 64 * 1024

/** True for a job that is over before a worker has heard of it. */
export function isSmallJob(job: Job): boolean {
  if (job.kind === 'flush') {
    const { usedBytes, deferredBytes } = job.memtable
    return usedBytes + deferredBytes <= SMALL_JOB_BYTES_MAX
  }
  if (job.kind !== 'compaction') return false
  let bytes = 0
  for (const tables of job.inputs) for (const table of tables) bytes += table.bytes
  return bytes <= SMALL_JOB_BYTES_MAX
}
