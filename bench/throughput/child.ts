/**
 * The process of one engine at one value size: takes its job from the parent's message, sends every result.
 */

import { createEngine } from '../engines/create-engine.ts'
import { takeJob } from '../harness/children.ts'
import { DataSet } from '../harness/data-set.ts'
import type { WorkloadResult } from '../harness/measure.ts'
import type { Job } from './results.ts'
import { runWorkloads } from './workloads.ts'

takeJob<Job>(run)

async function run(job: Job): Promise<void> {
  const data = new DataSet(job.totalBytes, job.valueBytes, job.seed)
  const engine = await createEngine(job.engine, data)
  await runWorkloads(job, data, engine, (result: WorkloadResult) => process.send?.(result))
}
