/**
 * The stress program: one store, everything at once, for as long as it is asked to.
 *
 *   npm run test:stress -- [--minutes N | --seconds N] [--seed S] [--faults] [--alone] [--canary NAME]
 *
 * Writers, readers, iterators, snapshots, signals and all kinds of maintenance share one store, which is closed and
 * opened again with other options every few seconds, while readers in other processes and runs of the command look at
 * it. The seed decides what each of them does; how they meet is left to the machine: a replay may have to run longer.
 * With --faults calls of the file system fail now and then; then, as with --alone, no other process looks on.
 *
 * It ends with a line of counts, or, at the first wrong answer, with what was wrong, the seed, and status 1.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { nodeFileSystem } from '#dist/lib/base/platform/node-file-system.js'
import type { Store } from '#dist/lib/index.js'
import type { JobRunner } from '#dist/lib/jobs/runner.js'
import { openStore } from '#dist/lib/store/open-store.js'
import { CheckedRunner } from '../support/parts/checked-runner.ts'
import { Prng, testSeed } from '../support/random.ts'
import { accountingErrors } from '../support/store/recount.ts'
import { plant } from './canaries.ts'
import { runCommands } from './command-runs.ts'
import { GROUPS, keysOf } from './content.ts'
import { Histories } from './histories.ts'
import { count, type Life } from './life.ts'
import { Queue, queueAlone, queuer } from './queue.ts'
import { descriptorCounter, keeper, reader, scanner } from './readers.ts'
import { drawOptions, parseSettings, type Settings } from './settings.ts'
import { faults, shakyFileSystem } from './shaky-file-system.ts'
import { keeperOfOrder, Ownership, verify, writer } from './writers.ts'

const BESIDE = fileURLToPath(new URL('./beside.js', import.meta.url))
const READERS_BESIDE = 2
const LIFE_MS = 4000
/** Signals come and go; what listens to them is our own. */
process.setMaxListeners(0)

interface Run {
  readonly settings: Settings
  readonly prng: Prng
  readonly directory: string
  readonly histories: Histories
  readonly queue: Queue
  readonly counts: Map<string, number>
  readonly endsAt: number
  /** The first thing that was wrong. */
  failure: Error | undefined
}

function isOver(run: Run): boolean {
  return run.failure !== undefined || performance.now() >= run.endsAt
}

/** Keeps the first failure; everybody ends then. */
function watch(run: Run, work: Promise<void>): Promise<void> {
  return work.catch((error: unknown) => {
    run.failure ??= error instanceof Error ? error : new Error(String(error))
  })
}

async function liveOnce(run: Run): Promise<void> {
  const { settings, histories, directory, counts } = run
  const prng = run.prng.fork()
  const options = drawOptions(prng, settings.faults)
  let isShaken = false
  const shakes = faults(
    prng.fork(),
    () => isShaken,
    () => {
      histories.syncFailed = true
    },
  )
  const wrapRunner = (runner: JobRunner): JobRunner => new CheckedRunner(runner, nodeFileSystem)
  const parts = { wrapRunner, ...(settings.faults && { fileSystem: shakyFileSystem(shakes) }) }
  const store = await openStore(directory, options, parts)
  await checkAll(store, histories)
  const life: Life = {
    store,
    directory,
    maxOpenFiles: options.maxOpenFiles!,
    faults: settings.faults,
    histories,
    counts,
    ended: false,
  }
  store.on('collection', ({ action }) => count(life, `collected by ${action}`))
  store.on('flush', () => count(life, 'flushed'))
  isShaken = true
  const owners = new Ownership()
  const actors = [
    ...Array.from({ length: 6 }, () => writer(life, owners, prng.fork())),
    ...Array.from({ length: 2 }, () => reader(life, prng.fork())),
    scanner(life, prng.fork()),
    scanner(life, prng.fork()),
    keeper(life, prng.fork()),
    keeper(life, prng.fork()),
    keeperOfOrder(life, prng.fork()),
    descriptorCounter(life, prng.fork()),
    ...(settings.faults ? [] : [queuer(life, run.queue, prng.fork())]),
  ]
  const endsAt = Math.min(run.endsAt, performance.now() + LIFE_MS / 2 + prng.below(LIFE_MS))
  const all = Promise.all(actors.map((actor) => watch(run, actor)))
  // After a failed sync there is little left to see but that all that was durable is there.
  let turns = 0
  while (performance.now() < endsAt && !run.failure && turns < 10) {
    await sleep(20)
    if (histories.syncFailed) turns++
  }
  life.ended = true
  await all
  isShaken = false
  await endLife(run, life)
}

async function endLife(run: Run, life: Life): Promise<void> {
  const { settings } = run
  const isSound = !settings.faults
  if (isSound && !run.failure) {
    await checkAll(life.store, run.histories)
    await queueAlone(life, run.queue, run.prng.fork())
    await verify(life, true)
    await checkFigures(life, settings.alone)
    const { backgroundError } = life.store.stats()
    if (backgroundError) throw new Error('background work stopped', { cause: backgroundError })
  }
  // After a fault the close may say so; what it leaves behind is looked at by the next open.
  await life.store.close().catch((error: unknown) => {
    if (isSound) throw error
  })
  if (settings.faults) run.histories.reopened()
}

/**
 * Nobody reads or writes here: nothing is held, and the figures of space are those of a recount (I9).
 * @param isAlone else a scan of the command may hold a snapshot in this process
 */
async function checkFigures({ store, directory }: Life, isAlone: boolean): Promise<void> {
  store.pauseCollector()
  await store.flush()
  await store.compact()
  const { iterators, snapshots } = store.stats()
  if (iterators.open > 0 || (isAlone && snapshots.open > 0)) {
    throw new Error(`${iterators.open} iterators and ${snapshots.open} snapshots are still open`)
  }
  let errors = accountingErrors(store, nodeFileSystem, directory)
  // Files that nobody needs any more go a little later.
  for (let looks = 0; looks < 500 && errors.length > 0; looks++) {
    await sleep(20)
    errors = accountingErrors(store, nodeFileSystem, directory)
  }
  if (errors.length > 0) throw new Error(`figures of space are wrong: ${errors.join(', ')}`)
  store.resumeCollector()
}

/** Nobody writes: every group shows a version that it may have, and from now on that one. */
async function checkAll(store: Store, histories: Histories): Promise<void> {
  const view = histories.now()
  for (let group = 0; group < GROUPS; group++) {
    const values = await store.getMany(keysOf(group))
    view.checkGroup(group, values)
    histories.settle(group, view.check(group, 0, values[0]))
  }
}

interface Beside {
  readonly child: ChildProcess
  readonly ended: Promise<void>
}

function startBeside(run: Run, seed: number): Beside {
  const child = spawn(process.execPath, [BESIDE, run.directory, String(seed)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let output = ''
  let errors = ''
  child.stdout!.on('data', (data: Buffer) => {
    output += data.toString()
  })
  child.stderr!.on('data', (data: Buffer) => {
    errors += data.toString()
  })
  const ended = once(child, 'close').then(([code]) => {
    if (code !== 0) throw new Error(`a reader beside the writer failed:\n${errors}`)
    for (const [name, count] of Object.entries(JSON.parse(output) as Record<string, number>)) {
      run.counts.set(`beside ${name}`, (run.counts.get(`beside ${name}`) ?? 0) + count)
    }
  })
  return { child, ended: watch(run, ended) }
}

/** The store lives once before anybody looks from outside: there is nothing to find before. */
async function stress(run: Run, scratch: string): Promise<void> {
  await liveOnce(run)
  const { settings, prng } = run
  const isAlone = settings.faults || settings.alone
  const beside = isAlone
    ? []
    : Array.from({ length: READERS_BESIDE }, () => startBeside(run, prng.u32()))
  const commands = isAlone
    ? undefined
    : watch(
        run,
        runCommands(run.directory, scratch, prng.fork(), run.counts, () => isOver(run)),
      )
  try {
    while (!isOver(run)) await liveOnce(run)
  } finally {
    for (const { child } of beside) child.stdin!.end()
    await Promise.all([commands, ...beside.map(({ ended }) => ended)])
  }
}

/** The same program on a store with a fault. */
async function runCanary({ canary, seed }: Settings, scratch: string): Promise<number> {
  const words = process.argv.slice(2)
  words.splice(words.indexOf('--canary'), 2)
  const program = plant(canary!, scratch)
  const child = spawn(process.execPath, [program, ...words, '--seed', String(seed)], {
    stdio: 'inherit',
  })
  const [code] = (await once(child, 'close')) as [number | null]
  rmSync(scratch, { recursive: true, force: true })
  console.log(code === 1 ? `canary ${canary}: found` : `canary ${canary}: NOT FOUND`)
  return code ?? 1
}

async function main(): Promise<number> {
  const settings = parseSettings(process.argv.slice(2), testSeed())
  const scratch = mkdtempSync(join(tmpdir(), 'wisc-stress-'))
  if (settings.canary !== undefined) return runCanary(settings, scratch)
  const run: Run = {
    settings,
    prng: new Prng(settings.seed),
    directory: join(scratch, 'db'),
    histories: new Histories(),
    queue: new Queue(),
    counts: new Map(),
    endsAt: performance.now() + settings.seconds * 1000,
    failure: undefined,
  }
  await watch(run, stress(run, scratch))
  const counts = [...run.counts].sort(([left], [right]) => (left < right ? -1 : 1))
  console.log(counts.map(([name, count]) => `${name}: ${count}`).join(', '))
  console.log(`seed ${settings.seed}${settings.faults ? ', with faults' : ''}`)
  if (!run.failure) {
    rmSync(scratch, { recursive: true, force: true })
    return 0
  }
  console.error(run.failure)
  console.error(`wrong; the store is left in ${run.directory}`)
  return 1
}

process.exitCode = await main()
