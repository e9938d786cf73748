/** The entry of a thread that helps with reads (read-helper.ts). */
import fs from 'node:fs'
import { workerData } from 'node:worker_threads'
import { type ReadCall, SharedReads, type SharedReadsMemory } from './shared-reads.ts'

/** What fails here is done again by the caller, whose error is the one that is told. */
const read: ReadCall = (descriptor, target, targetOffset, length, position) => {
  try {
    return fs.readSync(descriptor, target, targetOffset, length, position) === length
  } catch {
    return false
  }
}

new SharedReads(workerData as SharedReadsMemory).serve(read)
