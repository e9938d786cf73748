/**
 * The loop of a worker thread: takes jobs from a port, runs them slice by slice, and listens between the slices.
 *
 * Large arrays of a result are handed over, not copied.
 */
import type { MessagePort } from 'node:worker_threads'
import { assert } from '../base/errors.ts'
import type { Job, JobResult } from './messages.ts'
import type { JobContext, JobSlices } from './run-job.ts'
import { SliceQueue } from './slice-queue.ts'
import { type FromWorker, type ToWorker, toErrorMessage } from './worker-protocol.ts'

/** @param start makes the body of a job, which tells of each file before it makes it */
export function serveJobs(
  port: MessagePort,
  start: (
    job: Job,
    arenaBuffer: JobContext['arenaBuffer'],
    made: (path: string) => void,
  ) => JobSlices,
): void {
  const ids = new WeakMap<Job, number>()
  const arenas = new Map<number, SharedArrayBuffer>()
  const arenaBuffer = (id: number): SharedArrayBuffer => {
    const buffer = arenas.get(id)
    assert(buffer !== undefined, `arena was posted to this worker, id=${id}`)
    return buffer
  }
  const post = (message: FromWorker, transfer: readonly ArrayBuffer[] = []): void =>
    port.postMessage(message, transfer)
  const queue = new SliceQueue(
    (job) => start(job, arenaBuffer, (path) => post({ type: 'made', id: ids.get(job)!, path })),
    (id, result, error) => {
      if (result) post({ type: 'result', id, result }, largeArrays(result))
      else if (error) post({ type: 'error', id, error: toErrorMessage(error) })
    },
  )
  port.on('message', (message: ToWorker) => {
    const { type, id } = message
    if (type === 'arena') arenas.set(id, message.buffer)
    else if (type === 'forgetArena') arenas.delete(id)
    else if (type === 'job') {
      ids.set(message.job, id)
      queue.add(id, message.job, message.bytesPerSecond, message.store)
    } else if (type === 'rate') queue.setRate(id, message.bytesPerSecond)
    else queue.cancel(id)
  })
  post({ type: 'ready' })
}

/**
 * The memory of the arrays that may be large: compressed chunks, the holes of a mark, the heads that a punch has
 * walked, the dead records of a flush or a compaction.
 */
function largeArrays(result: JobResult): ArrayBuffer[] {
  const arrays = arraysOf(result)
  // An empty one may be a constant that several share.
  return arrays.filter(({ length }) => length > 0).map(({ buffer }) => buffer as ArrayBuffer)
}

function arraysOf(result: JobResult): (Float64Array | Uint32Array | Uint8Array)[] {
  if ('bytes' in result) return [result.bytes]
  if ('files' in result) return result.files.map(({ holes }) => holes)
  if ('heads' in result) return result.heads ? [result.heads.bytes] : []
  if (!('dead' in result)) return []
  const { segments, counts, offsets, lengths } = result.dead
  return [segments, counts, offsets, lengths]
}
