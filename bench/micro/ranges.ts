/**
 * Micro-benchmark of reads beside range tombstones: gets and scans of a store without any, and of the same with some in
 * its memtable, or in a table. Not a part of `npm run bench`; run it alone on an idle machine:
 * `node dist/bench/micro/ranges.js [RANGES] [KEYS]`. The stores take turns; of each the best round counts.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { joinPath } from '../../lib/base/files/file-names.ts'
import { open, type Store } from '../../lib/index.ts'

const RANGES = Number(process.argv[2] ?? 1000)
const KEYS = Number(process.argv[3] ?? 200_000)
const GETS = 50_000
const ROUNDS = 7

const directory = mkdtempSync(joinPath(tmpdir(), 'wisc-bench-ranges-'))
const KINDS = ['none', 'memtable', 'table'] as const
type Kind = (typeof KINDS)[number]

function keyAt(number: number): string {
  return `user${String(number).padStart(12, '0')}`
}

/** Every key but those that ranges delete, one each, if there are some. */
async function make(kind: Kind): Promise<Store> {
  const store = await open(joinPath(directory, kind), { sync: false })
  const value = Buffer.alloc(100, 'v')
  for (let i = 0; i < KEYS; i++) {
    const last = store.put(keyAt(i), value)
    if (i % 10_000 === 0) await last
  }
  await store.compact()
  const step = Math.floor(KEYS / RANGES)
  // Without ranges as many entries lie above the others.
  for (let i = 0; i < RANGES; i++) {
    const gone = keyAt(i * step)
    await (kind === 'none' ? store.delete(gone) : store.deleteRange({ gte: gone, lte: gone }))
  }
  if (kind === 'table') await store.flush()
  return store
}

async function get(store: Store): Promise<void> {
  for (let i = 0, at = 0; i < GETS; i++) {
    at = (at + 61_953) % KEYS
    await store.get(keyAt(at))
  }
}

function getSync(store: Store): void {
  for (let i = 0, at = 0; i < GETS; i++) {
    at = (at + 61_953) % KEYS
    store.getSync(keyAt(at))
  }
}

async function keys(store: Store): Promise<void> {
  for await (const _ of store.keys());
}

async function backwards(store: Store): Promise<void> {
  for await (const _ of store.keys({ reverse: true }));
}

const TASKS: Readonly<Record<string, [count: number, run: (store: Store) => unknown]>> = {
  getSync: [GETS, getSync],
  get: [GETS, get],
  keys: [KEYS, keys],
  'keys, backwards': [KEYS, backwards],
}

/** Of the processor: user and system. */
function cpuMicroseconds(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

const stores = new Map<Kind, Store>()
for (const kind of KINDS) stores.set(kind, await make(kind))
console.log(`${RANGES} ranges, ${KEYS} keys; microseconds of the processor for each`)
for (const [name, [count, run]] of Object.entries(TASKS)) {
  const best = new Map<Kind, number>()
  for (let round = 0; round < ROUNDS; round++) {
    for (const [kind, store] of stores) {
      const began = cpuMicroseconds()
      await run(store)
      const each = (cpuMicroseconds() - began) / count
      best.set(kind, Math.min(best.get(kind) ?? each, each))
    }
  }
  const none = best.get('none')!
  const cells = KINDS.map((kind) => {
    const each = best.get(kind)!
    return `${kind} ${each.toFixed(2)}${kind === 'none' ? '' : ` (${(each / none).toFixed(2)})`}`
  })
  console.log(`${name.padEnd(16)} ${cells.join('   ')}`)
}
for (const store of stores.values()) await store.close()
rmSync(directory, { recursive: true, force: true })
