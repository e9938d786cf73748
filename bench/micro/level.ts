/**
 * What abstract-level costs on top of the store, and classic-level beside it. Not a part of `npm run bench`:
 * `node dist/bench/micro/level.js [ENTRIES] [VALUE BYTES]`. Microseconds for one operation or entry, the best of five
 * rounds in turn, awaited one by one; in brackets the CPU time of all threads. Keys and values are Buffers.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { open, type Store } from '../../lib/index.ts'
import { WiscLevel } from '../../lib/level/wisc-level.ts'
import { renderTable } from '../harness/markdown.ts'

const ENTRIES = Number(process.argv[2] ?? 50_000)
const VALUE_BYTES = Number(process.argv[3] ?? 100)
const ROUNDS = 5
const BATCH = 100
const FETCH = 1000

type Level = WiscLevel<Buffer, Buffer> | ClassicLevel<Buffer, Buffer>
type Run = () => Promise<void>
/** What is measured, in the order in which each round does it. */
type Runs = Readonly<Record<string, Run>>

/** One key after the other, far from each other. */
const KEYS = Array.from({ length: ENTRIES }, (_, i) =>
  Buffer.from(String((i * 7919) % ENTRIES).padStart(16, '0')),
)
const VALUE = Buffer.alloc(VALUE_BYTES, 'v')

const groups: Buffer[][] = []
for (let i = 0; i < ENTRIES; i += BATCH) groups.push(KEYS.slice(i, i + BATCH))

async function ofStore(directory: string): Promise<Runs> {
  const store: Store = await open(directory)
  return {
    put: async () => {
      for (const key of KEYS) await store.put(key, VALUE)
    },
    [`batch of ${BATCH}, an entry`]: async () => {
      for (const group of groups) {
        await store.write(group.map((key) => ({ type: 'put', key, value: VALUE })))
      }
    },
    get: async () => {
      for (const key of KEYS) await store.get(key)
    },
    getSync: async () => {
      for (const key of KEYS) store.getSync(key)
    },
    'for await': async () => {
      let seen = 0
      for await (const _ of store.entries()) seen++
      checkCount(seen)
    },
    [`nextv(${FETCH})`]: async () => {
      await using entries = store.entries()
      await fetchAll(() => entries.nextMany(FETCH))
    },
    [`keys, nextv(${FETCH})`]: async () => {
      await using keys = store.keys()
      await fetchAll(() => keys.nextMany(FETCH))
    },
    'first of a range': async () => {
      for (const gte of KEYS) await store.entries({ gte, limit: 1 }).next()
    },
    clear: () => store.deleteRange({ gte: '' }),
    close: () => store.close(),
  }
}

async function ofLevel(level: Level): Promise<Runs> {
  await level.open()
  const database = level as ClassicLevel<Buffer, Buffer>
  return {
    put: async () => {
      for (const key of KEYS) await database.put(key, VALUE)
    },
    [`batch of ${BATCH}, an entry`]: async () => {
      for (const group of groups) {
        await database.batch(group.map((key) => ({ type: 'put', key, value: VALUE })))
      }
    },
    get: async () => {
      for (const key of KEYS) await database.get(key)
    },
    getSync: async () => {
      for (const key of KEYS) database.getSync(key)
    },
    'for await': async () => {
      let seen = 0
      for await (const _ of database.iterator()) seen++
      checkCount(seen)
    },
    [`nextv(${FETCH})`]: async () => {
      await using entries = database.iterator({ highWaterMarkBytes: 1 << 20 })
      await fetchAll(() => entries.nextv(FETCH))
    },
    [`keys, nextv(${FETCH})`]: async () => {
      await using keys = database.keys({ highWaterMarkBytes: 1 << 20 })
      await fetchAll(() => keys.nextv(FETCH))
    },
    'first of a range': async () => {
      for (const gte of KEYS) {
        await using entries = database.iterator({ gte, limit: 1 })
        await entries.next()
      }
    },
    clear: () => database.clear(),
    close: () => database.close(),
  }
}

async function fetchAll(fetch: () => Promise<readonly unknown[]>): Promise<void> {
  let seen = 0
  for (let some = await fetch(); some.length > 0; some = await fetch()) seen += some.length
  checkCount(seen)
}

function checkCount(seen: number): void {
  if (seen !== ENTRIES) throw new Error(`entries are missing: ${seen} of ${ENTRIES}`)
}

const directory = mkdtempSync(join(tmpdir(), 'wisc-level-'))
const encodings = { keyEncoding: 'buffer', valueEncoding: 'buffer' }
const subjects = new Map<string, Runs>([
  ['the store itself', await ofStore(join(directory, 'store'))],
  ['wisc/level', await ofLevel(new WiscLevel(join(directory, 'level'), encodings))],
  ['classic-level', await ofLevel(new ClassicLevel(join(directory, 'classic'), encodings))],
])

const best = new Map<string, { wall: number; cpu: number }>()
const names = Object.keys([...subjects.values()][0]!).filter((name) => name !== 'close')
for (let round = 0; round < ROUNDS; round++) {
  for (const name of names) {
    for (const [subject, runs] of subjects) await time(`${name} ${subject}`, runs[name]!)
  }
}
for (const runs of subjects.values()) await runs['close']!()
rmSync(directory, { recursive: true })

/** Keeps the best of the rounds. */
async function time(name: string, run: Run): Promise<void> {
  const cpuBefore = process.cpuUsage()
  const before = performance.now()
  await run()
  const operations = name.startsWith('clear') ? 1 : ENTRIES
  const wall = ((performance.now() - before) * 1000) / operations
  const { user, system } = process.cpuUsage(cpuBefore)
  const cpu = (user + system) / operations
  const known = best.get(name) ?? { wall, cpu }
  best.set(name, { wall: Math.min(wall, known.wall), cpu: Math.min(cpu, known.cpu) })
}

function cell(name: string): string {
  const { wall, cpu } = best.get(name)!
  return `${wall.toFixed(2)} (${cpu.toFixed(2)})`
}

const rows = names.map((name) => [
  name,
  ...[...subjects.keys()].map((subject) => cell(`${name} ${subject}`)),
])
process.stdout.write(
  `${renderTable([`${ENTRIES} of ${VALUE_BYTES} bytes`, ...subjects.keys()], rows)}\n`,
)
