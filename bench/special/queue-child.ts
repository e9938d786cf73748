/** A queue in a store: each step appends at its end, takes what is first, and deletes that. */
import { ClassicLevel } from 'classic-level'
import { open } from '../../lib/index.ts'
import { takeJob, tellParent } from '../harness/children.ts'

/** What the parent asks for. */
export interface QueueJob {
  readonly engine: 'wisc' | 'classic-level'
  readonly directory: string
  readonly steps: number
  readonly valueBytes: number
}

export interface QueueReport {
  readonly seconds: number
  /** Of the last tenth of the steps alone. */
  readonly lastTenthSeconds: number
}

/** A store as a queue uses it. */
interface Queue {
  put(key: Buffer, value: Buffer): Promise<void>
  /** The first key, by an iterator with a limit of 1. */
  first(): Promise<Buffer | undefined>
  remove(key: Buffer): Promise<void>
  close(): Promise<void>
}

takeJob<QueueJob>(run)

async function run(job: QueueJob): Promise<void> {
  const queue = job.engine === 'wisc' ? await openWisc(job) : await openClassicLevel(job)
  const value = Buffer.alloc(job.valueBytes, 7)
  const began = performance.now()
  let lastTenth = began
  for (let i = 0; i < job.steps; i++) {
    if (i === Math.floor(0.9 * job.steps)) lastTenth = performance.now()
    const key = Buffer.from(`job/${String(i).padStart(10, '0')}`)
    await queue.put(key, value)
    const first = await queue.first()
    if (!first?.equals(key)) throw new Error(`the queue gives ${first}, not ${key}`)
    await queue.remove(first)
  }
  const ended = performance.now()
  await queue.close()
  const seconds = (ended - began) / 1000
  const report: QueueReport = { seconds, lastTenthSeconds: (ended - lastTenth) / 1000 }
  await tellParent(report)
}

async function openWisc({ directory }: QueueJob): Promise<Queue> {
  const store = await open(directory)
  return {
    put: (key, value) => store.put(key, value),
    first: async () => {
      const keys = store.keys({ gte: 'job/', limit: 1 })
      const { value } = await keys.next()
      await keys.close()
      return value
    },
    remove: (key) => store.delete(key),
    close: () => store.close(),
  }
}

async function openClassicLevel({ directory }: QueueJob): Promise<Queue> {
  const options = { keyEncoding: 'buffer', valueEncoding: 'buffer' }
  const database: ClassicLevel<Buffer, Buffer> = new ClassicLevel(directory, options)
  await database.open()
  return {
    put: (key, value) => database.put(key, value),
    first: async () => {
      const keys = database.keys({ gte: Buffer.from('job/'), limit: 1 })
      const key = await keys.next()
      await keys.close()
      return key
    },
    remove: (key) => database.del(key),
    close: () => database.close(),
  }
}
