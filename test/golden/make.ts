/**
 * Writes the golden databases: small, committed, and never made again but for a new version of the format.
 *
 *   node dist/test/golden/make.js DIRECTORY [NAME]   (test/golden; the second argument: a later one alone)
 *
 *   closed/    tables, sealed segments; closed in order       crashed/  a log with an unproved part and a torn tail
 *   corrupt/   closed/ with one byte of a value flipped       NAME.json what is in them: keys and values in hex
 *   streamed/  streams in tables and in the log alone, one that nothing names; not closed
 *   compressed/ values of one chunk and of two, in tables and in the log alone, beside some as they are; not closed
 *   expiring/  values that have expired, and some that will in the year 2200: in tables and in the log; not closed
 *   evicted/   what a cache has evicted, in tables still: inline values, pointers, a range tombstone; not closed
 *   ranged/    range tombstones in tables and in the log, one of them without an end; not closed
 *   collected/ a relocation of several collections, and holes; the segment of its checkpoint is gone
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { EvictableFiles } from '#dist/lib/collector/act/evictable.js'
import type { Options } from '#dist/lib/contract/options.js'
import type { Engine } from '#dist/lib/engine/engine.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import { openStore } from '#dist/lib/store/open-store.js'
import { FaultFileSystem } from '../support/files/fault-file-system.ts'
import { Prng, seededRandom } from '../support/random.ts'

const SEED = 2026
const OPTIONS: Options = {
  workers: 0,
  segmentBytes: 4096,
  memtableBytes: 65536,
  valueThreshold: 200,
  // It looks when it has time to: files would have other numbers each time.
  collector: { enabled: false },
  tree: { tableBytes: 4096, blockBytes: 256 },
}

/** A database with some of everything. @returns its files by name */
async function makeDatabase(close: boolean): Promise<Map<string, Uint8Array>> {
  const fileSystem = new FaultFileSystem({ seed: SEED })
  const parts = { fileSystem, random: seededRandom(SEED) }
  const prng = new Prng(SEED)
  let store = await openStore('/db', OPTIONS, parts)
  const fill = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const key = prng.chance(0.1) ? prng.bytes(1 + prng.below(3)) : `key/${prng.below(40)}`
      if (prng.chance(0.2)) await store.delete(key)
      else await store.put(key, prng.bytes(prng.pick([0, 5, 60, 250, 700])))
    }
  }
  await store.put('', 'the empty key')
  await fill(40)
  await store.flush()
  await fill(30)
  await store.compact()
  await fill(20)
  await store.close()
  store = await openStore('/db', OPTIONS, parts)
  await store.write(
    [
      { type: 'put', key: 'batch/1', value: 'one' },
      { type: 'put', key: 'batch/2', value: prng.bytes(3000) },
      { type: 'delete', key: 'key/1' },
    ],
    { sync: true },
  )
  await fill(6)
  if (close) await store.close()
  const { files } = fileSystem.visibleImage()
  fileSystem.kill()
  const kept = [...files].filter(([path]) => !/LOCK|BALLAST/.test(path))
  return new Map(kept.map(([path, bytes]) => [basename(path), bytes]))
}

/** A database after several collections. @returns its files by name; a hole reads as zeros */
async function makeCollected(): Promise<Map<string, Uint8Array>> {
  const fileSystem = new FaultFileSystem({ seed: SEED })
  const options = { ...OPTIONS, segmentBytes: 32768 }
  const prng = new Prng(SEED)
  const store = await openStore('/db', options, { fileSystem, random: seededRandom(SEED) })
  const fill = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const key = `key/${prng.below(40)}`
      if (prng.chance(0.3)) await store.delete(key)
      else await store.put(key, prng.bytes(prng.pick([0, 60, 250, 700])))
    }
  }
  for (let round = 0; round < 3; round++) {
    await fill(80)
    await store.compact()
    await store.collect({ targetSpaceAmplification: 1 })
  }
  // Holes need values of several blocks, between others that live.
  const uncopied = { targetSpaceAmplification: 1, maxCopyBytes: 0 }
  for (let i = 0; i < 4; i++) await store.put(`large/${i}`, Buffer.alloc(15_000, `${i}`))
  for (const i of [0, 2]) await store.put(`large/${i}`, 'small now')
  await store.compact()
  await store.collect(uncopied)
  // The last segment goes, too, and with it that of the checkpoint.
  await store.put('gone', prng.bytes(5000))
  await store.delete('gone')
  await store.compact()
  await store.collect(uncopied)
  const { relocations } = store.stats()
  const punched = store.segments().filter(({ punchedBytes }) => punchedBytes > 0).length
  if (relocations === 0 || punched === 0)
    throw new Error(`relocations=${relocations} punched=${punched}`)
  await store.close()
  const { files } = fileSystem.visibleImage()
  fileSystem.kill()
  const kept = [...files].filter(([path]) => !/LOCK|BALLAST/.test(path))
  return new Map(kept.map(([path, bytes]) => [basename(path), bytes]))
}

/** A database with streams. @returns its files by name */
async function makeStreamed(): Promise<Map<string, Uint8Array>> {
  const fileSystem = new FaultFileSystem({ seed: SEED })
  const options = { ...OPTIONS, streamThreshold: 1000 }
  const store = await openStore('/db', options, { fileSystem, random: seededRandom(SEED) })
  const prng = new Prng(SEED)
  const value = Buffer.alloc(66_000, 'wisc')
  const upload = (key: string, bytes: Uint8Array): Promise<unknown> =>
    store.putStream(
      key,
      (async function* () {
        yield bytes
      })(),
      { sync: true },
    )
  await upload('one chunk', prng.bytes(1000))
  await upload('two chunks', value)
  await upload('', prng.bytes(1500))
  await upload('replaced', prng.bytes(1200))
  await store.put('replaced', 'by a put')
  await store.flush()
  await upload('in the log', prng.bytes(1300))
  await upload('deleted', prng.bytes(1400))
  await store.delete('deleted', { sync: true })
  const { files } = fileSystem.visibleImage()
  fileSystem.kill()
  const kept = [...files].filter(([path]) => !/LOCK|BALLAST/.test(path))
  return new Map(kept.map(([path, bytes]) => [basename(path), bytes]))
}

/** A database with compressed values beside others. @returns its files by name */
async function makeCompressed(): Promise<Map<string, Uint8Array>> {
  const fileSystem = new FaultFileSystem({ seed: SEED })
  const parts = { fileSystem, random: seededRandom(SEED) }
  const options: Options = { ...OPTIONS, compression: 'zstd' }
  const store = await openStore('/db', options, parts)
  const prng = new Prng(SEED)
  const text = Buffer.alloc(70_000, 'all work and no play makes a dull value; ')
  await store.put('inline', text.subarray(0, 100))
  await store.put('one chunk', text.subarray(0, 1000))
  await store.put('two chunks', text)
  await store.put('a chunk as it is', Buffer.concat([text.subarray(0, 65_536), prng.bytes(700)]))
  await store.put('noise', prng.bytes(700))
  await store.put('by its own option', text.subarray(0, 900), { compression: 'none' })
  await store.flush()
  await store.put('in the log', text.subarray(0, 1500), { sync: true })
  const { files } = fileSystem.visibleImage()
  fileSystem.kill()
  const kept = [...files].filter(([path]) => !/LOCK|BALLAST/.test(path))
  return new Map(kept.map(([path, bytes]) => [basename(path), bytes]))
}

/** A database with range tombstones: one that a snapshot keeps, cut to tables, and one in the log alone. */
async function makeRanged(): Promise<Map<string, Uint8Array>> {
  const fileSystem = new FaultFileSystem({ seed: SEED })
  const store = await openStore('/db', OPTIONS, { fileSystem, random: seededRandom(SEED) })
  const prng = new Prng(SEED)
  const fill = async (from: number, to: number): Promise<void> => {
    for (let i = from; i < to; i++) {
      await store.put(`key/${String(i).padStart(3, '0')}`, prng.bytes(prng.pick([5, 60, 250])))
    }
  }
  await fill(0, 200)
  const snapshot = store.snapshot()
  await store.deleteRange({ gte: 'key/020', lt: 'key/150' })
  await store.deleteRange({ gte: 'key/100', lte: 'key/180' })
  await fill(60, 90)
  await store.compact()
  await store.deleteRange({ gt: 'key/190' })
  await store.flush()
  snapshot.close()
  await store.put('key/195', 'behind it')
  await store.write([
    { type: 'put', key: 'key/010', value: 'gone' },
    { type: 'deleteRange', prefix: 'key/01' },
    { type: 'put', key: 'key/011', value: 'in the same batch' },
  ])
  await store.sync()
  const { files } = fileSystem.visibleImage()
  fileSystem.kill()
  const kept = [...files].filter(([path]) => !/LOCK|BALLAST/.test(path))
  return new Map(kept.map(([path, bytes]) => [basename(path), bytes]))
}

/** A database with values that expire: its clock stands in the year 2026. */
async function makeExpiring(): Promise<Map<string, Uint8Array>> {
  const fileSystem = new FaultFileSystem({ seed: SEED })
  const { now } = Date
  Date.now = () => Date.UTC(2026, 0, 1)
  try {
    const options = { ...OPTIONS, streamThreshold: 1000 }
    const store = await openStore('/db', options, { fileSystem, random: seededRandom(SEED) })
    const prng = new Prng(SEED)
    const gone = { expiresAt: Date.UTC(2026, 0, 2) }
    const stays = { expiresAt: Date.UTC(2200, 0, 1) }
    const fill = async (name: string): Promise<void> => {
      await store.put(`${name}/never`, 'expires')
      for (const [size, kind] of [
        [5, 'inline'],
        [300, 'separated'],
      ] as const) {
        await store.put(`${name}/${kind}/gone`, prng.bytes(size), gone)
        await store.put(`${name}/${kind}/stays`, prng.bytes(size), stays)
      }
      const streams = Object.entries({ gone, stays })
      for (const [text, options] of streams)
        await store.putStream(`${name}/stream/${text}`, new Blob([prng.bytes(1100)]), options)
    }
    await store.put('hidden by what has expired', 'older')
    await store.compact()
    await store.put('hidden by what has expired', 'newer', gone)
    await fill('table')
    await store.put('touched', prng.bytes(250), gone)
    await store.touch('touched', stays)
    await store.flush()
    await fill('log')
    await store.sync()
    const { files } = fileSystem.visibleImage()
    fileSystem.kill()
    const kept = [...files].filter(([path]) => !/LOCK|BALLAST/.test(path))
    return new Map(kept.map(([path, bytes]) => [basename(path), bytes]))
  } finally {
    Date.now = now
  }
}

/** A database of a cache: its two oldest segments have gone, tables still point there. */
async function makeEvicted(): Promise<Map<string, Uint8Array>> {
  const fileSystem = new FaultFileSystem({ seed: SEED })
  const store = await openStore('/db', OPTIONS, { fileSystem, random: seededRandom(SEED) })
  const prng = new Prng(SEED)
  const fill = async (from: number, to: number): Promise<void> => {
    for (let i = from; i < to; i++) {
      await store.put(`key/${String(i).padStart(3, '0')}`, prng.bytes(prng.pick([5, 60, 250, 700])))
    }
  }
  await fill(0, 30)
  await store.deleteRange({ gte: 'key/002', lt: 'key/004' })
  await fill(20, 40)
  await store.flush()
  const engine = engineOf(store) as Engine
  const oldest = [...new EvictableFiles(engine).oldestFirst()].slice(0, 2)
  const below = oldest[1]!.lastSequence + 1
  const files = oldest.map(({ number }) => number)
  await engine.collector.actor.evict({ below, files }, new AbortController().signal)
  await store.put('key/000', 'again')
  await store.delete('key/001')
  await fill(38, 42)
  await store.sync()
  const { files: all } = fileSystem.visibleImage()
  fileSystem.kill()
  const kept = [...all].filter(([path]) => !/LOCK|BALLAST/.test(path))
  return new Map(kept.map(([path, bytes]) => [basename(path), bytes]))
}

async function pairsOf(files: ReadonlyMap<string, Uint8Array>): Promise<Record<string, string>> {
  const image = {
    directories: ['/', '/db'],
    files: new Map([...files].map(([name, bytes]) => [`/db/${name}`, bytes])),
  }
  const fileSystem = new FaultFileSystem({ seed: SEED }, image)
  const store = await openStore('/db', { readOnly: true, workers: 0 }, { fileSystem })
  const pairs: Record<string, string> = {}
  for await (const [key, value] of store.entries())
    pairs[key.toString('hex')] = value.toString('hex')
  await store.close()
  return pairs
}

function writeDatabase(directory: string, files: ReadonlyMap<string, Uint8Array>): void {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  for (const [name, bytes] of files) writeFileSync(join(directory, name), bytes)
}

/** The newest segment with frames gets half a frame behind its end. */
function tear(files: Map<string, Uint8Array>): void {
  const [name, bytes] = [...files]
    .filter(([one, { length }]) => one.endsWith('.vlog') && length > 0)
    .sort()
    .at(-1)!
  files.set(name, Buffer.concat([bytes, bytes.subarray(96, 96 + 100)]))
}

async function writeFirst(target: string): Promise<void> {
  const closed = await makeDatabase(true)
  const crashed = await makeDatabase(false)
  const pairs = await pairsOf(closed)
  writeDatabase(join(target, 'closed'), closed)
  writeFileSync(join(target, 'closed.json'), `${JSON.stringify(pairs, undefined, 1)}\n`)
  tear(crashed)
  writeDatabase(join(target, 'crashed'), crashed)
  writeFileSync(
    join(target, 'crashed.json'),
    `${JSON.stringify(await pairsOf(crashed), undefined, 1)}\n`,
  )

  // One byte of the value of batch/2, which a table points to.
  const victim = Buffer.from(pairs[Buffer.from('batch/2').toString('hex')]!, 'hex')
  for (const [name, bytes] of closed) {
    const at = Buffer.from(bytes).indexOf(victim)
    if (at < 0) continue
    const damaged = Uint8Array.from(bytes)
    damaged[at + 1500]! ^= 0x10
    closed.set(name, damaged)
  }
  writeDatabase(join(target, 'corrupt'), closed)
}

async function writeNamed(
  target: string,
  name: string,
  make: () => Promise<Map<string, Uint8Array>>,
): Promise<void> {
  const files = await make()
  const pairs = await pairsOf(files)
  writeDatabase(join(target, name), files)
  writeFileSync(join(target, `${name}.json`), `${JSON.stringify(pairs, undefined, 1)}\n`)
}

const NAMED = {
  collected: makeCollected,
  streamed: makeStreamed,
  ranged: makeRanged,
  expiring: makeExpiring,
  evicted: makeEvicted,
  compressed: makeCompressed,
}

const [target, only] = process.argv.slice(2) as [string, string?]
if (only === undefined) await writeFirst(target)
for (const [name, make] of Object.entries(NAMED))
  if (only === undefined || only === name) await writeNamed(target, name, make)
