/**
 * The entry of a worker thread: runs jobs step by step, and listens between the steps.
 *
 * It opens by name what it reads, and closes every descriptor before it answers. On Linux, where a
 * priority belongs to a thread, it lowers its own: two busy workers take most of the main thread's
 * core otherwise.
 */
import { constants, setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { assert } from '../base/errors.ts'
import { nodeFileSystem } from '../base/node-file-system.ts'
import { systemRandom } from '../base/random.ts'
import { toErrorMessage } from './error-message.ts'
import { StepQueue } from './step-queue.ts'
import type { FromWorker, ToWorker } from './worker-protocol.ts'

function serve(port: NonNullable<typeof parentPort>): void {
  const arenas = new Map<number, SharedArrayBuffer>()
  const post = (message: FromWorker): void => port.postMessage(message)
  const arenaBuffer = (id: number): SharedArrayBuffer => {
    const buffer = arenas.get(id)
    assert(buffer !== undefined, `arena was posted to this worker, id=${id}`)
    return buffer
  }
  const context = { fileSystem: nodeFileSystem, random: systemRandom, arenaBuffer }
  const queue = new StepQueue(context, (id, result, error) => {
    if (result) post({ type: 'result', id, result })
    else if (error) post({ type: 'error', id, error: toErrorMessage(error) })
  })
  port.on('message', (message: ToWorker) => {
    if (message.type === 'arena') arenas.set(message.id, message.buffer)
    else if (message.type === 'forgetArena') arenas.delete(message.id)
    else if (message.type === 'job') queue.add(message.id, message.job)
    else queue.cancel(message.id)
  })
}

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
if (parentPort) serve(parentPort)
