/**
 * Model test: random operations on a store and on a sorted map give the same answers, under many configurations.
 * Calls that are refused are among them. A follower beside the store shows states that the map has had (I2).
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
import { nodeFileSystem } from '#dist/lib/base/platform/node-file-system.js'
import type { Options } from '#dist/lib/contract/options.js'
import { DIRECTORY } from '../../support/crash/recover-image.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { replayHint, testSeed } from '../../support/random.ts'
import { HAS_ZSTD } from '../../support/zstd.ts'
import { FOLLOWED_OPERATIONS, MODEL_OPERATIONS, type ModelOperation } from './operations.ts'
import { ModelRun } from './run.ts'

const seed = testSeed()
const FACTOR = Number(process.env['WISC_MODEL_RUNS'] ?? 0.35)
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
  streamThreshold: 1000,
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

/** Collects whatever pays, as soon as it does. */
const EAGER: Options = {
  ...SMALL,
  segmentBytes: 4096,
  collector: { targetSpaceAmplification: 1.01 },
}

/** Nothing is compressed where no library can. */
const COMPRESSED: Options = { compression: HAS_ZSTD ? 'zstd' : 'none', valueThreshold: 50 }

interface Configuration {
  readonly name: string
  readonly runs: number
  readonly options: Options
  readonly withoutHoles?: boolean
  /** Options of a follower beside the store. */
  readonly follower?: Options
}

const CONFIGURATIONS: readonly Configuration[] = [
  { name: 'small parts', runs: 110, options: SMALL },
  { name: 'all separated', runs: 85, options: { ...SMALL, valueThreshold: 0 } },
  {
    name: 'all inline',
    runs: 85,
    options: { ...SMALL, valueThreshold: Number.POSITIVE_INFINITY },
  },
  {
    name: 'no block cache, no filters',
    runs: 70,
    options: { ...SMALL, blockCacheBytes: 0, tree: { ...SMALL.tree, filterBitsPerKey: 0 } },
  },
  {
    name: 'synced writes, tiny segments',
    runs: 70,
    options: { ...SMALL, sync: true, segmentBytes: 4096 },
  },
  { name: 'lazy leveling', runs: 70, options: { ...SMALL, tree: LAZY } },
  { name: 'tiering', runs: 70, options: { ...SMALL, tree: TIERING, valueThreshold: 100 } },
  {
    name: 'few open files',
    runs: 60,
    options: { ...SMALL, maxOpenFiles: 16, segmentBytes: 4096 },
  },
  { name: 'eager collector', runs: 60, options: EAGER },
  { name: 'eager collector, no holes', runs: 50, options: EAGER, withoutHoles: true },
  {
    name: 'eager collector, all separated, punching off',
    runs: 50,
    options: { ...EAGER, valueThreshold: 0, collector: { ...EAGER.collector, punchHoles: false } },
  },
  {
    name: 'collector at 1.5, segments of a few values, synced',
    runs: 35,
    options: {
      ...SMALL,
      sync: true,
      valueThreshold: 50,
      collector: { targetSpaceAmplification: 1.5 },
    },
  },
  {
    name: 'eager collector, tiering, few open files, no block cache',
    runs: 35,
    options: { ...EAGER, tree: TIERING, maxOpenFiles: 16, blockCacheBytes: 0 },
  },
  {
    name: 'collector only when asked',
    runs: 35,
    options: { ...EAGER, collector: { enabled: false } },
  },
  { name: 'compressed by calls', runs: 40, options: { ...EAGER, ...COMPRESSED } },
  {
    name: 'compressed by jobs, all separated',
    runs: 20,
    options: { ...EAGER, ...COMPRESSED, compressionLevel: 19, valueThreshold: 0 },
  },
  {
    name: 'compressed by jobs in two workers, lazy leveling',
    runs: 8,
    options: { ...SMALL, ...COMPRESSED, compressionLevel: 15, workers: 2, tree: LAZY },
  },
  {
    name: 'followed: small parts',
    runs: 60,
    options: SMALL,
    follower: { memtableBytes: 65536, valueThreshold: 100 },
  },
  {
    name: 'followed: eager collector, all separated; few open files, all inline in memory',
    runs: 60,
    options: { ...EAGER, valueThreshold: 0 },
    follower: { maxOpenFiles: 16, blockCacheBytes: 0, valueThreshold: Number.POSITIVE_INFINITY },
  },
  {
    name: 'followed: eager collector, tiering; cached values, all pointers',
    runs: 40,
    options: { ...EAGER, tree: TIERING, valueThreshold: 2000 },
    follower: { memtableBytes: 65536, valueThreshold: 0, valueCacheBytes: 65536 },
  },
  { name: 'defaults without workers', runs: 12, options: { workers: 0 } },
  { name: 'one worker', runs: 12, options: { ...SMALL, workers: 1 } },
  {
    name: 'two workers, all separated',
    runs: 12,
    options: { ...SMALL, workers: 2, valueThreshold: 0 },
  },
  {
    name: 'two workers, tiering, synced',
    runs: 12,
    options: { ...SMALL, workers: 2, tree: TIERING, sync: true },
  },
  { name: 'two workers, eager collector', runs: 12, options: { ...EAGER, workers: 2 } },
  {
    name: 'one worker, eager collector, all separated',
    runs: 12,
    options: { ...EAGER, workers: 1, valueThreshold: 0 },
  },
]

for (const configuration of CONFIGURATIONS) {
  const { name, runs: count, options, follower } = configuration
  const all = follower ? FOLLOWED_OPERATIONS : MODEL_OPERATIONS
  test(`the store is a sorted map: ${name}`, async () => {
    await fc.assert(
      fc.asyncProperty(all, async (operations) => {
        runs++
        if (options.workers === 0) await runInMemory(configuration, operations)
        else await runOnDisk(options, operations)
      }),
      { seed: seed | 0, numRuns: Math.ceil(count * FACTOR), verbose: 1, endOnFailure: false },
    )
  })
}

async function runInMemory(
  { options, withoutHoles = false, follower }: Configuration,
  operations: readonly ModelOperation[],
): Promise<void> {
  const disk = { seed, withoutHoles }
  const first = new FaultFileSystem(disk)
  const beside = { afterKill: disk, follower }
  const fileSystem = await ModelRun.run(DIRECTORY, options, first, operations, beside)
  if (!(fileSystem instanceof FaultFileSystem)) return
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
