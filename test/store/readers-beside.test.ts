/**
 * Readers and command runs beside a busy writer of another process, on the real file system: it flushes, compacts,
 * punches, rewrites, drops, uploads, closes and opens again all the time. No reader may find damage, a wrong value or
 * none.
 *
 * WISC_READER_SECONDS says how long it goes on; by default for a few hundred actions.
 */
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { open, type Store, WiscError } from '#dist/lib/index.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import {
  closeWriter,
  endWrites,
  KEPT_KEYS,
  KEYS,
  keyOf,
  startBusyWriter,
  writeOf,
} from '../support/processes/busy-writer.ts'
import { wisc } from '../support/processes/wisc-process.ts'
import { Prng, replayHint, testSeed } from '../support/random.ts'

const seed = testSeed()
const seconds = Number(process.env['WISC_READER_SECONDS'] ?? 0)
const ACTIONS = 250
const COMMANDS = 6

/** What was done, and what must not have come of it. */
class Findings {
  readonly done: Map<string, number> = new Map()
  readonly stale: Map<string, number> = new Map()
  readonly alarms: string[] = []

  count(counts: Map<string, number>, name: string): void {
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }

  get total(): number {
    return [...this.done.values()].reduce((sum, count) => sum + count, 0)
  }

  /** @returns undefined if the view was too old: that is no alarm */
  async run<T>(name: string, action: () => Promise<T>): Promise<T | undefined> {
    this.count(this.done, name)
    try {
      return await action()
    } catch (error) {
      const isStale = error instanceof WiscError && error.code === 'WISC_STALE'
      if (isStale) this.count(this.stale, name)
      else this.alarms.push(`${name}: ${error}`)
      return undefined
    }
  }

  check(key: string, value: Buffer | undefined): void {
    const i = Number(key.slice(4))
    if (value === undefined) {
      if (i < KEPT_KEYS) this.alarms.push(`${key} is missing`)
      return
    }
    if (writeOf(i, value) === undefined)
      this.alarms.push(`${key} has a wrong value of ${value.length} bytes`)
  }

  atLeast(what: string, count: number): void {
    if (count < KEPT_KEYS) this.alarms.push(`${what} found ${count} entries`)
  }
}

function someKey(prng: Prng): string {
  return keyOf(prng.below(KEYS))
}

/** One action of a reader, whichever the numbers choose. */
async function act(store: Store, prng: Prng, findings: Findings): Promise<void> {
  const run = findings.run.bind(findings)
  const key = someKey(prng)
  const actions: (() => Promise<unknown>)[] = [
    () => run('get', async () => findings.check(key, await store.get(key))),
    () => run('getSync', async () => findings.check(key, store.getSync(key))),
    () =>
      run('getMany', async () => {
        const keys = Array.from({ length: 12 }, () => someKey(prng))
        const values = await store.getMany(keys)
        for (const [i, value] of values.entries()) findings.check(keys[i]!, value)
      }),
    () => run('has', () => store.has(key)),
    () => run('stat', () => store.stat(key)),
    () => run('stats', async () => store.stats()),
    () => run('segments', async () => store.segments()),
    () => run('planCollection', () => store.planCollection()),
    () =>
      run('verify', async () => {
        const { damage } = await store.verify({ deep: prng.chance(0.5) })
        for (const { message } of damage) findings.alarms.push(`verify: ${message}`)
      }),
    () =>
      run('entries', async () => {
        let count = 0
        for await (const [found, value] of store.entries({ reverse: prng.chance(0.5) })) {
          findings.check(found.toString(), value)
          count++
        }
        findings.atLeast('an iterator', count)
      }),
    () =>
      run('snapshot', async () => {
        using snapshot = store.snapshot()
        for (let n = 0; n < 5; n++) {
          const one = someKey(prng)
          findings.check(one, await store.get(one, { snapshot }))
          await new Promise((resolve) => setTimeout(resolve, 2))
        }
      }),
  ]
  const [get] = actions
  await (prng.chance(0.3) ? get! : prng.pick(actions))()
}

async function readOn(
  directory: string,
  prng: Prng,
  findings: Findings,
  isEnough: () => boolean,
): Promise<void> {
  while (!isEnough()) {
    const options = { readOnly: true, maxOpenFiles: prng.pick([16, 64, 512]) }
    const store = await findings.run('open', () => open(directory, options))
    if (!store) continue
    const actions = 1 + prng.below(30)
    for (let n = 0; n < actions && !isEnough(); n++) await act(store, prng, findings)
    await store.close()
  }
}

/** What is an answer, too: the file of the value log has gone, the key was deleted, nothing holds the moment. */
const ANSWERS: Readonly<Record<string, RegExp>> = {
  map: /no such segment|no file holds|holds nothing yet/,
  explain: /no such segment|no file holds|holds nothing yet/,
  dump: /there is no file/,
  get: /key not found/,
  scan: /cannot go on as of one moment/,
}

async function runCommand(
  verb: string,
  directory: string,
  prng: Prng,
  findings: Findings,
): Promise<void> {
  const files = fs.readdirSync(directory)
  const segments = files.filter((name) => name.endsWith('.vlog'))
  const dumped = files.filter((name) => /^(CURRENT|MANIFEST-\d+|\d+\.vlog)$/.test(name))
  const words: Record<string, readonly string[]> = {
    map: [directory, prng.pick(segments)],
    explain: [directory, prng.pick(segments)],
    get: [directory, someKey(prng)],
    dump: [path.join(directory, prng.pick(dumped))],
    report: [directory, '--html', '-'],
    gc: [directory, '--dry-run'],
  }
  const [name, ...options] = verb.split(' ') as [string, ...string[]]
  findings.count(findings.done, `wisc ${verb}`)
  const { code, out, err } = await wisc([name, ...(words[name] ?? [directory]), ...options])
  if (code === 0 || ANSWERS[name]?.test(err)) return
  if (err.includes('WISC_STALE')) findings.count(findings.stale, `wisc ${verb}`)
  else {
    const damage = out.split('\n').filter((line) => line.includes('DAMAGE'))
    findings.alarms.push(`wisc ${verb}: ${code} ${err.slice(0, 300)} ${damage.slice(0, 3)}`)
  }
}

const VERBS =
  'verify,stat,segments,map,explain,scan,get,dump,orphans,advise,report,gc,verify --deep,segments --exact'

test(`I11: ${replayHint(seed)}`, { timeout: seconds * 1000 + 300_000 }, async () => {
  const directory = path.join(temporaryDirectory(), 'store')
  const writer = await startBusyWriter(directory, seed)
  const findings = new Findings()
  const prng = new Prng(seed)
  const deadline = performance.now() + seconds * 1000
  const isEnough = (): boolean =>
    seconds > 0 ? performance.now() > deadline : findings.total >= ACTIONS
  const readers = [1, 2].map(() => readOn(directory, prng.fork(), findings, isEnough))
  const verbs = VERBS.split(',')
  const first = prng.below(verbs.length)
  for (let n = 0; seconds > 0 ? !isEnough() : n < COMMANDS; n++) {
    await runCommand(verbs[(first + n) % verbs.length]!, directory, prng, findings)
  }
  await Promise.all(readers)
  if (seconds > 0) {
    process.stdout.write(`${JSON.stringify(Object.fromEntries(findings.done))}\n`)
    process.stdout.write(`stale ${JSON.stringify(Object.fromEntries(findings.stale))}\n`)
  }
  expect(findings.alarms).toEqual([])
  // A view may be outrun now and then; not most of them.
  const stale = [...findings.stale.values()].reduce((sum, count) => sum + count, 0)
  expect(stale).toBeLessThan(findings.total / 2)
  await endWrites(writer)
  await closeWriter(writer)
})
