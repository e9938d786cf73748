/** A real store with some of everything (inline and separated values, deletes, relocations), and what it must hold. */
import fs from 'node:fs'
import path from 'node:path'
import { type Options, open, type Store } from '#dist/lib/index.js'
import { temporaryDirectory } from '../files/temporary-directory.ts'
import { Prng } from '../random.ts'

const OPTIONS: Options = {
  workers: 0,
  segmentBytes: 32768,
  memtableBytes: 65536,
  valueThreshold: 200,
  tree: { tableBytes: 8192, blockBytes: 512 },
  collector: { enabled: false },
}

export interface InspectedStore {
  readonly directory: string
  /** What it holds. */
  readonly model: ReadonlyMap<string, Buffer>
  /** Every value that a key ever had, as hexadecimal. */
  readonly history: ReadonlyMap<string, ReadonlySet<string>>
  /** The segment of each separated value. */
  readonly segments: ReadonlyMap<string, number>
}

export interface InspectedOptions {
  readonly seed?: number
  readonly keys?: number
  /** Compacted and collected, with relocations; the last writes came later. */
  readonly collect?: boolean
  /** The last writes are in the log alone, as after a crash. */
  readonly crash?: boolean
}

export async function makeInspectedStore(options: InspectedOptions = {}): Promise<InspectedStore> {
  const { seed = 1, keys = 120, collect = false, crash = false } = options
  const prng = new Prng(seed)
  const directory = path.join(temporaryDirectory(), 'store')
  const model = new Map<string, Buffer>()
  const history = new Map<string, Set<string>>()
  const store = await open(directory, OPTIONS)
  const write = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const key = `key ${prng.below(keys)}`
      if (prng.chance(0.2)) {
        await store.delete(key)
        model.delete(key)
        continue
      }
      const value = Buffer.from(prng.bytes(prng.pick([0, 7, 150, 300, 900, 5000])))
      await store.put(key, value)
      model.set(key, value)
      const values = history.get(key) ?? new Set()
      history.set(key, values.add(value.toString('hex')))
    }
  }
  await write(3 * keys)
  if (collect) {
    await store.compact()
    await store.collect({ targetSpaceAmplification: 1.01 })
  } else await store.flush()
  await write(keys)
  if (!crash) await store.flush()
  if (crash) await write(Math.ceil(keys / 4))
  const segments = await segmentsOf(store, model)
  if (!crash) {
    await store.close()
    return { directory, model, history, segments }
  }
  const copy = path.join(temporaryDirectory(), 'store')
  fs.cpSync(directory, copy, { recursive: true, filter: (name) => !/LOCK/.test(name) })
  await store.close()
  return { directory: copy, model, history, segments }
}

async function segmentsOf(
  store: Store,
  model: ReadonlyMap<string, Buffer>,
): Promise<Map<string, number>> {
  const segments = new Map<string, number>()
  for (const key of model.keys()) {
    const stat = await store.stat(key)
    if (stat?.segment !== undefined) segments.set(key, stat.segment)
  }
  return segments
}

/** Names in a store that match, in order. */
export function filesLike(directory: string, pattern: RegExp): string[] {
  return fs
    .readdirSync(directory)
    .filter((name) => pattern.test(name))
    .sort()
}

/** Kind in the header of a file: 1 manifest, 2 table, 3 segment, 5 relocation. */
export function kindOf(directory: string, name: string): number | undefined {
  return fs.readFileSync(path.join(directory, name))[10]
}

export function flipByte(directory: string, name: string, offset: number): void {
  const file = path.join(directory, name)
  const bytes = fs.readFileSync(file)
  bytes[offset]! ^= 0x5a
  fs.writeFileSync(file, bytes)
}

/** Names, sizes and times of change: what a verb that only looks must leave as they are. */
export function stateOf(directory: string): string[] {
  return fs
    .readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const { size, mtimeMs } = fs.statSync(path.join(directory, name))
      return `${name} ${size} ${mtimeMs}`
    })
}
