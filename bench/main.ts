/**
 * The comparative benchmark: wisc, its peers and a raw floor side by side in one run. See bench/README.md.
 *
 * Rounds are interleaved (size, then round, then engine), each engine in a process of its own; the best
 * round counts. The way to fill an engine that won the first round is used in the later ones.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { EngineName } from './engines/engine.ts'
import { installPeers } from './engines/peers.ts'
import { SETTINGS } from './engines/settings.ts'
import { type Flags, GROW, HELP, parseFlags, STEADY } from './flags.ts'
import { runGrow, runManyFiles } from './grow/grow.ts'
import type { FilesReport, GrowResults, GrowStep } from './grow/results.ts'
import { judgeGrow, renderGrow } from './grow/table.ts'
import { formatBytes } from './harness/byte-sizes.ts'
import { attempt, runChild } from './harness/children.ts'
import { formatRate, renderVerdicts } from './harness/markdown.ts'
import type { WorkloadResult } from './harness/measure.ts'
import { LoopExt4 } from './machine/loop-ext4.ts'
import { WarmMemory } from './machine/warm-memory.ts'
import { renderSpecials, type SpecialFigure } from './special/figures.ts'
import { runSpecial } from './special/specials.ts'
import { judgeSteady } from './steady/goals.ts'
import type { SteadyRun } from './steady/results.ts'
import { nameRow } from './steady/rows.ts'
import { runSteady } from './steady/steady.ts'
import { summarize } from './steady/summary.ts'
import { renderSteady } from './steady/table.ts'
import { judge } from './targets.ts'
import { bestRow, type Job, type Row, rate } from './throughput/results.ts'
import { renderSize } from './throughput/table.ts'
import { LOADS } from './throughput/workloads.ts'

const CHILD = new URL('./throughput/child.js', import.meta.url)

/** The whole file that `--json` writes. */
interface Report {
  readonly date: string
  readonly machine: string
  readonly warm: boolean
  readonly totalBytes: number
  readonly rounds: number
  readonly seed: number
  /** Why engines that were asked for are not in it. */
  readonly missing: Readonly<Record<string, string>>
  readonly rows: readonly Row[]
  readonly specials: readonly SpecialFigure[]
  /** Of overwrite-steady: bytes of values in its stores, and how often they were overwritten. */
  readonly steadyBytes: number
  readonly steadyFactor: number
  readonly steady: readonly SteadyRun[]
  readonly grow: GrowResults
}

async function main(asked: Flags): Promise<void> {
  const missing = installPeers(enginesOf(asked))
  if (missing.size > 0) process.exitCode = 1
  const flags = withoutEngines(asked, missing)
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
  try {
    if (needsLoop(flags)) loop = await LoopExt4.make(directory, loopBytes(flags))
    const rows = await runRounds(flags, directory, warm)
    const specials = await runSpecials(flags, directory, warm)
    const steady = await runSteadyRows(flags, directory, loop?.directory, warm)
    const grow = await runGrowSteps(flags, directory, warm)
    report(flags, warm !== undefined, missing, rows, specials, steady, grow)
  } finally {
    stop()
  }
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

async function runRounds(
  flags: Flags,
  directory: string,
  warm: WarmMemory | undefined,
): Promise<Row[]> {
  const rows: Row[] = []
  if (flags.workloads.length === 0) return rows
  for (const valueBytes of flags.sizes) {
    for (let round = 1; round <= flags.rounds; round++) {
      for (const engine of flags.engines) {
        const job: Job = {
          engine,
          valueBytes,
          totalBytes: flags.totalBytes,
          workloads: flags.workloads,
          ways: bestWays(rows, engine, valueBytes),
          seconds: flags.seconds,
          directory: path.join(directory, engine),
          seed: flags.seed,
        }
        await warm?.recycle()
        await attempt(`${engine} at ${formatBytes(valueBytes)}`, () =>
          runChild<WorkloadResult>(CHILD, job, (result) => {
            rows.push({ ...result, engine, valueBytes, round })
            logProgress(engine, valueBytes, round, result)
          }),
        )
        fs.rmSync(job.directory, { recursive: true, force: true })
      }
    }
  }
  return rows
}

/** The ways that won so far. */
function bestWays(
  rows: readonly Row[],
  engine: EngineName,
  valueBytes: number,
): Readonly<Record<string, string>> {
  const ways: Record<string, string> = {}
  for (const workload of LOADS) {
    const way = bestRow(rows, engine, valueBytes, workload)?.way
    if (way !== undefined) ways[workload] = way
  }
  return ways
}

async function runSpecials(
  flags: Flags,
  directory: string,
  warm: WarmMemory | undefined,
): Promise<SpecialFigure[]> {
  const figures: SpecialFigure[] = []
  for (const name of flags.specials) {
    if (name === STEADY || name === GROW) continue
    console.error(`special ${name}`)
    await attempt(name, async () => {
      const found = await runSpecial(name, {
        directory,
        repetitions: flags.rounds,
        seed: flags.seed,
        rangeBytes: flags.rangeBytes,
        prepare: async () => warm?.recycle(),
      })
      figures.push(...found)
    })
  }
  return figures
}

function needsLoop({ specials, steadyRows }: Flags): boolean {
  return specials.includes(STEADY) && steadyRows.some((row) => row.loop)
}

/** What a store without a collector takes, records and tables as well, and some segments beside it. */
function loopBytes({ steadyBytes, steadyFactor }: Flags): number {
  return Math.ceil(1.1 * (steadyFactor + 1) * steadyBytes) + 512 * 1024 ** 2
}

async function runSteadyRows(
  flags: Flags,
  directory: string,
  loopDirectory: string | undefined,
  warm: WarmMemory | undefined,
): Promise<SteadyRun[]> {
  if (!flags.specials.includes(STEADY)) return []
  return runSteady({
    rows: flags.steadyRows,
    totalBytes: flags.steadyBytes,
    factor: flags.steadyFactor,
    prefer: flags.steadyPrefer,
    rounds: flags.rounds,
    seed: flags.seed,
    directory,
    loopDirectory,
    prepare: async () => warm?.recycle(),
  })
}

/** The steps that could be measured. */
async function runGrowSteps(
  flags: Flags,
  directory: string,
  warm: WarmMemory | undefined,
): Promise<GrowResults> {
  const steps: GrowStep[] = []
  const files: FilesReport[] = []
  if (!flags.specials.includes(GROW)) return { steps, files }
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
    prepare: async (): Promise<void> => warm?.recycle(),
  }
  await attempt(GROW, () => runGrow(plan, (step) => steps.push(step)))
  await attempt(GROW, () => runManyFiles(plan, (report) => files.push(report)))
  return { steps, files }
}

function logProgress(
  engine: EngineName,
  valueBytes: number,
  round: number,
  result: WorkloadResult,
): void {
  const way = result.way === undefined ? '' : ` (${result.way})`
  console.error(
    `round ${round}  ${formatBytes(valueBytes).padStart(7)}  ${engine.padEnd(13)}  ` +
      `${`${result.workload}${way}`.padEnd(26)} ${formatRate(rate(result)).padStart(8)}/s`,
  )
}

function report(
  flags: Flags,
  warm: boolean,
  missing: ReadonlyMap<EngineName, string>,
  rows: readonly Row[],
  specials: readonly SpecialFigure[],
  steady: readonly SteadyRun[],
  grow: GrowResults,
): void {
  const date = new Date().toISOString()
  const machine =
    `${os.cpus()[0]?.model ?? 'unknown processor'}, ${os.cpus().length} cores, ` +
    `${os.type()} ${os.release()}, Node ${process.version}`
  const { totalBytes, rounds, seed, steadyBytes, steadyFactor } = flags
  const file = flags.json ?? path.join('bench', 'results', `${date.replace(/[:.]/g, '-')}.json`)
  const whole: Report = {
    date,
    machine,
    warm,
    totalBytes,
    rounds,
    seed,
    missing: Object.fromEntries(missing),
    rows,
    specials,
    steadyBytes,
    steadyFactor,
    steady,
    grow,
  }
  fs.mkdirSync(path.dirname(path.resolve(file)), { recursive: true })
  fs.writeFileSync(file, `${JSON.stringify(whole, undefined, 1)}\n`)
  console.log(
    `${date}, ${machine}\n` +
      `${formatBytes(totalBytes)} of values, best of ${rounds}, memory ${warm ? 'warm' : 'as it was'}\n`,
  )
  const settings = enginesOf(flags).flatMap((name) => {
    const text = SETTINGS[name]
    return text === undefined ? [] : [`- ${name}: ${text}`]
  })
  const failed = [...missing].map(([name, why]) => `- ${name}: ${why}`)
  if (settings.length > 0) console.log(`### Settings\n\n${settings.join('\n')}\n`)
  if (failed.length > 0) console.log(`### Not measured\n\n${failed.join('\n')}\n`)
  for (const valueBytes of flags.sizes) {
    if (rows.some((row) => row.valueBytes === valueBytes)) {
      console.log(`${renderSize(rows, valueBytes)}\n`)
    }
  }
  if (specials.length > 0) console.log(`### Special\n\n${renderSpecials(specials)}\n`)
  const summaries = summarize(steady)
  if (summaries.length > 0) {
    const store = `${formatBytes(steadyBytes)} of values, overwritten ${steadyFactor} times`
    console.log(`${renderSteady(store, summaries)}\n`)
  }
  if (flags.specials.includes(GROW)) console.log(`${renderGrow(grow)}\n`)
  const asked = flags.specials.includes(STEADY) ? flags.steadyRows.map(nameRow) : []
  const verdicts = judge(rows, specials)
    .filter((verdict) => verdict.measured !== null)
    .concat(judgeSteady(asked, summaries), judgeGrow(grow.steps))
  if (verdicts.length > 0) console.log(`### Figures to reach\n\n${renderVerdicts(verdicts)}\n`)
  console.log(`all of it: ${file}`)
}

function readFlags(): Flags | undefined {
  try {
    return parseFlags(process.argv.slice(2))
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${HELP}`)
    process.exitCode = 2
    return undefined
  }
}

const flags = readFlags()
if (flags?.help) console.log(HELP)
else if (flags !== undefined) await main(flags)
