/** A runner with a pool of its own, and a worker's code of its own. */

import { nodeFileSystem } from '#dist/lib/base/platform/node-file-system.js'
import { InlineRunner } from '#dist/lib/jobs/inline-runner.js'
import { PoolRunner } from '#dist/lib/jobs/pool-runner.js'
import type { JobRunner } from '#dist/lib/jobs/runner.js'
import { WorkerPool } from '#dist/lib/jobs/worker-pool.js'

export interface OwnPool extends JobRunner {
  readonly pool: WorkerPool
}

export function ownPool(workers: number, entry?: URL): OwnPool {
  const pool = new WorkerPool(entry)
  const runner = poolRunner(pool, workers)
  return {
    pool,
    run: (job, options) => runner.run(job, options),
    shareArena: (id, buffer) => runner.shareArena(id, buffer),
    forgetArena: (id) => runner.forgetArena(id),
    close: async () => {
      await runner.close()
      await pool.close()
    },
  }
}

/** One store's runner in a pool. */
export function poolRunner(
  pool: WorkerPool,
  workers: number,
  warn: (message: string) => void = () => undefined,
): JobRunner {
  const inline = new InlineRunner(nodeFileSystem)
  const runner = new PoolRunner({ pool, workers, inline, warn })
  return {
    run: (job, options) => runner.run(job, options),
    shareArena: (id, buffer) => {
      inline.shareArena(id, buffer)
      runner.shareArena(id, buffer)
    },
    forgetArena: (id) => {
      inline.forgetArena(id)
      runner.forgetArena(id)
    },
    close: async () => {
      await runner.close()
      await inline.close()
    },
  }
}
