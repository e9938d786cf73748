/**
 * Model test: random operations on a store and on a sorted map give the same answers, under many configurations.
 *
 * Stores without workers lie in memory, where the rules of order are checked too; stores with workers lie on
 * the real file system. fast-check shrinks a failing list of operations; WISC_TEST_SEED=n replays a run, and
 * WISC_MODEL_RUNS multiplies the number of runs.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, test } from 'vitest'
import { nodeFileSystem } from '#dist/lib/base/node-file-system.js'
import type { Options } from '#dist/lib/options.js'
import { FaultFileSystem } from '../support/fault-file-system.ts'
import { replayHint, testSeed } from '../support/random.ts'
import { DIRECTORY } from '../support/recover-image.ts'
import { MODEL_OPERATIONS, type ModelOperation } from './model-operations.ts'
import { ModelRun } from './model-run.ts'

const seed = testSeed()
const FACTOR = Number(process.env['WISC_MODEL_RUNS'] ?? 1)
let runs = 0

afterAll(() => {
  console.info(`model runs: ${runs}; ${replayHint(seed)}`)
})

const SMALL: Options = {
  workers: 0,
  memtableBytes: 65536,
  maxUnflushedLogBytes: 65536,
  segmentBytes: 16384,
  maxPendingBytes: 262144,
  blockCacheBytes: 65536,
  tree: { sizeRatio: 3, tableBytes: 4096, blockBytes: 256 },
}
const LAZY = {
  sizeRatio: 4,
  runsPerLevel: 3,
  runsAtLargestLevel: 1,
  tableBytes: 4096,
  blockBytes: 256,
}
const TIERING = {
  sizeRatio: 4,
  runsPerLevel: 3,
  runsAtLargestLevel: 3,
  tableBytes: 8192,
  blockBytes: 512,
}

const CONFIGURATIONS: readonly { name: string; runs: number; options: Options }[] = [
  { name: 'small parts', runs: 900, options: SMALL },
  { name: 'all separated', runs: 700, options: { ...SMALL, valueThreshold: 0 } },
  {
    name: 'all inline',
    runs: 700,
    options: { ...SMALL, valueThreshold: Number.POSITIVE_INFINITY },
  },
  {
    name: 'no block cache, no filters',
    runs: 600,
    options: { ...SMALL, blockCacheBytes: 0, tree: { ...SMALL.tree, filterBitsPerKey: 0 } },
  },
  {
    name: 'synced writes, tiny segments',
    runs: 600,
    options: { ...SMALL, sync: true, segmentBytes: 4096 },
  },
  { name: 'lazy leveling', runs: 600, options: { ...SMALL, tree: LAZY } },
  { name: 'tiering', runs: 600, options: { ...SMALL, tree: TIERING, valueThreshold: 100 } },
  {
    name: 'few open files',
    runs: 500,
    options: { ...SMALL, maxOpenFiles: 16, segmentBytes: 4096 },
  },
  { name: 'defaults without workers', runs: 60, options: { workers: 0 } },
  { name: 'one worker', runs: 50, options: { ...SMALL, workers: 1 } },
  {
    name: 'two workers, all separated',
    runs: 50,
    options: { ...SMALL, workers: 2, valueThreshold: 0 },
  },
  {
    name: 'two workers, tiering, synced',
    runs: 40,
    options: { ...SMALL, workers: 2, tree: TIERING, sync: true },
  },
]

for (const { name, runs: count, options } of CONFIGURATIONS) {
  test(`the store is a sorted map: ${name}`, { timeout: 300_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(MODEL_OPERATIONS, async (operations) => {
        runs++
        if (options.workers === 0) await runInMemory(options, operations)
        else await runOnDisk(options, operations)
      }),
      { seed: seed | 0, numRuns: Math.ceil(count * FACTOR), endOnFailure: false, verbose: 1 },
    )
  })
}

async function runInMemory(options: Options, operations: readonly ModelOperation[]): Promise<void> {
  const fileSystem = new FaultFileSystem({ seed })
  await ModelRun.run(DIRECTORY, options, fileSystem, operations)
  if (fileSystem.violations.length > 0)
    throw new Error(fileSystem.violations.slice(0, 3).join('; '))
  if (fileSystem.openFiles > 0) throw new Error(`${fileSystem.openFiles} files left open`)
}

async function runOnDisk(options: Options, operations: readonly ModelOperation[]): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'wisc-model-'))
  try {
    await ModelRun.run(directory, options, nodeFileSystem, operations)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
