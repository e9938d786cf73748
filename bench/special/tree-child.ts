/** The files of a directory tree in one engine: put as a walk finds them, read at random, read all. */
import path from 'node:path'
import { createEngine } from '../engines/create-engine.ts'
import type { EngineName, Source } from '../engines/engine.ts'
import { takeJob, tellParent } from '../harness/children.ts'
import { Random } from '../harness/data-set.ts'
import { readDiskUsage } from '../harness/disk-usage.ts'
import { clearDebts, repeat, settle, timed } from '../harness/measure.ts'
import { TreeData } from '../harness/tree-data.ts'

/** What the parent asks for. */
export interface TreeJob {
  readonly engine: EngineName
  readonly directory: string
  readonly files: number
  readonly seed: number
}

export interface TreeReport {
  /** Files a second. */
  readonly load: number
  readonly get: number
  readonly scan: number
  /** Bytes on disk over those of paths and files, when all is at rest. */
  readonly space: number
}

/** Random reads go on for so long. */
const READ_SECONDS = 1

takeJob<TreeJob>(async (job) => tellParent(await run(job)))

async function run(job: TreeJob): Promise<TreeReport> {
  const data = new TreeData(job.files, job.seed)
  const engine = await createEngine(job.engine, data)
  const directory = path.join(job.directory, 'store')
  const source: Source = {
    count: data.entries,
    index: (i) => i,
    key: (index) => data.key(index),
    value: (index) => data.value(index),
  }
  const loading = await engine.open(directory)
  clearDebts()
  const loadSeconds = await timed(() => loading.fill(engine.ways[0]!, source))
  await loading.close()

  const store = await engine.open(directory)
  await settle()
  clearDebts()
  const random = new Random(job.seed + 1)
  const { operations, seconds } = await repeat(READ_SECONDS, async () => {
    const index = random.below(data.entries)
    data.check(index, await store.get(data.key(index), index))
  })
  let index = 0
  const scanSeconds = await timed(() => store.scan((value) => data.check(index++, value)))
  if (index !== data.entries) throw new Error(`the scan missed files found=${index}`)
  await store.close()
  const userBytes = data.order.reduce((sum, each) => sum + data.key(each).length, data.totalBytes)
  return {
    load: data.entries / loadSeconds,
    get: operations / seconds,
    scan: data.entries / scanSeconds,
    space: readDiskUsage(directory).diskBytes / userBytes,
  }
}
