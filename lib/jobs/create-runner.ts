/** Chooses who runs the jobs of a store. */
import type { FileSystem } from '../base/file-system.ts'
import type { Random } from '../base/random.ts'
import { InlineRunner } from './inline-runner.ts'
import type { JobRunner } from './runner.ts'
import { WorkerPool } from './worker-pool.ts'

/**
 * A runner with so many worker threads; with none it runs jobs on the calling thread.
 * @param fileSystem and `random` are used by jobs on the calling thread only: workers have the real
 *   ones
 */
export function createRunner(workers: number, fileSystem: FileSystem, random: Random): JobRunner {
  const makeInline = (): JobRunner => new InlineRunner(fileSystem, random)
  return workers === 0 ? makeInline() : new WorkerPool(workers, undefined, makeInline)
}
