/** Dump: every byte of every file has a name, damage is said and passed, nothing is ever thrown. */
import fs from 'node:fs'
import path from 'node:path'
import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { lockText } from '#dist/lib/base/platform/node-file-system.js'
import { openDump } from '#dist/lib/inspect/dump/dump.js'
import type { Item } from '#dist/lib/inspect/dump/items.js'
import { temporaryDirectory } from '../../../support/files/temporary-directory.ts'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'
import {
  filesLike,
  flipByte,
  kindOf,
  makeInspectedStore,
} from '../../../support/store/inspected-store.ts'

const GOLDEN = path.join(import.meta.dirname, '../../../golden')

function itemsOf(file: string, range: { from?: number; to?: number } = {}): Item[] {
  const dump = openDump(file, range)
  try {
    return [...dump.items]
  } finally {
    dump.close()
  }
}

function damageOf(items: readonly Item[]): Item[] {
  return items.filter(({ damage }) => damage !== undefined)
}

/** Fields that take bytes, and damage, follow each other from the first byte to the last. */
function expectWholeFile(file: string): void {
  const isText = /CURRENT|LOCK/.test(path.basename(file))
  let at = 0
  const places = (item: Item): readonly { offset: number; length: number }[] =>
    item.damage || isText ? [item] : item.fields.filter(({ length }) => length > 0)
  const parts = itemsOf(file).flatMap(places)
  for (const { offset, length } of parts) {
    expect(offset, `a gap at ${at} of ${file}`).toBeLessThanOrEqual(at)
    at = Math.max(at, offset + length)
  }
  expect(at, file).toBe(fs.statSync(file).size)
}

test('an edit that the store would refuse is shown, and said to be so', () => {
  const bytes = fs.readFileSync(path.join(GOLDEN, 'closed/MANIFEST-000013'))
  const file = path.join(temporaryDirectory(), 'MANIFEST-000013')
  const last = itemsOf(path.join(GOLDEN, 'closed/MANIFEST-000013')).findLast(
    ({ what }) => what === 'frame',
  )!.offset
  const edit = bytes.subarray(last + 68)
  for (const [tag, code] of [
    [28, 'WISC_FORMAT_VERSION'],
    [20, 'WISC_CORRUPTION'],
  ] as const) {
    edit[0] = tag
    bytes.writeUInt32LE((crc32(edit) ^ bytes.readUInt32LE(last + 4)) >>> 0, last + 64)
    fs.writeFileSync(file, bytes)
    expect(damageOf(itemsOf(file)).map(({ damage }) => damage?.code)).toContain(code)
  }
})

describe('every byte has a name', () => {
  test.each(['closed', 'corrupt', 'crashed'])('golden database: %s', (name) => {
    const directory = path.join(GOLDEN, name)
    for (const file of filesLike(directory, /./)) expectWholeFile(path.join(directory, file))
  })

  test('a store with relocations', async () => {
    const { directory } = await makeInspectedStore({ collect: true })
    const names = filesLike(directory, /./)
    expect(new Set(names.map((name) => kindOf(directory, name)))).toContain(5)
    for (const name of names) {
      const file = path.join(directory, name)
      if (name !== 'LOCK') expectWholeFile(file)
      expect(damageOf(itemsOf(file)), name).toEqual([])
    }
  })
})

test('what a writer has not finished at the end of a file is no damage, unless it stays so', () => {
  const crashed = path.join(GOLDEN, 'crashed')
  const sealed = filesLike(crashed, /vlog$/).find((name) => {
    const { length } = itemsOf(path.join(crashed, name))
    return length > 3 && damageOf(itemsOf(path.join(crashed, name))).length === 0
  })!
  for (const name of [sealed, filesLike(crashed, /MANIFEST/).at(-1)!]) {
    const whole = fs.readFileSync(path.join(GOLDEN, 'crashed', name))
    const growing = path.join(temporaryDirectory(), name)
    fs.writeFileSync(growing, whole.subarray(0, -30))
    expect(damageOf(itemsOf(growing)).length, name).toBeGreaterThan(0)
    const dump = openDump(growing)
    fs.appendFileSync(growing, whole.subarray(-30))
    const items = [...dump.items]
    dump.close()
    expect(damageOf(items), name).toEqual([])
    expect(items.length).toBeGreaterThan(2)
  }
})

test('LOCK tells of its holder, and where that answers', () => {
  const file = path.join(temporaryDirectory(), 'LOCK')
  const text = lockText('/tmp/my own/1.sock')
  fs.writeFileSync(file, text)
  const fields = itemsOf(file).flatMap((item) => item.fields)
  expect(fields.at(0)).toMatchObject({ name: 'pid', value: String(process.pid), offset: 0 })
  const offset = text.indexOf('/tmp')
  expect(fields.at(-1)).toMatchObject({ name: 'socket', value: '/tmp/my own/1.sock', offset })
})

test('records and entries are those of the store', async () => {
  const { directory, model } = await makeInspectedStore({ collect: true })
  const keys = new Set<string>()
  for (const name of filesLike(directory, /sst$/)) {
    for (const { what, fields } of itemsOf(path.join(directory, name))) {
      const key = fields.find((field) => field.name === 'key')?.value
      if (what === 'entry') keys.add(Buffer.from(key as Uint8Array).toString())
    }
  }
  for (const key of model.keys()) expect(keys).toContain(key)
})

test('a range shows what touches it, and proves nothing else', () => {
  const files = filesLike(path.join(GOLDEN, 'corrupt'), /vlog$/)
  const isDamaged = (file: string): boolean => damageOf(itemsOf(file)).length > 0
  const file = files.map((name) => path.join(GOLDEN, 'corrupt', name)).find(isDamaged)!
  expect(damageOf(itemsOf(file))).toHaveLength(1)
  const last = itemsOf(file).findLast(({ what }) => what === 'record')!
  const items = itemsOf(file, { from: last.offset, to: last.offset + 1 })
  expect(items.map(({ what, offset }) => [what, offset])).toEqual([['record', last.offset]])
  expect(itemsOf(file, { to: 10 }).map(({ what }) => what)).toEqual(['fileHeader'])
})

test('behind a damaged frame header its records and the next frame are found', async () => {
  const { directory } = await makeInspectedStore()
  const name = filesLike(directory, /vlog$/)[0]!
  const file = path.join(directory, name)
  const before = itemsOf(file)
  const frame = before.filter(({ what }) => what === 'frame')[2]!
  flipByte(directory, name, frame.offset + 20)
  const after = itemsOf(file)
  expect(damageOf(after)).toMatchObject([
    { offset: frame.offset, length: 64, damage: { reason: 'no valid frame' } },
  ])
  const rest = before.filter((item) => item !== frame)
  expect(after.filter(({ damage }) => !damage).map(({ offset }) => offset)).toEqual(
    rest.map(({ offset }) => offset),
  )
})

test('a table without its end: entries go on to be shown, and it says why it stops', async () => {
  const { directory } = await makeInspectedStore()
  const file = path.join(directory, filesLike(directory, /sst$/)[0]!)
  const whole = itemsOf(file).filter(({ what }) => what === 'entry')
  fs.truncateSync(file, fs.statSync(file).size - 10)
  const cut = itemsOf(file)
  expect(cut.filter(({ what }) => what === 'entry').map(({ offset }) => offset)).toEqual(
    whole.map(({ offset }) => offset),
  )
  const reasons = damageOf(cut).map(({ damage }) => damage!.reason)
  expect(reasons).toContain('no data block can be made out here')
  expect(reasons).toContain('file does not end with a footer')
})

test('bytes that recovery set aside are read with the header of their file', async () => {
  const { directory } = await makeInspectedStore()
  const name = filesLike(directory, /vlog$/)[0]!
  const whole = itemsOf(path.join(directory, name))
  const frames = whole.filter(({ what }) => what === 'frame')
  const from = frames[1]!.offset
  fs.mkdirSync(path.join(directory, 'lost'))
  const lost = path.join(directory, 'lost', `${name}@${from}`)
  fs.writeFileSync(lost, fs.readFileSync(path.join(directory, name)).subarray(from))
  expect(itemsOf(lost)).toEqual(whole.filter(({ offset }) => offset >= from))
  fs.rmSync(path.join(directory, name))
  expect(damageOf(itemsOf(lost))).toHaveLength(1)
})

test('foreign, empty and short files', () => {
  const directory = temporaryDirectory()
  const write = (name: string, bytes: Uint8Array | string): string => {
    fs.writeFileSync(path.join(directory, name), bytes)
    return path.join(directory, name)
  }
  expect(damageOf(itemsOf(write('notes.txt', 'x'.repeat(500))))).toMatchObject([
    { damage: { reason: 'not a file of a wisc database' } },
  ])
  expect(itemsOf(write('000012.vlog', ''))).toEqual([])
  for (const name of ['000012.sst', '000013.vlog', 'MANIFEST-000001', 'CURRENT', 'BALLAST']) {
    expect(damageOf(itemsOf(write(name, 'wisc'))), name).not.toEqual([])
  }
})

test('bytes flipped anywhere: the dump goes to the end and says that there is damage', async () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  const { directory } = await makeInspectedStore({ seed: prng.u32(), collect: true })
  const names = filesLike(directory, /sst$|vlog$|MANIFEST|CURRENT/)
  for (let round = 0; round < 150; round++) {
    const name = prng.pick(names)
    const file = path.join(directory, name)
    const bytes = fs.readFileSync(file)
    if (bytes.length === 0) continue
    const at = prng.below(bytes.length)
    const hint = `${name} at ${at} ${replayHint(seed)}`
    flipByte(directory, name, at)
    const items = itemsOf(file)
    expect(items.length, hint).toBeGreaterThan(0)
    expect(damageOf(items).length, hint).toBeGreaterThan(0)
    if (prng.chance(0.3)) {
      fs.truncateSync(file, at)
      expect(() => itemsOf(file), hint).not.toThrow()
    }
    fs.writeFileSync(file, bytes)
  }
})
