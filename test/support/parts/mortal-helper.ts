/** A helping thread that dies in the middle of its first read. */
import { workerData } from 'node:worker_threads'
import { SharedReads, type SharedReadsMemory } from '#dist/lib/base/platform/shared-reads.js'

new SharedReads(workerData as SharedReadsMemory).serve(() => process.exit(1))
