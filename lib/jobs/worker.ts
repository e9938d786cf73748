/**
 * The entry of a worker thread.
 *
 * A job opens by name what it reads, and closes every descriptor before it answers. On Linux, where a
 * priority belongs to a thread, the worker lowers its own: two busy workers take most of the main thread's
 * core otherwise.
 */
import { constants, setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import type { File, FileSystem, OpenMode } from '../base/files/file-system.ts'
import { ForwardingFileSystem } from '../base/files/forwarding-file-system.ts'
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

/** Tells of each file before it is made: a thread that ends behind it has told. */
class ToldFileSystem extends ForwardingFileSystem {
  readonly #made: (path: string) => void

  constructor(base: FileSystem, made: (path: string) => void) {
    super(base)
    this.#made = made
  }

  override open(path: string, mode: OpenMode): File {
    if (mode === 'create') this.#made(path)
    return super.open(path, mode)
  }
}

if (process.platform === 'linux') lowerPriority()
if (parentPort) {
  serveJobs(parentPort, (job, arenaBuffer, made) =>
    startJob(job, {
      fileSystem: new ToldFileSystem(fileSystemOfMode(job.fileMode), made),
      random: systemRandom,
      arenaBuffer,
    }),
  )
}
