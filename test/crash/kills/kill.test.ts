/**
 * kill -9 of a writing process at random moments, many times over one long-lived store on the real file system.
 *
 * I1, I2, I4, I12: all that was acknowledged is there (a kill loses no page cache), the rest is a prefix of the
 * history, batches whole. Every second time the store is only looked at (readOnly), so that the next child
 * recovers it; sometimes the child is killed while it still opens.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { open } from '#dist/lib/index.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'
import { batchAt, KILL_OPTIONS, POSITION_KEY, STREAM_KEYS, versionOf } from './kill-history.ts'

const CHILD = fileURLToPath(
  new URL('../../../dist/test/crash/kills/kill-child.js', import.meta.url),
)
const KILLS = Number(process.env['WISC_KILLS'] ?? 60)

interface Life {
  readonly opened: number | undefined
  readonly acknowledged: number
  /** The last version of each stream that was acknowledged. */
  readonly streams: ReadonlyMap<string, number>
  readonly errors: string
}

/**
 * Starts a child and kills it: now and then while it opens, mostly when it has acknowledged some batches, whatever time
 * that takes it, and a few milliseconds later.
 */
async function liveAndDie(directory: string, seed: number, prng: Prng): Promise<Life> {
  const workers = prng.chance(0.3) ? 1 : 0
  const child = spawn(process.execPath, [CHILD, directory, String(seed), String(workers)])
  const linesMin = prng.chance(0.15) ? 1 : 2 + prng.below(40)
  const delay = prng.below(linesMin === 1 ? 30 : 8)
  let lineCount = 0
  let output = ''
  let errors = ''
  child.stderr.on('data', (data) => {
    errors += String(data)
  })
  child.stdout.on('data', (data) => {
    const before = lineCount
    lineCount += String(data).split('\n').length - 1
    output += String(data)
    if (before >= linesMin || lineCount < linesMin) return
    setTimeout(() => child.kill('SIGKILL'), delay)
  })
  await ended(child)
  const lines = output.split('\n').slice(1, -1)
  const opened = lines[0]?.startsWith('open ') ? Number(lines[0].slice(5)) : undefined
  let acknowledged = 0
  const streams = new Map<string, number>()
  for (const line of lines) {
    const [what, number] = line.split(' ') as [string, string]
    if (what === 'ack') acknowledged = Math.max(acknowledged, Number(number))
    else if (what !== 'open') streams.set(what, Number(number))
  }
  return { opened, acknowledged, streams, errors }
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', () => resolve())
  })
}

/** The state after each position, one batch at a time. */
class History {
  readonly state: Map<string, Buffer> = new Map()
  /** The version of each stream that was seen last. */
  readonly streams: Map<string, number> = new Map()
  readonly #seed: number
  position = 0

  constructor(seed: number) {
    this.#seed = seed
  }

  advance(position: number): void {
    while (this.position < position) {
      for (const { type, key, value } of batchAt(this.#seed, ++this.position)) {
        if (type === 'put') this.state.set(key, value)
        else this.state.delete(key)
      }
    }
  }
}

async function check(
  directory: string,
  history: History,
  life: Life,
  readOnly: boolean,
): Promise<void> {
  const store = await open(directory, { ...KILL_OPTIONS, workers: 0, readOnly })
  try {
    const position = Number(store.getSync(POSITION_KEY)?.toString() ?? 0)
    const before = history.position
    expect(life.opened ?? before, 'the child found what was there').toBe(before)
    expect(position, 'acknowledged batches are there').toBeGreaterThanOrEqual(
      Math.max(before, life.acknowledged),
    )
    history.advance(position)
    let entries = 0
    for (const key of STREAM_KEYS) {
      const version = versionOf(key, store.getSync(key))
      const least = Math.max(history.streams.get(key) ?? 0, life.streams.get(key) ?? 0)
      expect([least, least + 1], `version of ${key}`).toContain(version)
      history.streams.set(key, version)
    }
    for await (const [key, value] of store.entries({ lt: 'stream/' })) {
      const expected = history.state.get(key.toString())
      if (!expected?.equals(value)) throw new Error(`key ${key} is wrong at position ${position}`)
      entries++
    }
    expect(entries, 'number of entries').toBe(history.state.size)
    for (const key of [`key${position % 200}`, 'key7', 'none']) {
      expect(store.getSync(key)).toEqual(history.state.get(key))
    }
  } finally {
    await store.close()
  }
}

test(`I1, I2: ${KILLS} kills over one store lose nothing that was acknowledged`, {
  timeout: 3_600_000,
}, async () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  const directory = mkdtempSync(join(tmpdir(), 'wisc-kill-'))
  const history = new History(seed)
  try {
    for (let kill = 1; kill <= KILLS; kill++) {
      const life = await liveAndDie(directory, seed, prng)
      try {
        expect(life.errors, 'the child failed by itself').toBe('')
        const isThere = life.opened !== undefined || history.position > 0
        if (isThere) await check(directory, history, life, kill % 2 === 0)
      } catch (error) {
        throw new Error(`kill ${kill}: ${(error as Error).message}; ${replayHint(seed)}`, {
          cause: error,
        })
      }
    }
    const store = await open(directory, { ...KILL_OPTIONS, workers: 0 })
    expect(await store.verify()).toMatchObject({ ok: true })
    await store.close()
    console.info(`${KILLS} kills, ${history.position} batches; ${replayHint(seed)}`)
    expect(history.position).toBeGreaterThan(KILLS)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
