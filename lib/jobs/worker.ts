/**
 * The entry of a worker thread.
 *
 * A job opens by name what it reads, and closes every descriptor before it answers. On Linux, where a
 * priority belongs to a thread, the worker lowers its own: two busy workers take most of the main thread's
 * core otherwise.
 */
import { constants, setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { fileSystemOfMode } from '../base/platform/node-file-system.ts'
import { systemRandom } from '../base/random.ts'
import { startJob } from './run-job.ts'
import { serveJobs } from './serve-jobs.ts'

/** @returns false where it is not allowed; then jobs merely compete with the main thread */
function lowerPriority(): boolean {
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
    return true
  } catch {
    return false
  }
}

if (process.platform === 'linux') lowerPriority()
if (parentPort) {
  serveJobs(parentPort, (job, arenaBuffer) =>
    startJob(job, {
      fileSystem: fileSystemOfMode(job.fileMode),
      random: systemRandom,
      arenaBuffer,
    }),
  )
}
