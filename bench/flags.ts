/**
 * The command line of the benchmark.
 */
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { ENGINE_NAMES, type EngineName } from './engines/engine.ts'
import { parseBytes } from './harness/byte-sizes.ts'
import { BY_SIZE, WORKLOADS } from './harness/workload-names.ts'
import { GROW, SPECIALS, STEADY } from './special/specials.ts'
import {
  CURVE_ROWS,
  parseRow,
  STEADY_PEERS,
  STEADY_ROWS,
  type SteadyRow,
  withLoop,
  withPeers,
} from './steady/rows.ts'

const SPECIAL_NAMES: readonly string[] = [...SPECIALS, STEADY, GROW]
/** Without any of these a preset is run as a whole, within its time. */
const CHOICES = [
  'sizes',
  'engines',
  'workloads',
  'all-at',
  'special',
  'bytes',
  'entries',
  'rounds',
  'seconds',
] as const
const GROW_FLAGS = [
  'grow-keys',
  'grow-value',
  'grow-bytes',
  'grow-overwrites',
  'grow-files',
] as const
const STEADY_FLAGS = [
  'steady-bytes',
  'steady-factor',
  'steady-rows',
  'steady-curve',
  'steady-prefer',
  'steady-peers',
  'loop',
] as const

/** The parsed flags. */
export interface Flags {
  readonly sizes: readonly number[]
  readonly engines: readonly EngineName[]
  /** At a size of values. */
  readonly workloadsAt: (valueBytes: number) => readonly string[]
  readonly specials: readonly string[]
  readonly steadyRows: readonly SteadyRow[]
  readonly steadyBytes: number
  readonly steadyFactor: number
  readonly steadyPrefer: string | undefined
  readonly growKeys: readonly number[]
  readonly growValueBytes: number
  readonly growBytes: number
  readonly growOverwrites: number
  readonly growFiles: readonly number[]
  readonly rangeBytes: number
  readonly totalBytes: number
  /** A store of smaller values has so many of them, and fewer bytes. */
  readonly entriesMax: number
  readonly rounds: number
  /** Later rounds that would take longer in all are left out. */
  readonly minutesMax: number
  readonly seconds: number
  readonly seed: number
  readonly directory: string
  readonly json: string | undefined
  /** The results of an interrupted run, which goes on; undefined: begin anew. */
  readonly resume: string | undefined
  /** Where the pages go; undefined: nowhere. */
  readonly report: string | undefined
  readonly warm: boolean
  readonly help: boolean
}

/** Engines of `--quick` and `--full` alone: what they do, `wisc-inline` shows nearly. */
const OF_FULL: readonly EngineName[] = ['wisc-lazy', 'wisc-tiered']

/**
 * What flags are by themselves. `--quick` is for a look (all engines, three sizes), `--full` has ten sizes and all
 * workloads at each of them. What is chosen by other flags beside them has no limit of time.
 */
const PRESETS = {
  quick: {
    sizes: '1KiB,4KiB,64KiB',
    workloads: 'fillrandom,readrandom,readrandom-sync,scan,ranges,overwrite',
    special: 'none',
    bytes: '9MiB',
    entries: '8400',
    rounds: '1',
    seconds: '0.05',
    minutes: '3',
  },
  standard: {
    // In the order of their weight: if the time does not suffice, the last ones have fewer rounds.
    sizes: '4KiB,1KiB,64KiB,256,16KiB',
    'all-at': '4KiB',
    engines: ENGINE_NAMES.filter((name) => !OF_FULL.includes(name)).join(','),
    special: `tree,reopen-killed,open-clean,open-crash,first,together,documents,cache,${STEADY}`,
    'steady-rows': '4KiB-uniform-1.3,64KiB-uniform-1.3',
    'steady-bytes': '256MiB',
    'steady-peers': 'rocksdb-blob',
    bytes: '128MiB',
    entries: '100000',
    rounds: '3',
    seconds: '0.3',
    minutes: '38',
  },
  full: {
    sizes: '64,256,1KiB,2KiB,4KiB,16KiB,64KiB,256KiB,1MiB,4MiB',
    special: [...SPECIALS, STEADY].join(','),
    'steady-peers': 'rocksdb-blob',
    bytes: '512MiB',
    entries: '2000000',
    rounds: '5',
    seconds: '2',
    minutes: '1440',
  },
} satisfies Readonly<Record<string, Preset>>

interface Preset {
  readonly sizes: string
  readonly engines?: string
  readonly workloads?: string
  /** Sizes with all workloads; the others have those whose figures follow the size. */
  readonly 'all-at'?: string
  /** These four count if no special measurement is chosen. */
  readonly special: string
  readonly 'steady-rows'?: string
  readonly 'steady-bytes'?: string
  readonly 'steady-peers'?: string
  readonly bytes: string
  readonly entries: string
  readonly rounds: string
  readonly seconds: string
  readonly minutes: string
}

/** What `--help` prints. */
export const HELP: string = `usage: npm run bench -- [flags]
  --quick              a look: ${show(PRESETS.quick)}
  --full               the figures of the page: ${show(PRESETS.full)}
                       (without both: ${show(PRESETS.standard)})
                       Whole or with other flags; --minutes holds without any choice of what is measured
  --sizes LIST         value sizes
  --all-at LIST        value sizes with all workloads, if none are chosen; the others have
                       ${BY_SIZE.join(',')}
  --engines LIST       ${ENGINE_NAMES.join(',')}
  --workloads LIST     ${WORKLOADS.join(',')}; or none
  --special LIST       ${SPECIAL_NAMES.join(',')}; or none
                       (none if engines or workloads are chosen)
  --steady-rows LIST   of overwrite-steady, SIZE-DISTRIBUTION-TARGET: uniform or zipf, and a space amplification
                       (or off, for the run alone that rows of its load are compared with)
                       (${STEADY_ROWS.join(',')})
  --steady-curve       also ${CURVE_ROWS.join(',')}
  --steady-peers LIST  each row in these engines, too: ${STEADY_PEERS.join(',')} (none)
  --loop ext4          also its rows of 16 and 64 KiB in an ext4 (journal, no discard) inside a file: Linux, root
  --steady-bytes SIZE  bytes of values in its store (1GiB)
  --steady-factor N    so many times these bytes are overwritten (4)
  --steady-prefer WORD collector.prefer: speed, endurance or balanced (balanced)
  --grow-keys LIST     steps of grow, by the keys in its store (100000,1000000,10000000)
  --grow-value SIZE    of each of its values (2KiB)
  --grow-bytes SIZE    no step beyond so many bytes of values (20GiB)
  --grow-overwrites N  how often its keys are overwritten in a step; the later half counts (0.75)
  --grow-files LIST    stores of so many small files beside them (1000,4000,16000)
  --range-bytes SIZE   bytes of values in the store of which range-delete deletes half (4GiB)
  --bytes SIZE         bytes of values in a store
  --entries N          ... but no more than so many values, 2 million at most
  --rounds N           interleaved rounds, their median counts
  --minutes N          later rounds are left out if all would take longer; the first is made in any case
  --seconds N          time of each workload that has no natural end
  --seed N             of keys' order and values (1)
  --dir PATH           where the stores are made (a new folder in the temporary one)
  --json FILE          where the results go (bench/results/<time>.json)
  --resume FILE        go on with an interrupted run whose results are there; the other flags as they were
  --report FOLDER      also as a page with pictures: index.html, report.md, results.json
  --warm               keep free memory warm: Linux, root and gcc; see bench/README.md
`

/** @throws Error on an unknown flag or name */
export function parseFlags(args: readonly string[]): Flags {
  const { values: typed } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean' },
      full: { type: 'boolean' },
      sizes: { type: 'string' },
      engines: { type: 'string' },
      workloads: { type: 'string' },
      special: { type: 'string' },
      bytes: { type: 'string' },
      entries: { type: 'string' },
      'all-at': { type: 'string' },
      minutes: { type: 'string' },
      'range-bytes': { type: 'string', default: '4GiB' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      seed: { type: 'string', default: '1' },
      'steady-rows': { type: 'string' },
      'steady-curve': { type: 'boolean' },
      'steady-bytes': { type: 'string' },
      'steady-factor': { type: 'string' },
      'steady-prefer': { type: 'string' },
      'steady-peers': { type: 'string' },
      loop: { type: 'string' },
      'grow-keys': { type: 'string' },
      'grow-value': { type: 'string' },
      'grow-bytes': { type: 'string' },
      'grow-overwrites': { type: 'string' },
      'grow-files': { type: 'string' },
      dir: { type: 'string', default: path.join(os.tmpdir(), 'wisc-bench') },
      json: { type: 'string' },
      resume: { type: 'string' },
      report: { type: 'string' },
      warm: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (typed.quick && typed.full) throw new Error('--quick or --full, not both')
  const preset: Preset = PRESETS[typed.quick ? 'quick' : typed.full ? 'full' : 'standard']
  const ownWork = typed.engines !== undefined || typed.workloads !== undefined
  const ownSpecial = ownWork || typed.special !== undefined
  const {
    special,
    'steady-rows': rows,
    'steady-bytes': bytes,
    'steady-peers': peers,
    ...rest
  } = preset
  const ofPreset = { special, 'steady-rows': rows, 'steady-bytes': bytes, 'steady-peers': peers }
  const values = { ...rest, ...(ownSpecial ? { special: 'none' } : defined(ofPreset)), ...typed }
  const specials = parseList('special', values.special, SPECIAL_NAMES)
  for (const [name, flags] of [
    [STEADY, STEADY_FLAGS],
    [GROW, GROW_FLAGS],
  ] as const) {
    const unused = flags.find((flag) => typed[flag] !== undefined)
    if (unused !== undefined && !specials.includes(name)) {
      throw new Error(`--${unused} needs --special ${name}`)
    }
  }
  const curve = values['steady-curve'] ? CURVE_ROWS : []
  const steadyNames = [...(values['steady-rows']?.split(',') ?? STEADY_ROWS), ...curve]
  if (values.loop !== undefined && values.loop !== 'ext4') {
    throw new Error(`--loop knows ext4, not ${values.loop}`)
  }
  const ownRows = steadyNames.map(parseRow)
  const steadyRows = withPeers(
    values.loop ? withLoop(ownRows, values.loop) : ownRows,
    parseList('steady-peers', values['steady-peers'] ?? 'none', STEADY_PEERS),
  )
  return {
    sizes: values.sizes.split(',').map(parseBytes),
    engines: parseList('engines', values.engines, ENGINE_NAMES),
    workloadsAt: parseWorkloads(values.workloads, values['all-at']),
    specials,
    steadyRows,
    steadyBytes: parseBytes(values['steady-bytes'] ?? '1GiB'),
    steadyFactor: parseCount(values['steady-factor'] ?? '4'),
    steadyPrefer: values['steady-prefer'],
    growKeys: parseSteps(values['grow-keys'] ?? '100000,1000000,10000000'),
    growFiles: parseSteps(values['grow-files'] ?? '1000,4000,16000'),
    growValueBytes: parseBytes(values['grow-value'] ?? '2KiB'),
    growBytes: parseBytes(values['grow-bytes'] ?? '20GiB'),
    growOverwrites: parseCount(values['grow-overwrites'] ?? '0.75'),
    rangeBytes: parseBytes(values['range-bytes']),
    totalBytes: parseBytes(values.bytes),
    entriesMax: parseCount(typed.entries ?? (typed.bytes ? PRESETS.full : values).entries),
    rounds: parseCount(values.rounds),
    minutesMax:
      typed.minutes === undefined && CHOICES.some((flag) => typed[flag] !== undefined)
        ? Number.POSITIVE_INFINITY
        : parseCount(values.minutes),
    seconds: parseCount(values.seconds),
    seed: parseCount(values.seed),
    directory: path.resolve(values.dir),
    json: values.json,
    resume: values.resume,
    report: values.report,
    warm: values.warm,
    help: values.help,
  }
}

/** Those that are chosen at all sizes; or all of them at some sizes, and at the others those that follow the size. */
function parseWorkloads(
  chosen: string | undefined,
  allAt: string | undefined,
): Flags['workloadsAt'] {
  const all = parseList('workloads', chosen, WORKLOADS)
  if (chosen !== undefined || allAt === undefined) return () => all
  const sizes = allAt.split(',').map(parseBytes)
  return (valueBytes) => (sizes.includes(valueBytes) ? all : BY_SIZE)
}

/** The flags that are there. */
function defined<Flag extends object>(flags: Flag): Partial<Flag> {
  return Object.fromEntries(
    Object.entries(flags).filter(([, value]) => value !== undefined),
  ) as Partial<Flag>
}

function show(preset: Readonly<Record<string, string>>): string {
  return Object.entries(preset)
    .map(([flag, value]) => `--${flag} ${value}`)
    .join(' ')
}

function parseList<Name extends string>(
  flag: string,
  text: string | undefined,
  names: readonly Name[],
): readonly Name[] {
  if (text === undefined) return names
  if (text === 'none') return []
  return text.split(',').map((word) => {
    const name = names.find((known) => known === word)
    if (name === undefined) {
      throw new Error(`--${flag} has an unknown name: ${word} (known: ${names.join(', ')})`)
    }
    return name
  })
}

/** Ascending; none for `none`. */
function parseSteps(text: string): number[] {
  if (text === 'none') return []
  return text
    .split(',')
    .map(parseCount)
    .toSorted((left, right) => left - right)
}

/** `10%` as 0.1. @throws Error for what is no share */
export function parseShare(text: string): number {
  const share = Number(/^(\d+(?:\.\d+)?)%$/.exec(text)?.[1]) / 100
  if (!(share > 0)) throw new Error(`not a share: ${text} (example: 10%)`)
  return share
}

function parseCount(text: string): number {
  const count = Number(text)
  if (!(count > 0)) throw new Error(`not a number above zero: ${text}`)
  return count
}
