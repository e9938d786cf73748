/**
 * Where values should lie: in the tree or in the value log alone, by their size. What `valueThreshold` is set by.
 *
 *   node --expose-gc dist/bench/micro/threshold.js [MIB_OF_VALUES] [SIZES...]
 *
 * Two stores for each size, one with every value inline, one with every value separated: filled by 64 writers, read,
 * overwritten twice, each key in random order. Costs are CPU time of all threads until the store rests, and bytes given
 * to write calls; of reads the cheapest of many short pieces: a busy machine changes these little.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { open, type Store } from '../../lib/index.ts'
import { DataSet, KEY_BYTES, Random } from '../harness/data-set.ts'
import { clearDebts, settle, turn } from '../harness/measure.ts'
import { readWrittenBytes } from '../harness/peaks.ts'

const WRITERS = 64
const RANGE_ENTRIES = 100
const READ_MS = 3000

function cpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** What one operation of a load costs, and how many times its bytes are written. */
async function load(
  store: Store,
  data: DataSet,
  generation: number,
): Promise<{ us: number; written: number }> {
  const [cpu, bytes] = [cpuUs(), readWrittenBytes() ?? 0]
  let next = 0
  const writer = async (): Promise<void> => {
    while (next < data.entries) {
      const index = data.order[next++]!
      await store.put(data.key(index), data.value(index, generation))
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, writer))
  await settle()
  const written = (readWrittenBytes() ?? 0) - bytes
  const userBytes = data.entries * (KEY_BYTES + data.valueBytes)
  return { us: (cpuUs() - cpu) / data.entries, written: written / userBytes }
}

/** The cheapest of many pieces. */
async function cheapest(count: number, read: () => Promise<void> | void): Promise<number> {
  let best = Number.POSITIVE_INFINITY
  for (const end = performance.now() + READ_MS; performance.now() < end; ) {
    const before = cpuUs()
    for (let i = 0; i < count; i++) await read()
    best = Math.min(best, (cpuUs() - before) / count)
    await turn()
  }
  return best
}

async function readRange(store: Store, data: DataSet, from: number): Promise<void> {
  const iterator = store.entries({ gte: data.key(from), limit: RANGE_ENTRIES })
  let index = from
  for (let left = RANGE_ENTRIES; left > 0; ) {
    const entries = await iterator.nextMany(left)
    if (entries.length === 0) throw new Error(`the range is short from=${from}`)
    for (const [, value] of entries) data.check(index++, value)
    left -= entries.length
  }
  await iterator.close()
}

async function measureSize(bytes: number, valueBytes: number, isInline: boolean): Promise<string> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'wisc-threshold-'))
  const options = { valueThreshold: isInline ? Number.POSITIVE_INFINITY : 0 }
  const data = new DataSet(bytes, valueBytes, 1)
  try {
    clearDebts()
    let store = await open(directory, options)
    const fill = await load(store, data, 0)
    await store.close()
    store = await open(directory, options)
    await settle()
    const random = new Random(2)
    const get = await cheapest(1, () => {
      for (let i = 0; i < 1000; i++) {
        const index = random.below(data.entries)
        data.check(index, store.getSync(data.key(index)))
      }
    })
    const range = await cheapest(10, () =>
      readRange(store, data, random.below(data.entries - RANGE_ENTRIES)),
    )
    await load(store, data, 1)
    const overwrite = await load(store, data, 0)
    await store.close()
    const cells = [
      `${valueBytes} B, ${isInline ? 'inline' : 'separated'}`,
      `${fill.us.toFixed(1)} us, ${fill.written.toFixed(2)}`,
      `${overwrite.us.toFixed(1)} us, ${overwrite.written.toFixed(2)}`,
      `${(get / 1000).toFixed(2)} us`,
      `${range.toFixed(0)} us`,
    ]
    return `| ${cells.join(' | ')} |`
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

const [mib = '64', ...sizes] = process.argv.slice(2)
console.log('| values | fill, written | second overwrite, written | getSync | range of 100 |')
console.log('|---|---|---|---|---|')
for (const size of sizes.length > 0 ? sizes : ['256', '512', '1024', '2048', '4096']) {
  for (const isInline of [true, false]) {
    console.log(await measureSize(Number(mib) * 1024 * 1024, Number(size), isInline))
  }
}
