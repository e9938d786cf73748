/** A helping thread whose reads end when the first byte of their range is no zero any more. */
import fs from 'node:fs'
import { workerData } from 'node:worker_threads'
import { SharedReads, type SharedReadsMemory } from '#dist/lib/base/platform/shared-reads.js'

new SharedReads(workerData as SharedReadsMemory).serve(
  (descriptor, target, at, length, position) => {
    do fs.readSync(descriptor, target, at, length, position)
    while (target[at] === 0)
    return true
  },
)
