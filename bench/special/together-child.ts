/** Writing together: updates of one hot key, and a queue whose jobs are handed out once each. */
import { open as openLmdb } from 'lmdb'
import { open } from '../../lib/index.ts'
import { takeJob, tellParent } from '../harness/children.ts'

/** What the parent asks for. */
export interface TogetherJob {
  readonly engine: 'wisc' | 'lmdb-nosync'
  /** `update`: 64 callers add one to one key. `claim`: 8 workers take job after job. */
  readonly step: 'update' | 'claim'
  readonly directory: string
  readonly count: number
}

export interface TogetherReport {
  readonly perSecond: number
  /** Of the processor, user and system, of all threads. */
  readonly cpuMicroseconds: number
}

/** A store as these steps use it. */
interface Together {
  put(key: string, value: string): Promise<unknown>
  addOne(key: string): Promise<unknown>
  /** Takes the first job. @returns its key */
  claim(): Promise<string | undefined>
  /** The job is done. */
  end(key: string): Promise<unknown>
  /** Waits until what was put is where it stays. */
  settle(): Promise<unknown>
  get(key: string): string
  close(): Promise<void>
}

const CALLERS = 64
const WORKERS = 8
const JOB_BYTES = 100

takeJob<TogetherJob>(run)

async function run({ engine, step, directory, count }: TogetherJob): Promise<void> {
  const store = engine === 'wisc' ? await openWisc(directory) : openNoSync(directory)
  if (step === 'update') await store.put('n', '0')
  else await fillQueue(store, count)
  const before = process.cpuUsage()
  const began = performance.now()
  if (step === 'update') await addTogether(store, count)
  else await claimTogether(store, count)
  const seconds = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage(before)
  await store.close()
  const cpuMicroseconds = (user + system) / count
  const report: TogetherReport = { perSecond: count / seconds, cpuMicroseconds }
  await tellParent(report)
}

async function addTogether(store: Together, count: number): Promise<void> {
  let left = count
  const call = async (): Promise<void> => {
    while (left-- > 0) await store.addOne('n')
  }
  await Promise.all(Array.from({ length: CALLERS }, call))
  if (store.get('n') !== String(count)) throw new Error(`updates were lost n=${store.get('n')}`)
}

async function fillQueue(store: Together, count: number): Promise<void> {
  const task = 'x'.repeat(JOB_BYTES)
  const puts: Promise<unknown>[] = []
  for (let i = 0; i < count; i++) puts.push(store.put(`job/${String(i).padStart(9, '0')}`, task))
  await Promise.all(puts)
  await store.settle()
}

async function claimTogether(store: Together, count: number): Promise<void> {
  let ended = 0
  const work = async (): Promise<void> => {
    for (let key = await store.claim(); key !== undefined; key = await store.claim()) {
      await store.end(key)
      ended++
    }
  }
  await Promise.all(Array.from({ length: WORKERS }, work))
  if (ended !== count) throw new Error(`jobs were not handed out once each ended=${ended}`)
}

async function openWisc(directory: string): Promise<Together> {
  const store = await open(directory)
  return {
    put: (key, value) => store.put(key, value),
    addOne: (key) => store.update(key, (value) => String(Number(value) + 1)),
    claim: () =>
      store.transactionSync((tx) => {
        for (const [key, task] of tx.entries({ prefix: 'job/', limit: 1 })) {
          tx.delete(key)
          tx.put(`claimed/${key}`, task)
          return String(key)
        }
        return undefined
      }),
    end: (key) => store.delete(`claimed/${key}`),
    settle: () => store.flush(),
    get: (key) => String(store.getSync(key)),
    close: () => store.close(),
  }
}

function openNoSync(path: string): Together {
  const bytes = Buffer.from
  const database = openLmdb<Buffer, Buffer>({
    path,
    encoding: 'binary',
    keyEncoding: 'binary',
    noSync: true,
  })
  const range = { start: bytes('job/'), end: bytes('job0'), limit: 1 }
  return {
    put: (key, value) => database.put(bytes(key), bytes(value)),
    addOne: (key) =>
      database.transaction(() => {
        const value = database.get(bytes(key))
        void database.put(bytes(key), bytes(String(Number(value) + 1)))
      }),
    claim: () =>
      database.transaction(() => {
        for (const { key, value } of database.getRange(range)) {
          void database.remove(key)
          void database.put(bytes(`claimed/${key}`), value)
          return String(key)
        }
        return undefined
      }),
    end: (key) => database.remove(bytes(`claimed/${key}`)),
    settle: async () => {},
    get: (key) => String(database.get(bytes(key))),
    close: () => database.close(),
  }
}
