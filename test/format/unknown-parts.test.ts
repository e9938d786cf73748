/**
 * Readers ignore what they may and refuse what they must, in every place (F-V19, F-V20): unknown-parts.ts lists them.
 * What is refused is no damage: nothing of the store is written, set aside or removed.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Options } from '#dist/lib/contract/options.js'
import { openDump } from '#dist/lib/inspect/dump/dump.js'
import { Salvage, type SalvagedEntry } from '#dist/lib/inspect/salvage/salvage.js'
import { openStore } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import type { DiskImage } from '../support/files/disk-model.ts'
import { FaultFileSystem } from '../support/files/fault-file-system.ts'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { proveAgain } from '../support/parts/changed-record.ts'
import { seededRandom } from '../support/random.ts'
import {
  Files,
  type Half,
  type Planted,
  type ReaderName,
  type UnknownPart,
} from './planted-files.ts'
import { readDatabase } from './second-reader.ts'
import { RECORD_PLACES, recordPart, UNKNOWN_PARTS } from './unknown-parts.ts'

const OPTIONS: Options = {
  workers: 0,
  segmentBytes: 16384,
  memtableBytes: 65536,
  valueThreshold: 200,
  streamThreshold: 200,
  tree: { tableBytes: 4096, blockBytes: 256 },
  collector: { enabled: false },
}
const VALUE_BYTES = 700

/** True if the last reader has opened the store, and may have written before it came to what it refuses. */
let wasOpened = false

type Model = ReadonlyMap<string, Buffer>

let image: DiskImage
const model: Map<string, Buffer> = new Map()

/** As a crash leaves it: a relocation (moved/), a sealed segment (sealed/) and a log that no table has (tail/). */
beforeAll(async () => {
  const fileSystem = new FaultFileSystem()
  const random = seededRandom(1)
  let store = await openStore('/db', OPTIONS, { fileSystem, random })
  const put = async (key: string): Promise<void> => {
    const value = Buffer.from(key.padEnd(VALUE_BYTES, `${model.size} `))
    model.set(key, value)
    await store.put(key, value)
  }
  for (let i = 0; i < 40; i++) await put(`moved/${i}`)
  for (let i = 8; i < 40; i++) {
    model.delete(`moved/${i}`)
    await store.delete(`moved/${i}`)
  }
  await store.compact()
  await store.close()
  store = await openStore('/db', OPTIONS, { fileSystem, random })
  await store.collect({ targetSpaceAmplification: 1 })
  for (let i = 0; i < 10; i++) await put(`sealed/${i}`)
  await store.compact()
  await store.close()
  store = await openStore('/db', OPTIONS, { fileSystem, random })
  const streamed = Buffer.alloc(VALUE_BYTES, 'streamed')
  model.set('stream/1', streamed)
  await store.putStream('stream/1', once(streamed))
  // One more edit in the manifest, so that one can be damaged.
  await put('sealed/10')
  await store.flush()
  for (let i = 0; i < 10; i++) await put(`tail/${i}`)
  expect(store.stats().relocations).toBeGreaterThan(0)
  image = fileSystem.visibleImage()
  fileSystem.kill()
  expect([...image.files.keys()]).toContain('/db/BALLAST')
})

async function* once(value: Buffer): AsyncGenerator<Uint8Array, void> {
  yield value
}

function open(fileSystem: FaultFileSystem, readOnly: boolean): Promise<Store> {
  return openStore('/db', { ...OPTIONS, readOnly }, { fileSystem, random: seededRandom(2) })
}

async function contents(store: Store): Promise<Model> {
  const found = new Map<string, Buffer>()
  for await (const [key, value] of store.entries()) found.set(key.toString(), value)
  for (const [key, value] of found) {
    expect((await store.get(key))?.equals(value), key).toBe(true)
    expect((await store.stat(key))?.size, key).toBe(value.length)
  }
  return found
}

async function withStore(
  fileSystem: FaultFileSystem,
  readOnly: boolean,
  use: (store: Store) => Promise<Model>,
): Promise<Model> {
  const store = await open(fileSystem, readOnly)
  wasOpened = !readOnly
  try {
    return await use(store)
  } finally {
    await store.close()
  }
}

/** What each reader makes of a store; it throws what the store throws. */
const READERS: Readonly<Record<ReaderName, (fileSystem: FaultFileSystem) => Promise<Model>>> = {
  write: (fileSystem) => withStore(fileSystem, false, contents),
  readOnly: (fileSystem) => withStore(fileSystem, true, contents),
  verify: (fileSystem) =>
    withStore(fileSystem, true, async (store) => {
      const { damage } = await store.verify()
      if (damage[0]) throw damage[0]
      return contents(store)
    }),
  collect: (fileSystem) =>
    withStore(fileSystem, false, async (store) => {
      // So that all that is left is copied.
      for (const kind of ['moved', 'sealed', 'tail']) await store.delete(`${kind}/2`)
      await store.compact()
      await store.collect({ targetSpaceAmplification: 1 })
      return contents(store)
    }),
  dump: async (fileSystem) => {
    for (const name of namesOf(fileSystem)) {
      const dump = openDump(`/db/${name}`, { fileSystem })
      const damage = [...dump.items].flatMap((item) => item.damage ?? [])
      dump.close()
      const first = damage.find(({ code }) => code !== 'WISC_CORRUPTION') ?? damage[0]
      if (first) throw Object.assign(new Error(first.reason), { code: first.code })
    }
    return model
  },
  salvage: async (fileSystem) => {
    const salvage = new Salvage('/db', fileSystem)
    try {
      for (const _bytes of salvage.readSlices());
      const found: [string, Buffer][] = []
      for await (const entry of salvage.entries()) found.push(await salvaged(entry))
      return new Map(found)
    } finally {
      salvage.close()
    }
  },
  second: async (fileSystem) => {
    const directory = path.join(temporaryDirectory(), 'store')
    mkdirSync(directory)
    for (const [file, bytes] of fileSystem.visibleImage().files) {
      writeFileSync(path.join(directory, path.basename(file)), bytes)
    }
    return new Map(readDatabase(directory).map(([key, value]) => [key.toString(), value]))
  },
}

async function salvaged({ key, value }: SalvagedEntry): Promise<[string, Buffer]> {
  if (value instanceof Uint8Array) return [key.toString(), Buffer.from(value)]
  const pieces: Uint8Array[] = []
  for await (const piece of value.pieces()) pieces.push(piece)
  return [key.toString(), Buffer.concat(pieces)]
}

function namesOf(fileSystem: FaultFileSystem): string[] {
  return fileSystem.list('/db').filter((name) => name !== 'LOCK')
}

function hexOf({ files }: DiskImage): Record<string, string> {
  const kept = [...files].filter(([name]) => !name.endsWith('/LOCK'))
  return Object.fromEntries(kept.map(([name, bytes]) => [name, Buffer.from(bytes).toString('hex')]))
}

function planted(part: UnknownPart, half: Half): [FaultFileSystem, Planted] {
  const files = new Files(image)
  const place = part.plant(files, half)
  return [new FaultFileSystem({}, files.image), place]
}

const READER_NAMES = Object.keys(READERS) as ReaderName[]
/** What all refusals say, without their figures. */
const refusals: Set<string> = new Set()

test('without anything unknown every reader finds the same', async () => {
  for (const [name, read] of Object.entries(READERS)) {
    const found = await read(new FaultFileSystem({}, image))
    expect(found.size, name).toBe(name === 'collect' ? model.size - 3 : model.size)
  }
})

describe.each(UNKNOWN_PARTS)('$name', (part) => {
  test.runIf(part.halves.includes('ignore'))('is ignored where it may be', async () => {
    for (const name of READER_NAMES) {
      const [fileSystem, { values, marker }] = planted(part, 'ignore')
      const expected = new Map([...model, ...(values ?? [])])
      if (name === 'collect') {
        for (const kind of ['moved', 'sealed', 'tail']) expected.delete(`${kind}/2`)
      }
      const found = await READERS[name](fileSystem)
      if (name !== 'dump')
        expect(new Map([...found].sort()), name).toEqual(new Map([...expected].sort()))
      expect(fileSystem.list('/db'), `${name}: nothing is set aside`).not.toContain('lost')
      if (marker === undefined || name !== 'collect') continue
      const holders = [...fileSystem.visibleImage().files.values()].filter((bytes) =>
        Buffer.from(bytes).includes(marker),
      )
      expect(holders.map((bytes) => bytes[10])).toContain(5)
    }
  })

  test.runIf(part.halves.includes('refuse'))('is refused where it must be', async () => {
    for (const name of READER_NAMES) {
      const [fileSystem, { file, offset }] = planted(part, 'refuse')
      const before = hexOf(fileSystem.visibleImage())
      wasOpened = false
      const error = await READERS[name](fileSystem).then(
        () => undefined,
        (thrown: { code?: string; message: string }) => thrown,
      )
      if (error === undefined) {
        expect(part.refusedBy, `${name} refuses it`).not.toContain(name)
        continue
      }
      if (name === 'second') {
        expect(error.message).toContain('of another version')
        continue
      }
      const code = part.name.startsWith('a codec')
        ? 'WISC_CODEC_UNAVAILABLE'
        : 'WISC_FORMAT_VERSION'
      expect([error.code, error.message], name).toEqual([
        code,
        expect.stringContaining(`file=${file} offset=${offset}`),
      ])
      refusals.add(error.message.replace(/, \w+=.*|: use .*/s, ''))
      const after = hexOf(fileSystem.visibleImage())
      // A store that could be opened goes on with what it knows.
      const kept = wasOpened ? [`/db/${file}`] : Object.keys(before)
      for (const one of kept) expect(after[one], `${name}: ${one}`).toBe(before[one])
      if (!wasOpened) expect(Object.keys(after), name).toEqual(Object.keys(before))
      expect(fileSystem.list('/db'), `${name}: nothing is set aside`).not.toContain('lost')
    }
  })
})

/** Lengths against F-V10 in records that prove themselves and lie below the checkpoint: no version writes such. */
const IMPOSSIBLE_PARTS: readonly UnknownPart[] = RECORD_PLACES.slice(2).flatMap((place) =>
  [1, -1].map((more) =>
    recordPart(
      `a raw length ${more > 0 ? 'above' : 'below'} the stored one`,
      ['refuse'],
      place,
      (bytes, at) => {
        bytes.writeUIntLE(bytes.readUIntLE(at + 24, 6) + more, at + 32, 6)
        proveAgain(bytes, at)
        return undefined
      },
    ),
  ),
)

test.each(IMPOSSIBLE_PARTS)('F-V10: $name is damage', async (part) => {
  for (const name of READER_NAMES) {
    const [fileSystem, { file }] = planted(part, 'refuse')
    const reading = READERS[name](fileSystem)
    // Salvage goes on without it.
    if (name === 'salvage') expect((await reading).size).toBe(model.size - 1)
    else if (name === 'second') await expect(reading).rejects.toThrow('record: length')
    else {
      const error = {
        code: 'WISC_CORRUPTION',
        message: expect.stringMatching(name === 'dump' ? '' : file),
      }
      await expect(reading, name).rejects.toMatchObject(error)
    }
  }
})

/** What the calls of `newerVersion` in a source say, without figures. */
function refusalsIn(text: string): string[] {
  return [...text.matchAll(/(?<!function )\bnewerVersion\(/g)].map(({ index }) => {
    const literal = /['`]([a-z][^'`$,]{9,})/
    const call = text.slice(index, text.indexOf('\n\n', index)).split(/\)\n|\), /, 1)[0]!
    const before = text.slice(0, index)
    return (literal.exec(call) ?? literal.exec(before.slice(before.lastIndexOf('what =')))!)[1]!
  })
}

test('every refusal in the code was met here', () => {
  const root = path.join(import.meta.dirname, '../..')
  const names = ['lib', 'vlog'].flatMap((folder) =>
    (readdirSync(path.join(root, folder), { recursive: true }) as string[])
      // Tables and the fields of edits have tests of their own.
      .filter((name) => name.endsWith('.ts') && !/tree.table|base.fields|version-edit/.test(name))
      .map((name) => path.join(root, folder, name)),
  )
  const all = names.flatMap((name) => refusalsIn(readFileSync(name, 'utf8')))
  expect(all.length).toBeGreaterThan(12)
  for (const what of all) expect([...refusals]).toContain(what)
})
