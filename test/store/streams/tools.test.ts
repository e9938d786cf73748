/** What the command looks into knows streams: dump, orphans, salvage, segments. */
import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { open, type Store } from '#dist/lib/index.js'
import { segmentFacts } from '#dist/lib/inspect/collection/segment-facts.js'
import { segmentMap } from '#dist/lib/inspect/collection/segment-map.js'
import { openDump } from '#dist/lib/inspect/dump/dump.js'
import { listOrphans } from '#dist/lib/inspect/orphans.js'
import { Salvage } from '#dist/lib/inspect/salvage/salvage.js'
import { openStore } from '#dist/lib/store/open-store.js'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'

const CHUNK = 65536

let directory: string
const large = Buffer.alloc(2 * CHUNK + 10, 'large')
const small = Buffer.alloc(3000, 'small')

async function* once(value: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield value
}

/** `large` and `small` are in a table; `last` is in the log alone. */
beforeEach(async () => {
  directory = path.join(temporaryDirectory(), 'db')
  const store: Store = await open(directory, { streamThreshold: 1000 })
  await store.putStream('large', once(large))
  await store.putStream('small', once(small))
  await store.flush()
  await store.putStream('last', once(small))
  await store.sync()
  // As a kill leaves it.
  fs.cpSync(directory, `${directory}-copy`, { recursive: true })
  await store.close()
  directory = `${directory}-copy`
})

function streamNames(): string[] {
  return fs
    .readdirSync(directory)
    .filter((name) => name.endsWith('.vlog') && fs.statSync(path.join(directory, name)).size > 10)
    .filter((name) => fs.readFileSync(path.join(directory, name))[10] === 6)
    .sort()
}

async function salvaged(): Promise<Record<string, number | string>> {
  const salvage = new Salvage(directory)
  for (const _step of salvage.readSlices());
  const found: Record<string, number | string> = {}
  for await (const { key, value, mayBeStale } of salvage.entries()) {
    const pieces: Uint8Array[] = []
    if (value instanceof Uint8Array) pieces.push(value)
    else for await (const piece of value.pieces()) pieces.push(piece)
    const { length } = Buffer.concat(pieces)
    found[key.toString()] = mayBeStale ? `${length}?` : length
  }
  for (const { key } of salvage.lost) found[key.toString()] = 'lost'
  salvage.close()
  return found
}

test('segments, stats and verify', async () => {
  const store = await open(directory, { readOnly: true })
  const kinds = store.segments().filter(({ kind }) => kind === 'stream')
  expect(kinds.map(({ blocked }) => blocked)).toEqual([undefined, undefined, 'unflushed'])
  expect(store.stats()).toMatchObject({ streams: 3, relocations: 0 })
  const valueBytes = large.length + 2 * small.length
  expect(await store.verify()).toMatchObject({ ok: true, valueBytes })
  await store.close()
})

test('explain and map: a stream is one record, and stays because all of it lives', async () => {
  const store = await openStore(directory, { readOnly: true })
  const { signal } = new AbortController()
  const found: unknown[] = []
  for (const { id } of store.segments().filter(({ kind }) => kind === 'stream')) {
    const { kind, records, cells } = await segmentMap(store, id, 4, signal)
    expect([kind, cells.length]).toEqual(['stream', 4])
    const { segment, samples } = await segmentFacts(store, id, { readers: [], signal })
    found.push([samples.map(({ key }) => Buffer.from(key).toString()), segment.reason, records])
  }
  const lives = { live: 1, dead: 0, recent: 0 }
  expect(found).toEqual([
    [['large'], 'no garbage', lives],
    [['small'], 'no garbage', lives],
    [[], 'unflushed', { live: 0, dead: 0, recent: 1 }],
  ])
  await store.close()
})

test('a dump has an item for each byte of a stream, and tells damage with its place', () => {
  for (const name of streamNames()) {
    const file = path.join(directory, name)
    const bytes = fs.readFileSync(file)
    const items = (): ReturnType<typeof openDump>['items'][] => {
      const dump = openDump(file)
      const found = [...dump.items]
      dump.close()
      return found as never
    }
    let end = 0
    for (const item of items() as never as { offset: number; length: number; damage?: object }[]) {
      expect(item.damage).toBeUndefined()
      expect(item.offset).toBe(end)
      end += item.length
    }
    expect(end).toBe(bytes.length)
    bytes[100]! ^= 1
    fs.writeFileSync(file, bytes)
    const damage = (items() as never as { damage?: object }[]).filter((item) => item.damage)
    expect(damage).toHaveLength(1)
  }
})

test('what no version holds is an orphan: a stream, and it may go', () => {
  const [name] = streamNames()
  const bytes = fs.readFileSync(path.join(directory, name!))
  const stray = Buffer.from(bytes)
  expect(listOrphans(directory)).toEqual([])
  const number = 900
  stray.writeBigUInt64LE(BigInt(number), 48)
  stray.writeUInt32LE(crc(stray.subarray(0, 60)), 60)
  fs.writeFileSync(path.join(directory, `000${number}.vlog`), stray)
  expect(listOrphans(directory)).toMatchObject([{ kind: 'stream', isRemovable: true }])
})

test('salvage finds streams by their tables, by the log, and by themselves', async () => {
  const all = { large: large.length, small: small.length, last: small.length }
  expect(await salvaged()).toEqual(all)
  const names = fs.readdirSync(directory)
  for (const name of names)
    if (name.startsWith('MANIFEST') || name === 'CURRENT') fs.rmSync(path.join(directory, name))
  // Nobody knows what else there was.
  expect(await salvaged()).toMatchObject({ last: `${small.length}?` })
  for (const name of names) if (name.endsWith('.sst')) fs.rmSync(path.join(directory, name))
  const stale = Object.fromEntries(Object.entries(all).map(([key, size]) => [key, `${size}?`]))
  expect(await salvaged()).toEqual(stale)
  const [first] = streamNames()
  const file = path.join(directory, first!)
  const bytes = fs.readFileSync(file)
  bytes[200]! ^= 1
  fs.writeFileSync(file, bytes)
  expect(await salvaged()).toEqual({ ...stale, large: 'lost' })
})

function crc(bytes: Uint8Array): number {
  let value = ~0
  for (const byte of bytes) {
    value ^= byte
    for (let i = 0; i < 8; i++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0)
  }
  return ~value >>> 0
}
