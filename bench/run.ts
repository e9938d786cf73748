/**
 * One run of the benchmark: what the flags ask for, step by step, into one file of results.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { EngineName } from './engines/engine.ts'
import { installPeers, versionsOf } from './engines/peers.ts'
import type { Flags } from './flags.ts'
import { runGrow, runManyFiles } from './grow/grow.ts'
import type { GrowResults } from './grow/results.ts'
import { measureUndisturbed } from './harness/other-load.ts'
import { type Step, Steps } from './harness/steps.ts'
import { LoopExt4 } from './machine/loop-ext4.ts'
import { WarmMemory } from './machine/warm-memory.ts'
import { type Report, readReport } from './report/results.ts'
import { addReadings, type SpecialContext } from './special/figures.ts'
import { GROW, OF_EVERY_ENGINE, runSpecial, STEADY } from './special/specials.ts'
import { nameRow } from './steady/rows.ts'
import { runSteady, type SteadyPlan, steadySteps } from './steady/steady.ts'
import { leftOutForTheirNumber, roundSteps, runRound } from './throughput/rounds.ts'

/** The results as they grow: they are written behind each step. */
type Growing = {
  -readonly [name in 'steps' | 'rows' | 'specials' | 'steady']: Report[name][number][]
} & {
  readonly leftOut: string[]
  readonly grow: { -readonly [name in keyof GrowResults]: GrowResults[name][number][] }
}

/** Where a run measures. */
interface Place {
  /** For stores; nothing else is in it. */
  readonly directory: string
  /** In a file system of its own. */
  readonly loopDirectory: string | undefined
  /** Called before each process that is measured. */
  readonly prepare: () => Promise<void>
}

/**
 * Measures everything that is not in the file yet.
 * @param file where the results go, and where those of an interrupted run are taken up with `flags.resume`
 */
export async function run(asked: Flags, command: string, file: string): Promise<Report> {
  const missing = installPeers(enginesOf(asked))
  if (missing.size > 0) process.exitCode = 1
  const flags = withoutEngines(asked, missing)
  const earlier = flags.resume === undefined ? undefined : takeUp(flags)
  const directory = makeDirectory(flags.directory)
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
  const notMeasured = { ...circumstances.missing }
  const report: Report = { ...circumstances, missing: notMeasured, ...growing }
  const seconds = 60 * flags.minutesMax
  const steps = new Steps(
    stepsOf(flags),
    growing.steps,
    growing.leftOut,
    notMeasured,
    seconds,
    () => save(report, file),
  )
  const prepare = async (): Promise<void> => warm?.recycle()
  try {
    if (needsLoop(flags)) loop = await LoopExt4.make(directory, loopBytes(flags))
    const place: Place = { directory, loopDirectory: loop?.directory, prepare }
    for (const { round, part } of partsOf(flags)) {
      if (part === 'throughput') {
        await runRound({ ...flags, directory, prepare }, round, steps, growing.rows)
      } else {
        await runSpecials(flags, place, round, steps, growing)
        if (flags.specials.includes(STEADY)) {
          await runSteady(steadyPlan(flags, place), round, steps, growing.steady)
        }
      }
    }
    await steps.take(GROW, () => runGrowSteps(flags, place, growing))
  } finally {
    stop()
  }
  save(report, file)
  return report
}

/** A folder of its own: what is below it is removed. Those of runs that were killed go. */
function makeDirectory(parent: string): string {
  fs.mkdirSync(parent, { recursive: true })
  for (const name of fs.readdirSync(parent)) {
    const owner = /^run-(\d+)-/.exec(name)?.[1]
    if (owner === undefined || isAlive(Number(owner))) continue
    fs.rmSync(path.join(parent, name), { recursive: true, force: true })
  }
  return fs.mkdtempSync(path.join(parent, `run-${process.pid}-`))
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // It may belong to somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

interface Part {
  readonly round: number
  readonly part: 'throughput' | 'beside'
}

/** Everything once; then the throughput again and again, and last what is measured beside it. */
function partsOf({ rounds }: Flags): Part[] {
  const both = (['throughput', 'beside'] as const).map((part) =>
    Array.from({ length: rounds }, (_, i): Part => ({ round: i + 1, part })),
  )
  return [...both.flatMap((of) => of.slice(0, 1)), ...both.flatMap((of) => of.slice(1))]
}

function stepsOf(flags: Flags): Step[] {
  return [
    ...partsOf(flags).flatMap(({ round, part }) =>
      part === 'throughput' ? roundSteps(flags, round) : stepsBeside(flags, round),
    ),
    ...(flags.specials.includes(GROW) ? [{ name: GROW, kind: GROW, round: 1, group: GROW }] : []),
  ]
}

function stepsBeside(flags: Flags, round: number): Step[] {
  return [
    ...ownSpecials(flags).map((name) => {
      return { name: `${name}, round ${round}`, kind: name, round, group: name }
    }),
    ...(flags.specials.includes(STEADY) ? steadySteps(flags.steadyRows, round) : []),
  ]
}

/** Without those that have flags and tables of their own. */
function ownSpecials({ specials }: Flags): string[] {
  return specials.filter((name) => name !== STEADY && name !== GROW)
}

function enginesOf(flags: Flags): EngineName[] {
  const { engines, specials, steadyRows, sizes, workloadsAt } = flags
  const inRows = specials.includes(STEADY) ? steadyRows.map(({ engine }) => engine ?? 'wisc') : []
  const asksAll =
    sizes.some((size) => workloadsAt(size).length > 0) ||
    specials.some((name) => OF_EVERY_ENGINE.includes(name))
  return [...new Set([...(asksAll ? engines : []), ...inRows])]
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
  if (earlier.steps.some(({ name }) => name === undefined)) {
    throw new Error(`${resume} was written by an older version, which named its steps otherwise`)
  }
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
  const taken = { steps: [...steps], rows: [...rows], specials: [...specials], steady: [...steady] }
  return { ...taken, leftOut: [], grow }
}

async function runSpecials(
  flags: Flags,
  { directory, prepare }: Place,
  round: number,
  steps: Steps,
  { specials }: Growing,
): Promise<void> {
  const { seed, rangeBytes, engines } = flags
  const own = path.join(directory, 'special')
  const context: SpecialContext = { directory: own, seed, rangeBytes, engines, prepare }
  for (const name of ownSpecials(flags)) {
    await steps.take(`${name}, round ${round}`, async () => {
      try {
        const measured = await measureUndisturbed(
          name,
          () => runSpecial(name, context),
          (seconds) => steps.canRepeat(seconds),
        )
        addReadings(specials, measured.found, measured.otherCores)
      } finally {
        fs.rmSync(own, { recursive: true, force: true })
      }
    })
  }
}

function steadyPlan(flags: Flags, place: Place): SteadyPlan {
  const { steadyRows: rows, steadyBytes: totalBytes, steadyFactor: factor } = flags
  const { steadyPrefer: prefer, seed } = flags
  return { rows, totalBytes, factor, prefer, seed, ...place }
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
  { directory, prepare }: Place,
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
    missing: { ...Object.fromEntries(missing), ...leftOutForTheirNumber(flags) },
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
