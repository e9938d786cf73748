/**
 * The rows of `overwrite-steady`: what is overwritten, at which target, and the goals that wisc has set itself.
 */
import { formatBytes, parseBytes } from '../harness/byte-sizes.ts'
import { DISTRIBUTIONS, type Distribution } from '../harness/choose-key.ts'

/**
 * Engines that `--steady-peers` puts beside wisc. lmdb is none: its file grows to twice what lives, and nothing bounds
 * it.
 */
export const STEADY_PEERS = ['rocksdb-blob', 'rocksdb', 'classic-level'] as const
export type SteadyPeer = (typeof STEADY_PEERS)[number]
/** The one whose space can be bounded: with a target it has other settings. The others have none. */
const BOUNDED_PEER: SteadyPeer = 'rocksdb-blob'

/** What is stored and which keys are overwritten. Rows with the same load share the runs without a collector. */
export interface SteadyLoad {
  readonly valueBytes: number
  readonly distribution: Distribution
  /** In a file system of its own (`--loop`) instead of the folder that all others are in. */
  readonly loop?: 'ext4'
}

export interface SteadyRow extends SteadyLoad {
  /** Instead of wisc. */
  readonly engine?: SteadyPeer
  /** `targetSpaceAmplification`; undefined: the collector is off, and there is nothing to compare. */
  readonly target: number | undefined
}

/** Limits of one row. */
export interface SteadyGoal {
  readonly row: string
  readonly spaceMax: number
  readonly writtenMax: number
  /** Overwrites a second over those of the same load without a collector. */
  readonly throughputMin: number
  /** ... and over those of RocksDB with blob files in the same row, where it has run beside. */
  readonly peerMin?: number
}

export const STEADY_GOALS: readonly SteadyGoal[] = [
  { row: '1MiB-uniform-1.3', spaceMax: 1.35, writtenMax: 1.15, throughputMin: 0.8 },
  // Where a hole is dear, as on a disk that is told of each, copies take its place: as many as a peer's are.
  { row: '64KiB-uniform-1.3', spaceMax: 1.35, writtenMax: 2.65, throughputMin: 0.8, peerMin: 1 },
  { row: '16KiB-uniform-1.3', spaceMax: 1.35, writtenMax: 2.65, throughputMin: 0.7 },
  { row: '64KiB-uniform-1.3-ext4', spaceMax: 1.35, writtenMax: 1.15, throughputMin: 0.7 },
  { row: '16KiB-uniform-1.3-ext4', spaceMax: 1.35, writtenMax: 1.6, throughputMin: 0.55 },
  { row: '4KiB-uniform-1.3', spaceMax: 1.35, writtenMax: 2.6, throughputMin: 0.45, peerMin: 1.5 },
  { row: '4KiB-uniform-1.6', spaceMax: 1.65, writtenMax: 1.7, throughputMin: 0.6, peerMin: 2 },
  { row: '4KiB-zipf-1.3', spaceMax: 1.35, writtenMax: 2, throughputMin: 0.5 },
  { row: '1KiB-uniform-1.6', spaceMax: 1.65, writtenMax: 2.1, throughputMin: 0.55 },
]

/** What `--steady-rows` runs when it is not given. */
export const STEADY_ROWS: readonly string[] = STEADY_GOALS.map((goal) => goal.row).filter(
  (row) => parseRow(row).loop === undefined,
)

/** Values that die as holes: what a hole costs is the file system's affair. */
const PUNCHED_VALUE_BYTES = [16 * 1024, 64 * 1024]

/** What `--steady-curve` adds: space against written bytes. */
export const CURVE_ROWS: readonly string[] = [1.1, 1.2, 1.3, 1.6, 2].map((target) =>
  nameRow({ valueBytes: 4096, distribution: 'uniform', target }),
)

/** `4KiB-uniform-1.3`, `4KiB-uniform-off`, `64KiB-uniform-1.3-ext4`, `4KiB-uniform-1.3-rocksdb-blob`. */
export function nameRow({ valueBytes, distribution, target, loop, engine }: SteadyRow): string {
  const size = formatBytes(valueBytes).replace(' ', '')
  const words = [size, distribution, target === undefined ? 'off' : formatTarget(target)]
  return [...words, ...(loop ? [loop] : []), ...(engine ? [engine] : [])].join('-')
}

/** The rows, and those of punched sizes in a file system of their own, too, each right behind its like. */
export function withLoop(rows: readonly SteadyRow[], loop: 'ext4'): SteadyRow[] {
  return rows.flatMap((row) =>
    PUNCHED_VALUE_BYTES.includes(row.valueBytes) && !row.loop ? [row, { ...row, loop }] : [row],
  )
}

/**
 * The rows, and each in these engines, too, right behind its like: as their users tune them, and the one whose space
 * can be bounded also so that it holds that of the row.
 */
export function withPeers(rows: readonly SteadyRow[], peers: readonly SteadyPeer[]): SteadyRow[] {
  const peersOf = (row: SteadyRow): SteadyRow[] =>
    peers.flatMap((engine) => {
      const tuned = { ...row, engine, target: undefined }
      const isBounded = engine === BOUNDED_PEER && row.target !== undefined
      return isBounded ? [tuned, boundedPeerOf(row)] : [tuned]
    })
  return rows.flatMap((row) => [row, ...(row.engine ? [] : peersOf(row))])
}

/** The same load and target in an engine whose space can be bounded. */
export function boundedPeerOf(row: SteadyRow): SteadyRow {
  return { ...row, engine: BOUNDED_PEER }
}

/** @throws Error for what is no name of a row */
export function parseRow(name: string): SteadyRow {
  const [size = '', word, targetText = '', ...places] = name.split('-')
  const distribution = DISTRIBUTIONS.find((known) => known === word)
  const target = targetText === 'off' ? undefined : Number(targetText)
  const loop = places[0] === 'ext4' ? 'ext4' : undefined
  const engineText = places.slice(loop ? 1 : 0).join('-')
  const engine = STEADY_PEERS.find((known) => known === engineText)
  const isKnown = engine !== undefined || engineText === ''
  if (distribution === undefined || !isKnown || (target !== undefined && !(target > 1))) {
    const examples =
      '4KiB-zipf-1.3, 64KiB-uniform-off, 64KiB-uniform-1.3-ext4, 4KiB-uniform-1.3-rocksdb-blob'
    throw new Error(`not a row: ${name} (examples: ${examples})`)
  }
  const row = { valueBytes: parseBytes(size), distribution, target }
  return { ...row, ...(loop && { loop }), ...(engine && { engine }) }
}

/** Rows with the same load, in the order of their first mention, none twice; first the one without a collector. */
export function groupByLoad(
  rows: readonly SteadyRow[],
): { readonly load: SteadyLoad; readonly rows: readonly SteadyRow[] }[] {
  const groups = new Map<string, { readonly load: SteadyLoad; readonly rows: SteadyRow[] }>()
  for (const row of rows) {
    const { target: _target, engine: _engine, ...load } = row
    const off: SteadyRow = { ...load, target: undefined }
    const group = groups.get(nameRow(off)) ?? { load, rows: [off] }
    groups.set(nameRow(off), group)
    if (!group.rows.some((other) => nameRow(other) === nameRow(row))) group.rows.push(row)
  }
  return [...groups.values()]
}

function formatTarget(target: number): string {
  return Number.isInteger(target) ? target.toFixed(1) : String(target)
}
