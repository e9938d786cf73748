/**
 * The command line of the benchmark.
 */
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { ENGINE_NAMES, type EngineName } from './engines/engine.ts'
import { SPECIALS } from './special/specials.ts'
import { WORKLOADS } from './workloads.ts'

/** The parsed flags. */
export interface Flags {
  readonly sizes: readonly number[]
  readonly engines: readonly EngineName[]
  readonly workloads: readonly string[]
  readonly specials: readonly string[]
  readonly totalBytes: number
  readonly rounds: number
  readonly seconds: number
  readonly seed: number
  readonly directory: string
  readonly json: string | undefined
  readonly warm: boolean
  readonly help: boolean
}

/** What `--help` prints. */
export const HELP: string = `usage: npm run bench -- [flags]
  --sizes LIST      value sizes (256,1KiB,4KiB,16KiB,64KiB,1MiB)
  --engines LIST    ${ENGINE_NAMES.join(',')}
  --workloads LIST  ${WORKLOADS.join(',')}; or none
  --special LIST    ${SPECIALS.join(',')}; or none (all, if neither engines nor workloads are chosen)
  --bytes SIZE      bytes of values in a store (512MiB)
  --rounds N        interleaved rounds, the best one counts (3)
  --seconds N       time of each workload that has no natural end (2)
  --seed N          of keys' order and values (1)
  --dir PATH        where the stores are made (a new folder in the temporary one)
  --json FILE       where the results go (bench/results/<time>.json)
  --warm            keep free memory warm: Linux, root and gcc; see bench/README.md
`

/** @throws Error on an unknown flag or name */
export function parseFlags(args: readonly string[]): Flags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      sizes: { type: 'string', default: '256,1KiB,4KiB,16KiB,64KiB,1MiB' },
      engines: { type: 'string' },
      workloads: { type: 'string' },
      special: { type: 'string' },
      bytes: { type: 'string', default: '512MiB' },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '2' },
      seed: { type: 'string', default: '1' },
      dir: { type: 'string', default: path.join(os.tmpdir(), 'wisc-bench') },
      json: { type: 'string' },
      warm: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const chosen = values.engines !== undefined || values.workloads !== undefined
  return {
    sizes: values.sizes.split(',').map(parseBytes),
    engines: parseList('engines', values.engines, ENGINE_NAMES),
    workloads: parseList('workloads', values.workloads, WORKLOADS),
    specials: parseList('special', values.special ?? (chosen ? 'none' : undefined), SPECIALS),
    totalBytes: parseBytes(values.bytes),
    rounds: parseCount(values.rounds),
    seconds: parseCount(values.seconds),
    seed: parseCount(values.seed),
    directory: path.resolve(values.dir),
    json: values.json,
    warm: values.warm,
    help: values.help,
  }
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

function parseBytes(text: string): number {
  const match = /^(\d+)\s*(KiB|MiB|GiB|B)?$/i.exec(text)
  const units: Readonly<Record<string, number>> = { kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3 }
  const bytes = Number(match?.[1]) * (units[match?.[2]?.toLowerCase() ?? ''] ?? 1)
  if (!(bytes > 0)) throw new Error(`not a size: ${text} (examples: 256, 4KiB, 512MiB)`)
  return bytes
}

function parseCount(text: string): number {
  const count = Number(text)
  if (!(count > 0)) throw new Error(`not a number above zero: ${text}`)
  return count
}
