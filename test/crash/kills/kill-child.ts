/**
 * The child of kill.test.ts: opens the store, says where it stands, and writes the history until it is killed.
 *
 *   node kill-child.js DIRECTORY SEED WORKERS        stdout: "begin", "open N", then "ack N" for each batch
 *                                                    and "KEY VERSION" for each stream
 *
 * Lines are written synchronously: what the parent has read was acknowledged before the kill.
 */
import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { open } from '#dist/lib/index.js'
import {
  batchAt,
  isSynced,
  KILL_OPTIONS,
  POSITION_KEY,
  STREAM_KEYS,
  streamAt,
  versionOf,
} from './kill-history.ts'

const IN_FLIGHT = 8
/** The test has ended by then. */
const NEVER_MS = 24 * 3_600_000

const [directory, seed, workers] = process.argv.slice(2)
writeSync(1, 'begin\n')
const store = await open(directory!, { ...KILL_OPTIONS, workers: Number(workers) })
let position = Number(store.getSync(POSITION_KEY)?.toString() ?? 0)
writeSync(1, `open ${position}\n`)

async function write(number: number): Promise<void> {
  const expiry = number % 3 === 0 ? { ttl: NEVER_MS } : {}
  const operations = batchAt(Number(seed), number).map(({ type, key, value }) =>
    type === 'put' ? { type, key, value, ...expiry } : { type, key },
  )
  await store.write(operations, { sync: isSynced(number) })
  writeSync(1, `ack ${number}\n`)
}

async function writer(): Promise<void> {
  for (;;) {
    const number = ++position
    await write(number)
    if (number % 200 === 0) await store.flush()
    if (number % 520 === 0) await store.compact()
    if (number % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
}

/** One stream after the other of a key, so that at most one is on its way when the process is killed. */
async function streamer(key: string): Promise<void> {
  for (let version = versionOf(key, store.getSync(key)) + 1; ; version++) {
    await store.putStream(key, new Blob([streamAt(key, version)]), { sync: version % 3 === 0 })
    writeSync(1, `${key} ${version}\n`)
    await sleep(version % 7)
  }
}

await Promise.all([...Array.from({ length: IN_FLIGHT }, writer), ...STREAM_KEYS.map(streamer)])
