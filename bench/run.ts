/**
 * One run of the benchmark: what the flags ask for, step by step, into one file of results.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { EngineName } from './engines/engine.ts'
import { installPeers, versionsOf } from './engines/peers.ts'
import { type Flags, GROW, STEADY } from './flags.ts'
import { runGrow, runManyFiles } from './grow/grow.ts'
import type { GrowResults } from './grow/results.ts'
import { type Step, Steps } from './harness/steps.ts'
import { LoopExt4 } from './machine/loop-ext4.ts'
import { WarmMemory } from './machine/warm-memory.ts'
import { type Report, readReport } from './report/results.ts'
import { runSpecial } from './special/specials.ts'
import { nameRow } from './steady/rows.ts'
import { runSteady, steadySteps } from './steady/steady.ts'
import { roundSteps, runRounds } from './throughput/rounds.ts'

/** The results as they grow: they are written behind each step. */
type Growing = {
  -readonly [name in 'steps' | 'rows' | 'specials' | 'steady']: Report[name][number][]
} & { readonly grow: { -readonly [name in keyof GrowResults]: GrowResults[name][number][] } }

/**
 * Measures everything that is not in the file yet.
 * @param file where the results go, and where those of an interrupted run are taken up with `flags.resume`
 */
export async function run(asked: Flags, command: string, file: string): Promise<Report> {
  const missing = installPeers(enginesOf(asked))
  if (missing.size > 0) process.exitCode = 1
  const flags = withoutEngines(asked, missing)
  const earlier = flags.resume === undefined ? undefined : takeUp(flags)
  // A folder of its own: what is below it is removed.
  fs.mkdirSync(flags.directory, { recursive: true })
  const directory = fs.mkdtempSync(path.join(flags.directory, 'run-'))
  const warm = flags.warm ? await WarmMemory.start() : undefined
  let loop: LoopExt4 | undefined
  const stop = (): void => {
    warm?.stop()
    loop?.remove()
    fs.rmSync(directory, { recursive: true, force: true })
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      stop()
      process.exit(1)
    })
  }
  const circumstances = earlier ?? circumstancesOf(flags, command, warm !== undefined, missing)
  const growing = growingFrom(earlier)
  const report: Report = { ...circumstances, ...growing }
  const steps = new Steps(stepsOf(flags), growing.steps, () => save(report, file))
  const prepare = async (): Promise<void> => warm?.recycle()
  try {
    if (needsLoop(flags)) loop = await LoopExt4.make(directory, loopBytes(flags))
    await runRounds({ ...flags, directory, prepare }, steps, growing.rows)
    await runSpecials(flags, directory, prepare, steps, growing)
    if (flags.specials.includes(STEADY)) {
      const { steadyRows: rows, steadyBytes: totalBytes, steadyFactor: factor } = flags
      const { steadyPrefer: prefer, rounds, seed } = flags
      const loopDirectory = loop?.directory
      const plan = {
        rows,
        totalBytes,
        factor,
        prefer,
        rounds,
        seed,
        directory,
        loopDirectory,
        prepare,
      }
      await runSteady(plan, steps, growing.steady)
    }
    await steps.take(GROW, () => runGrowSteps(flags, directory, prepare, growing))
  } finally {
    stop()
  }
  save(report, file)
  return report
}

function stepsOf(flags: Flags): Step[] {
  const specials = flags.specials.filter((name) => name !== STEADY && name !== GROW)
  const { steadyRows, rounds } = flags
  return [
    ...roundSteps(flags),
    ...specials.map((name) => ({ name, kind: name })),
    ...(flags.specials.includes(STEADY) ? steadySteps(steadyRows, rounds) : []),
    ...(flags.specials.includes(GROW) ? [{ name: GROW, kind: GROW }] : []),
  ]
}

function enginesOf({ engines, workloads, specials, steadyRows }: Flags): EngineName[] {
  const inRows = specials.includes(STEADY) ? steadyRows.map(({ engine }) => engine ?? 'wisc') : []
  return [...new Set([...(workloads.length > 0 ? engines : []), ...inRows])]
}

function withoutEngines(flags: Flags, missing: ReadonlyMap<EngineName, string>): Flags {
  const isThere = (engine: EngineName): boolean => !missing.has(engine)
  return {
    ...flags,
    engines: flags.engines.filter(isThere),
    steadyRows: flags.steadyRows.filter(({ engine }) => isThere(engine ?? 'wisc')),
  }
}

/** @throws Error if the results are of other stores than those that are asked for */
function takeUp({ resume, totalBytes, seed, steadyBytes, steadyFactor }: Flags): Report {
  const earlier = readReport(resume!)
  const now = { totalBytes, seed, steadyBytes, steadyFactor }
  for (const [name, value] of Object.entries(now)) {
    const before = earlier[name as keyof typeof now]
    if (before !== value)
      throw new Error(`${resume} was measured with ${name} ${before}, not ${value}`)
  }
  return earlier
}

function growingFrom(earlier: Report | undefined): Growing {
  const { steps = [], rows = [], specials = [], steady = [] } = earlier ?? {}
  const grow = { steps: [...(earlier?.grow.steps ?? [])], files: [...(earlier?.grow.files ?? [])] }
  return { steps: [...steps], rows: [...rows], specials: [...specials], steady: [...steady], grow }
}

async function runSpecials(
  flags: Flags,
  directory: string,
  prepare: () => Promise<void>,
  steps: Steps,
  { specials }: Growing,
): Promise<void> {
  const { rounds: repetitions, seed, rangeBytes } = flags
  for (const name of flags.specials) {
    if (name === STEADY || name === GROW) continue
    await steps.take(name, async () => {
      specials.push(
        ...(await runSpecial(name, { directory, repetitions, seed, rangeBytes, prepare })),
      )
    })
  }
}

function needsLoop({ specials, steadyRows }: Flags): boolean {
  return specials.includes(STEADY) && steadyRows.some((row) => row.loop)
}

/** What a store without a collector takes, records and tables as well, and some segments beside it. */
function loopBytes({ steadyBytes, steadyFactor }: Flags): number {
  return Math.ceil(1.1 * (steadyFactor + 1) * steadyBytes) + 512 * 1024 ** 2
}

async function runGrowSteps(
  flags: Flags,
  directory: string,
  prepare: () => Promise<void>,
  { grow }: Growing,
): Promise<void> {
  const plan = {
    keys: flags.growKeys,
    valueBytes: flags.growValueBytes,
    bytesMax: flags.growBytes,
    overwriteShare: flags.growOverwrites,
    files: flags.growFiles,
    rounds: flags.rounds,
    seconds: flags.seconds,
    seed: flags.seed,
    directory,
    prepare,
  }
  await runGrow(plan, (step) => grow.steps.push(step))
  await runManyFiles(plan, (found) => grow.files.push(found))
}

function circumstancesOf(
  flags: Flags,
  command: string,
  warm: boolean,
  missing: ReadonlyMap<EngineName, string>,
): Omit<Report, keyof Growing> {
  const { totalBytes, rounds, seed, steadyBytes, steadyFactor } = flags
  const machine =
    `${os.cpus()[0]?.model ?? 'unknown processor'}, ${os.cpus().length} cores, ` +
    `${os.type()} ${os.release()}, Node ${process.version}`
  return {
    date: new Date().toISOString(),
    machine,
    versions: versionsOf(enginesOf(flags)),
    command,
    warm,
    totalBytes,
    rounds,
    seed,
    missing: Object.fromEntries(missing),
    steadyBytes,
    steadyFactor,
    steadyRows: flags.specials.includes(STEADY) ? flags.steadyRows.map(nameRow) : [],
  }
}

/** Whole or not at all: an interrupted run keeps what the step before has left. */
function save(report: Report, file: string): void {
  fs.mkdirSync(path.dirname(path.resolve(file)), { recursive: true })
  const beside = `${file}.new`
  fs.writeFileSync(beside, `${JSON.stringify(report, undefined, 1)}\n`)
  fs.renameSync(beside, file)
}
