/** What a run of the stress program is asked for, and the options that a life of its store draws. */
import type { Options } from '#dist/lib/index.js'
import type { Prng } from '../support/random.ts'
import { HAS_ZSTD } from '../support/zstd.ts'

export interface Settings {
  readonly seconds: number
  readonly seed: number
  /** Calls of the file system fail now and then. */
  readonly faults: boolean
  /** No other process looks at the store. */
  readonly alone: boolean
  /** The fault that is put back first, by name. */
  readonly canary: string | undefined
}

/** @throws if the words are none of `--minutes N --seconds N --seed S --faults --alone --canary NAME` */
export function parseSettings(words: readonly string[], seed: number): Settings {
  let canary: string | undefined
  const settings = { seconds: 60, seed, faults: false, alone: false }
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (word === '--canary') {
      canary = words[++i]
      continue
    }
    if (word === '--faults' || word === '--alone') {
      settings[word === '--faults' ? 'faults' : 'alone'] = true
      continue
    }
    const number = Number(words[++i])
    if (!Number.isFinite(number)) throw new Error(`${word} wants a number`)
    if (word === '--minutes') settings.seconds = number * 60
    else if (word === '--seconds') settings.seconds = number
    else if (word === '--seed') settings.seed = number >>> 0
    else throw new Error(`unknown word ${word}`)
  }
  return { ...settings, canary }
}

/**
 * Small files and small memory, so that everything happens often; a third of the time much that is inline and not
 * flushed lies between large values, so that the collector makes holes in what a reader has just replayed.
 */
export function drawOptions(prng: Prng, faults: boolean): Options {
  const small = drawSmall(prng, faults)
  // By another one, so that nothing more is drawn: from 8 KiB on.
  const options = { ...small, streamThreshold: small.segmentBytes! >> 3 }
  if (!prng.chance(0.33)) return options
  return {
    ...options,
    valueThreshold: 30_000,
    memtableBytes: 4 << 20,
    segmentBytes: 131_072,
    maxUnflushedLogBytes: 512 << 20,
    collector: { targetSpaceAmplification: 1.05 },
  }
}

function drawSmall(prng: Prng, faults: boolean): Options {
  const sizeRatio = 2 + prng.below(9)
  const runs = 1 + prng.below(Math.min(3, sizeRatio - 1))
  const interval = prng.chance(0.2) ? { syncIntervalMs: 20 + prng.below(200) } : {}
  const rate = prng.chance(0.1) ? { bytesPerSecond: 8 << 20 } : {}
  return {
    valueThreshold: prng.pick([0, 64, 1024, 1024, 30_000, Number.POSITIVE_INFINITY]),
    compression: HAS_ZSTD ? prng.pick(['none', 'zstd']) : 'none',
    compressionLevel: prng.pick([1, 3, 3, 9, 19]),
    memtableBytes: prng.pick([65_536, 262_144, 1 << 20, 4 << 20]),
    segmentBytes: prng.pick([65_536, 262_144, 1 << 20, 1 << 20, 4 << 20]),
    maxUnflushedLogBytes: prng.pick([262_144, 4 << 20, 512 << 20]),
    maxPendingBytes: prng.pick([65_536, 64 << 20]),
    blockCacheBytes: prng.pick([0, 65_536, 8 << 20]),
    maxOpenFiles: prng.pick([16, 16, 64, 512]),
    // Faults are injected on this thread alone: so most jobs run on it.
    workers: faults ? prng.pick([0, 0, 1]) : prng.pick([0, 1, 2, 2]),
    tree: {
      sizeRatio,
      runsPerLevel: runs,
      runsAtLargestLevel: prng.chance(0.5) ? runs : 1,
      tableBytes: prng.pick([4096, 16_384, 65_536, 1 << 20]),
      blockBytes: prng.pick([256, 1024, 4096, 65_536]),
      filterBitsPerKey: prng.pick([0, 4, 10, 10]),
    },
    collector: {
      enabled: prng.chance(0.9),
      targetSpaceAmplification: prng.pick([1.05, 1.3, 1.3, 1.6, 3]),
      punchHoles: prng.chance(0.85),
      ...rate,
    },
    ...interval,
  }
}

/** What a reader beside the writer chooses for itself. */
export function drawReaderOptions(prng: Prng): Options {
  return {
    readOnly: true,
    valueThreshold: prng.pick([0, 1024, 30_000, Number.POSITIVE_INFINITY]),
    blockCacheBytes: prng.pick([0, 65_536, 8 << 20]),
    maxOpenFiles: prng.pick([16, 64, 512]),
  }
}
