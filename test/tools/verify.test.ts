/** verify through the real command: all damage is listed, whatever else is damaged or missing. */
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { open } from '#dist/lib/index.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { makeStore, wisc, wiscJson } from '../support/processes/wisc-process.ts'

const GOLDEN = path.join(import.meta.dirname, '../golden')

test('verify of a damaged value: only --deep finds it, and says where', async () => {
  expect(await wisc(['verify', 'corrupt'], { cwd: GOLDEN })).toMatchObject({ code: 0 })
  const { code, out, err } = await wisc(['verify', 'corrupt', '--deep'], { cwd: GOLDEN })
  expect([code, err]).toEqual([4, ''])
  expect(out).toMatch(
    /^DAMAGE [^\n]+ file=\d+\.vlog offset=\d+ \(WISC_CORRUPTION\), affects 1 entry\n/,
  )
  expect(out).toMatch(/^result +damaged in 1 place$/m)
  const [report] = await wiscJson(['verify', 'corrupt', '--deep'], { cwd: GOLDEN, code: 4 })
  expect(report).toMatchObject({ ok: false, damage: [{ code: 'WISC_CORRUPTION' }] })
})

test('verify goes on when files are missing, and lists all damage', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  const store = await open(db, { workers: 0, segmentBytes: 65536, collector: { enabled: false } })
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 60; i++) await store.put(`key ${round} ${i}`, Buffer.alloc(3000, i + 1))
    await store.flush()
  }
  await store.close()
  const named = (end: string): string[] => fs.readdirSync(db).filter((name) => name.endsWith(end))
  const table = named('.sst').at(-1)
  const [, segment, damaged] = named('.vlog')
  fs.rmSync(path.join(db, table!))
  fs.rmSync(path.join(db, segment!))
  const file = path.join(db, damaged!)
  const bytes = fs.readFileSync(file)
  bytes[1000]! ^= 1
  bytes[bytes.length - 1000]! ^= 1
  fs.writeFileSync(file, bytes)
  const { code, out, err } = await wisc(['verify', db, '--deep'])
  expect([code, err]).toEqual([4, ''])
  const gone = `DAMAGE file is missing file=${table} offset=0 (WISC_CORRUPTION)`
  expect(out).toContain(`${gone}, affects 60 entries\n`)
  expect(out).toMatch(
    new RegExp(`^DAMAGE file is missing file=${segment} .*, affects \\d+ entries$`, 'm'),
  )
  expect(
    out.match(new RegExp(`^DAMAGE value checksum mismatch chunk=0 file=${damaged} `, 'gm')),
  ).toHaveLength(2)
  expect(out).toMatch(/^result +damaged in 4 places$/m)
  const [report] = await wiscJson(['verify', db, '--deep'], { code: 4 })
  expect(report).toMatchObject({ ok: false, damagedPlaces: 4 })
  // Without the log nothing can be replayed; the tables are checked all the same.
  const crashed = path.join(temporaryDirectory(), 'crashed')
  fs.cpSync(path.join(GOLDEN, 'crashed'), crashed, { recursive: true })
  for (const name of fs.readdirSync(crashed)) {
    if (name.endsWith('.vlog')) fs.rmSync(path.join(crashed, name))
  }
  const log = await wisc(['verify', crashed])
  expect([log.code, log.err]).toEqual([4, ''])
  expect(log.out).toMatch(/file is missing file=\d+\.vlog/)
  expect(log.out).toMatch(/^entries +50$/m)
})

test('verify lists each damaged frame of a segment, also of such as no entry points to', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  // Values that stay in the tables: nobody follows a pointer into the log.
  const store = await open(db, { workers: 0 })
  for (let i = 0; i < 20; i++) await store.put(`key ${i}`, `value ${i} `.repeat(20))
  await store.close()
  const name = fs.readdirSync(db).find((each) => each.endsWith('.vlog'))!
  const bytes = fs.readFileSync(path.join(db, name))
  const places = [3, 9, 15].map((i) => bytes.indexOf(`key ${i}value`))
  for (const place of places) bytes[place]! ^= 1
  fs.writeFileSync(path.join(db, name), bytes)
  const [report] = await wiscJson<{ damage: { file: string; offset: number }[] }>(['verify', db], {
    code: 4,
  })
  expect(report!.damage.map(({ file }) => file)).toEqual([name, name, name])
  expect(report).toMatchObject({ damagedPlaces: 3, records: 17 })
})

test('damage without end is counted, and a part of it is shown', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  const entries = Array.from(
    { length: 200 },
    (_, i) => [`key ${i}`, `value ${i} `.repeat(20)] as const,
  )
  await makeStore(db, entries, { valueThreshold: 0 })
  const name = fs.readdirSync(db).find((each) => each.endsWith('.vlog'))!
  const file = path.join(db, name)
  const bytes = fs.readFileSync(file)
  for (let i = 0; i < 150; i++) bytes[bytes.indexOf(`value ${i} `)]! ^= 1
  fs.writeFileSync(file, bytes)
  const { code, out } = await wisc(['verify', db, '--deep'])
  expect(code).toBe(4)
  expect(out.match(/^DAMAGE /gm)).toHaveLength(100)
  expect(out).toContain('... and 50 more places (see --json)\n')
  expect(out).toMatch(/^result +damaged in 150 places$/m)
})

test('verify says how many entries one damage affects', async () => {
  const db = path.join(temporaryDirectory(), 'store')
  const entries = Array.from({ length: 20 }, (_, i) => [`key ${i}`, 'v'.repeat(500)] as const)
  await makeStore(db, entries, { valueThreshold: 0 })
  const log = fs.readdirSync(db).filter((name) => name.endsWith('.vlog'))
  const name = log.find((each) => fs.statSync(path.join(db, each)).size > 0)!
  const bytes = fs.readFileSync(path.join(db, name))
  bytes[20]! ^= 1
  fs.writeFileSync(path.join(db, name), bytes)
  const { code, out, err } = await wisc(['verify', db])
  expect([code, err]).toEqual([4, ''])
  const damage = `DAMAGE file header checksum mismatch file=${name} offset=60 (WISC_CORRUPTION)`
  expect(out.startsWith(`${damage}, affects 20 entries\ntables `)).toBe(true)
  expect(out).toMatch(/^result +damaged in 1 place$/m)
  const [report] = await wiscJson(['verify', db], { code: 4 })
  expect(report).toMatchObject({ damage: [{ file: name, affectedEntries: 20 }] })
})
